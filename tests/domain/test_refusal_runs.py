"""When refusals in a row hold a relay, and which domain probes it next."""

from collections.abc import Iterable

import pytest

from gcsched.domain.refusal_runs import (
    RefusalRun,
    RefusedAddresses,
    RefusedProbes,
    domain_of,
    is_permanent_refusal,
)
from gcsched.domain.smtp_reply import Answered, Kind, Reply, Stage

NOW, MINUTE = 100.0, 60.0
NEVER = float("-inf")


def refuse_all(recipients: Iterable[str]) -> RefusalRun:
    refusals = RefusalRun()
    for recipient in recipients:
        refusals = refusals.refused(recipient, NOW)
    return refusals


def of_domains(count: int) -> list[str]:
    return [f"ada@d{number}.org" for number in range(count)]


def test_the_fifth_refusal_of_different_domains_holds_the_relay() -> None:
    assert not refuse_all(of_domains(4)).is_held
    assert refuse_all(of_domains(5)).held_since == NOW


def test_two_domains_are_enough_and_one_never_is() -> None:
    of_one = [f"r{number}@one.org" for number in range(500)]

    assert not refuse_all(of_one).is_held
    assert not refuse_all([*of_one[:3], "x@two.org"]).is_held
    assert refuse_all([*of_one[:4], "x@two.org"]).is_held
    assert refuse_all([*of_one, "x@two.org"]).is_held


def test_the_same_recipient_counts_once_whatever_its_spelling() -> None:
    assert not refuse_all([*["ada@a.org", "ADA@A.org"] * 10, "bob@b.org"]).is_held


def test_an_acceptance_ends_the_count_and_the_hold() -> None:
    assert (
        refuse_all(of_domains(4)).accepted() == refuse_all(of_domains(9)).accepted() == RefusalRun()
    )


def test_before_a_hold_every_refusal_counts() -> None:
    assert not refuse_all(of_domains(4)).is_doubted(Kind.POLICY, accepted_at=NEVER, now=NOW)


@pytest.mark.parametrize("kind", [Kind.RECIPIENT, Kind.POLICY, Kind.CONTENT])
def test_while_held_no_refusal_counts_at_first(kind: Kind) -> None:
    held = refuse_all(of_domains(5))

    assert held.is_doubted(kind, accepted_at=NEVER, now=NOW + 14.9 * MINUTE)


def test_a_clear_refusal_counts_after_a_quarter_of_an_hour_without_acceptance() -> None:
    held, now = refuse_all(of_domains(5)), NOW + 15 * MINUTE

    assert not held.is_doubted(Kind.RECIPIENT, accepted_at=NEVER, now=now)
    assert held.is_doubted(Kind.RECIPIENT, accepted_at=NOW + 1, now=now)
    assert held.is_doubted(Kind.POLICY, accepted_at=NEVER, now=now)
    assert held.is_doubted(Kind.CONTENT, accepted_at=NEVER, now=now + 99 * MINUTE)


def test_a_hold_starts_once() -> None:
    assert refuse_all(of_domains(5)).refused("x@y.org", NOW + 999).held_since == NOW


@pytest.mark.parametrize(
    ("stage", "line", "expected"),
    [
        (Stage.RCPT, "550 5.1.1 unknown", True),
        (Stage.BODY, "554 5.7.1 spam", True),
        (Stage.BODY, "554 5.6.0 malformed", True),
        (Stage.RCPT, "450 4.2.0 later", False),
        (Stage.RCPT, "552 5.2.2 mailbox full", False),
        (Stage.RCPT, "553 5.7.1 sender is not yours", False),
        (Stage.BODY, "250 ok", False),
        (Stage.MAIL, "552 5.3.4 the mail is too large for what the relay offers", False),
    ],
)
def test_only_permanent_refusals_of_a_mail_count(
    stage: Stage, line: str, *, expected: bool
) -> None:
    assert is_permanent_refusal(Answered(Reply.parse(stage, int(line[:3]), line[4:]))) is expected


def test_the_next_probe_is_for_another_domain_or_waits_for_one() -> None:
    probed = RefusedProbes().refused(domain_of("ada@one.org")).refused(domain_of("ada@two.org"))

    assert probed.should_wait(domain_of("bob@ONE.org"), overdue_seconds=0.0)
    assert probed.should_wait(domain_of("bob@two.org"), overdue_seconds=4.9)
    assert not probed.should_wait(domain_of("bob@two.org"), overdue_seconds=5.0)
    assert not probed.should_wait(domain_of("bob@three.org"), overdue_seconds=0.0)


def test_when_a_domain_was_probed_again_all_others_may_be() -> None:
    probed = (
        RefusedProbes()
        .refused(domain_of("ada@one.org"))
        .refused(domain_of("ada@two.org"))
        .refused(domain_of("bob@one.org"))
    )

    assert not probed.should_wait(domain_of("bob@two.org"), overdue_seconds=0.0)
    assert probed.should_wait(domain_of("bob@one.org"), overdue_seconds=0.0)


def test_it_remembers_a_limited_number_of_domains() -> None:
    probed = RefusedProbes()
    for number in range(1_001):
        probed = probed.refused(domain_of(f"ada@d{number}.org"))

    assert probed.keys == {"d1000.org"}


def test_a_repeat_counts_once_a_minute_has_passed_since_the_first() -> None:
    unwanted = RefusedAddresses().refused("ada@a.org", NOW).refused("bob@b.org", NOW + 50)

    assert unwanted.counts_as_failure("eve@e.org", NOW + 1)
    assert not unwanted.counts_as_failure("ADA@a.org", NOW + 59)
    assert unwanted.counts_as_failure("ada@a.org", NOW + 60)
    assert unwanted.counts_as_failure("bob@b.org", NOW + 60)
    assert not RefusedAddresses()
