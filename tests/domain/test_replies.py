"""What a reply means: the table, row by row."""

import itertools
from datetime import timedelta

import pytest

from gcsched.domain.replies import Kind, Reply, Stage, hinted_wait, is_throttling, kind_of

OPENING = [Stage.CONNECT, Stage.TLS, Stage.AUTH]
CONVERSATION = [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY]


def the_kind(stage: Stage, line: str) -> Kind:
    return kind_of(Reply.parse(stage, int(line[:3]), line[4:]))


@pytest.mark.parametrize("line", ["250 2.0.0 ok", "250", "251 forwarded", "250 2.6.0 queued as 7"])
def test_only_a_2xx_to_the_dot_means_accepted(line: str) -> None:
    assert the_kind(Stage.BODY, line) is Kind.ACCEPTED


@pytest.mark.parametrize("stage", OPENING)
@pytest.mark.parametrize("line", ["421 4.3.2 no", "454 4.7.0 no", "535 5.7.8 no", "554 go away"])
def test_before_the_first_mail_everything_is_between_us_and_the_relay(
    stage: Stage, line: str
) -> None:
    assert the_kind(stage, line) is Kind.OURS


@pytest.mark.parametrize("stage", CONVERSATION)
@pytest.mark.parametrize("line", ["421 4.3.2 going down", "421", "530 5.7.0 log in", "535 no"])
def test_a_closing_or_a_missing_login_is_ours_at_every_stage(stage: Stage, line: str) -> None:
    assert the_kind(stage, line) is Kind.OURS


@pytest.mark.parametrize(
    ("stage", "line", "kind"),
    [
        (Stage.MAIL, "450 4.7.1 too many mails", Kind.OURS),
        (Stage.MAIL, "550 5.7.1 sender not allowed", Kind.OURS),
        (Stage.MAIL, "451 4.3.0 disk full", Kind.LATER),
        (Stage.MAIL, "452 no space", Kind.LATER),
        (Stage.MAIL, "552 5.3.4 too large", Kind.CONTENT),
        (Stage.MAIL, "552 too large", Kind.CONTENT),
        (Stage.MAIL, "553 5.6.7 SMTPUTF8 is not offered", Kind.CONTENT),
        (Stage.RCPT, "450 4.2.0 greylisted", Kind.LATER),
        (Stage.RCPT, "451 4.7.1 greylisted", Kind.LATER),
        (Stage.RCPT, "452 4.2.2 mailbox full", Kind.LATER),
        (Stage.RCPT, "550 5.7.1 not from you", Kind.POLICY),
        (Stage.RCPT, "550 not here", Kind.POLICY),
        (Stage.RCPT, "553 not allowed", Kind.POLICY),
        (Stage.RCPT, "552 5.2.2 mailbox full", Kind.CONTENT),
        (Stage.DATA, "451 4.3.0 busy", Kind.LATER),
        (Stage.DATA, "554 no", Kind.CONTENT),
        (Stage.BODY, "451 4.3.0 try again", Kind.LATER),
        (Stage.BODY, "450 4.7.1 slow down", Kind.LATER),
        (Stage.BODY, "554 5.6.0 malformed", Kind.CONTENT),
        (Stage.BODY, "554 5.7.1 spam", Kind.POLICY),
        (Stage.BODY, "550 no", Kind.CONTENT),
    ],
)
def test_each_row_of_the_table(stage: Stage, line: str, kind: Kind) -> None:
    assert the_kind(stage, line) is kind


@pytest.mark.parametrize("enhanced", ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"])
def test_some_codes_blame_the_recipient_except_at_mail(enhanced: str) -> None:
    line = f"550 {enhanced} no such user"

    assert the_kind(Stage.RCPT, line) is Kind.RECIPIENT
    assert the_kind(Stage.BODY, line) is Kind.RECIPIENT
    assert the_kind(Stage.MAIL, line) is not Kind.RECIPIENT


def test_nothing_but_a_2xx_to_the_dot_is_ever_accepted_and_no_reply_is_uncertain() -> None:
    subjects = [None, "1.1", "2.1", "3.4", "6.7", "7.1"]
    for stage, code, subject in itertools.product(Stage, range(200, 600), subjects):
        enhanced = subject and f"{code // 100}.{subject}"

        kind = kind_of(Reply(stage=stage, code=code, enhanced=enhanced))

        assert kind is not Kind.UNCERTAIN
        assert (kind is Kind.ACCEPTED) == (stage is Stage.BODY and code < 300)


@pytest.mark.parametrize(
    ("code", "text", "enhanced", "rest"),
    [
        (550, "5.1.1 no such user", "5.1.1", "no such user"),
        (250, "2.0.0", "2.0.0", ""),
        (550, "5.1.10   spaces ", "5.1.10", "spaces"),
        (450, "5.1.1 of another class", None, "5.1.1 of another class"),
        (354, "go on", None, "go on"),
        (550, "5.1.1.2 no code", None, "5.1.1.2 no code"),
        (550, "see 5.1.1 there", None, "see 5.1.1 there"),
        (250, "", None, ""),
    ],
)
def test_the_enhanced_code_is_split_off(
    code: int, text: str, enhanced: str | None, rest: str
) -> None:
    reply = Reply.parse(Stage.RCPT, code, text)

    assert (reply.enhanced, reply.text) == (enhanced, rest)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("line", ["421", "421 4.3.2 going down", "421 4.7.0 slow down"])
def test_a_relay_that_hangs_up_finds_us_too_fast(stage: Stage, line: str) -> None:
    assert is_throttling(Reply.parse(stage, int(line[:3]), line[4:]))


@pytest.mark.parametrize("stage", Stage)
def test_a_transient_policy_is_throttling_but_at_rcpt_it_is_greylisting(stage: Stage) -> None:
    reply = Reply.parse(stage, 450, "4.7.1 too many mails")

    assert is_throttling(reply) is (stage is not Stage.RCPT)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.BODY])
@pytest.mark.parametrize(
    "line", ["250 2.0.0 ok", "450", "451 4.3.0 busy", "452 4.2.2 full", "550 5.7.1 no"]
)
def test_no_other_answer_is_throttling(stage: Stage, line: str) -> None:
    assert not is_throttling(Reply.parse(stage, int(line[:3]), line[4:]))


def test_a_reply_reads_well_and_is_bounded() -> None:
    assert str(Reply.parse(Stage.RCPT, 550, "5.1.1 gone")) == "550 5.1.1 at RCPT: gone"
    assert str(Reply.parse(Stage.RCPT, 550, "gone")) == "550 at RCPT: gone"
    assert len(str(Reply.parse(Stage.RCPT, 550, "x" * 5000))) < 600


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("greylisted, try again in 300 seconds", timedelta(seconds=300)),
        ("wait 5 minutes", timedelta(minutes=5)),
        ("Retry in 90s", timedelta(seconds=90)),
        ("try again in 1 Hour", timedelta(hours=1)),
        ("come back in 10min", timedelta(minutes=10)),
        ("in 99999 hours", timedelta(hours=4)),
        ("in 0 seconds", None),
        ("too many messages, 100 messages are enough", None),
        ("from 192.0.2.7 server", None),
        ("later", None),
        ("", None),
    ],
)
def test_a_hint_to_wait_is_read_but_not_believed_without_limit(
    text: str, wait: timedelta | None
) -> None:
    assert hinted_wait(text) == wait
