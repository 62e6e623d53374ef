"""What a reply means: the table, row by row."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsched.domain.smtp_reply import (
    Kind,
    Reply,
    Stage,
    blames_full_mailbox,
    is_throttling,
    kind_of,
)
from tests.domain.real_replies import ALL
from tests.domain.temporary_replies import ALL as TEMPORARY

OPENING = [Stage.CONNECT, Stage.TLS, Stage.AUTH]
CONVERSATION = [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY]
SYSTEM_PROBLEMS = [
    "452 4.3.1 Insufficient system storage",
    "452 4.3.1",
    "451 4.3.5 Server configuration error",
    "452 4.4.5 Insufficient disk space; try again later",
    "421 4.3.2 going down",
    "450 4.3.2 Service currently unavailable",
    "450 4.3.2 System not accepting network messages",
    "451 4.3.0 Error: queue file write error",
    "451 4.3.0 Temporary system failure",
    "452 Insufficient system storage",
    "452 space shortage, please try later",
    "451 load too high",
    "450 server is overloaded",
    "451 out of memory",
    "450 too many simultaneous connections",
    "451 internal server error",
]


def classify(stage: Stage, line: str) -> Kind:
    return kind_of(Reply.parse(stage, int(line[:3]), line[4:]))


@pytest.mark.parametrize("line", ["250 2.0.0 ok", "250", "251 forwarded", "250 2.6.0 queued as 7"])
def test_only_a_2xx_to_the_dot_means_accepted(line: str) -> None:
    assert classify(Stage.BODY, line) is Kind.ACCEPTED


@pytest.mark.parametrize("stage", OPENING)
@pytest.mark.parametrize("line", ["421 4.3.2 no", "454 4.7.0 no", "535 5.7.8 no", "554 go away"])
def test_every_failure_before_the_first_mail_is_the_relays(stage: Stage, line: str) -> None:
    assert classify(stage, line) is Kind.RELAY


@pytest.mark.parametrize("stage", CONVERSATION)
@pytest.mark.parametrize("line", ["421 4.3.2 going down", "421", "530 5.7.0 log in", "535 no"])
def test_a_closing_or_a_missing_login_is_the_relays_at_every_stage(stage: Stage, line: str) -> None:
    assert classify(stage, line) is Kind.RELAY


@pytest.mark.parametrize("stage", CONVERSATION)
@pytest.mark.parametrize(
    "line",
    ["500 5.5.2 what", "502 5.5.1 not here", "503 5.5.1 bad sequence", "503 5.1.1 MAIL first"],
)
def test_a_protocol_error_is_the_relays_at_every_stage(stage: Stage, line: str) -> None:
    assert classify(stage, line) is Kind.RELAY


@pytest.mark.parametrize(
    "line",
    [
        "550 5.1.0 address rejected",
        "550 #5.1.0 address rejected",
        "550 5.1.1 unknown",
        "553 5.1.7 bad sender",
        "553 5.1.8 sender's domain does not exist",
        "450 4.1.8 sender's domain not found",
    ],
)
def test_a_refusal_at_mail_is_about_our_sender(line: str) -> None:
    assert classify(Stage.MAIL, line) is Kind.RELAY


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.BODY])
@pytest.mark.parametrize(
    "line", ["552 too large", "552 5.3.4 too large", "550 5.3.4 too large", "550 5.2.3 too large"]
)
def test_a_mail_that_is_too_large_never_blames_the_recipient(stage: Stage, line: str) -> None:
    assert classify(stage, line) is Kind.CONTENT


@pytest.mark.parametrize(
    ("stage", "line", "kind"),
    [
        (Stage.MAIL, "450 4.7.1 too many mails", Kind.RELAY),
        (Stage.MAIL, "550 5.7.1 sender not allowed", Kind.RELAY),
        (Stage.MAIL, "451 4.3.0 not now", Kind.RELAY),
        (Stage.MAIL, "450 4.3.2 not now", Kind.RELAY),
        (Stage.MAIL, "452 no space", Kind.RELAY),
        (Stage.MAIL, "452 4.3.4 too big", Kind.DEFERRED),
        (Stage.MAIL, "451 not now", Kind.RELAY),
        (Stage.RCPT, "452 4.3.1", Kind.RELAY),
        (Stage.RCPT, "451 4.3.5", Kind.RELAY),
        (Stage.RCPT, "452 4.4.5", Kind.RELAY),
        (Stage.RCPT, "450 4.3.2 not now", Kind.DEFERRED),
        (Stage.RCPT, "450 4.3.2 shutting down", Kind.RELAY),
        (Stage.RCPT, "452 not now", Kind.DEFERRED),
        (Stage.RCPT, "450 4.2.0 the server is busy", Kind.DEFERRED),
        (Stage.RCPT, "450 4.7.1 the server is busy", Kind.DEFERRED),
        (Stage.BODY, "450 4.3.2 not now", Kind.DEFERRED),
        (Stage.MAIL, "552 5.3.4 too large", Kind.CONTENT),
        (Stage.MAIL, "552 too large", Kind.CONTENT),
        (Stage.MAIL, "553 5.6.7 SMTPUTF8 is not offered", Kind.CONTENT),
        (Stage.RCPT, "450 4.2.0 greylisted", Kind.DEFERRED),
        (Stage.RCPT, "451 4.7.1 greylisted", Kind.DEFERRED),
        (Stage.RCPT, "452 4.2.2 mailbox full", Kind.DEFERRED),
        (Stage.RCPT, "450 4.1.1 not known yet", Kind.DEFERRED),
        (Stage.RCPT, "501 5.1.3 bad address", Kind.RECIPIENT),
        (Stage.RCPT, "550 5.1.0 who knows why", Kind.POLICY),
        (Stage.RCPT, "550 5.7.1 not from you", Kind.POLICY),
        (Stage.RCPT, "550 5.7.1: not from you", Kind.POLICY),
        (Stage.RCPT, "550 not here", Kind.POLICY),
        (Stage.RCPT, "553 not allowed", Kind.POLICY),
        (Stage.RCPT, "552 5.2.2 mailbox full", Kind.DEFERRED),
        (Stage.DATA, "451 4.3.0 busy", Kind.DEFERRED),
        (Stage.DATA, "554 no", Kind.CONTENT),
        (Stage.BODY, "451 4.3.0 try again", Kind.DEFERRED),
        (Stage.BODY, "450 4.7.1 slow down", Kind.DEFERRED),
        (Stage.BODY, "554 5.6.0 malformed", Kind.CONTENT),
        (Stage.BODY, "554 5.7.1 spam", Kind.POLICY),
        (Stage.BODY, "550 no", Kind.CONTENT),
    ],
)
def test_each_row_of_the_table(stage: Stage, line: str, kind: Kind) -> None:
    assert classify(stage, line) is kind


@pytest.mark.parametrize("enhanced", ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"])
def test_some_codes_blame_the_recipient_except_at_mail(enhanced: str) -> None:
    line = f"550 {enhanced} no such user"

    assert classify(Stage.RCPT, line) is Kind.RECIPIENT
    assert classify(Stage.BODY, line) is Kind.RECIPIENT
    assert classify(Stage.MAIL, line) is not Kind.RECIPIENT


def test_nothing_but_a_2xx_to_the_dot_is_ever_accepted_and_no_reply_is_uncertain() -> None:
    subjects = [None, "1.1", "2.1", "3.4", "6.7", "7.1"]
    for stage, code, subject in itertools.product(Stage, range(200, 600), subjects):
        enhanced = subject and f"{code // 100}.{subject}"

        kind = kind_of(Reply(stage=stage, code=code, enhanced_code=enhanced))

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
        (550, "#5.1.0 Address rejected.", "5.1.0", "Address rejected."),
        (554, "5.7.1: Relay access denied", "5.7.1", "Relay access denied"),
        (554, "5.7.1, spam", "5.7.1", "spam"),
        (554, "5.7.1 : spam", "5.7.1", "spam"),
        (550, "5.7.1;spam", None, "5.7.1;spam"),
        (553, "sorry, no rcpthost (#5.7.1)", "5.7.1", "sorry, no rcpthost (#5.7.1)"),
        (511, "no mailbox (#5.1.1 - chkuser)", "5.1.1", "no mailbox (#5.1.1 - chkuser)"),
        (450, "later (#5.1.1)", None, "later (#5.1.1)"),
        (550, "5.\u0661.1 no digits of ours", None, "5.\u0661.1 no digits of ours"),
        (250, "", None, ""),
    ],
)
def test_the_enhanced_code_is_split_off(
    code: int, text: str, enhanced: str | None, rest: str
) -> None:
    reply = Reply.parse(Stage.RCPT, code, text)

    assert (reply.enhanced_code, reply.text) == (enhanced, rest)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("line", ["421", "421 4.3.2 going down", "421 4.7.0 slow down"])
def test_a_421_is_throttling(stage: Stage, line: str) -> None:
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


@pytest.mark.parametrize(("stage", "line", "kind"), ALL, ids=[line for _, line, _ in ALL])
def test_real_replies_blame_the_side_that_an_administrator_would(
    stage: Stage, line: str, kind: Kind
) -> None:
    assert classify(stage, line) is kind


@pytest.mark.parametrize("line", SYSTEM_PROBLEMS)
@pytest.mark.parametrize("stage", CONVERSATION)
def test_a_failure_of_the_whole_relay_is_the_relays_at_every_stage(stage: Stage, line: str) -> None:
    assert classify(stage, line) is Kind.RELAY


@pytest.mark.parametrize(
    ("stage", "line", "kind"),
    [(stage, line, kind) for stage, line, kind, _ in TEMPORARY],
    ids=[line for _, line, *_ in TEMPORARY],
)
def test_temporary_replies_blame_the_side_that_an_administrator_would(
    stage: Stage, line: str, kind: Kind
) -> None:
    assert classify(stage, line) is kind


def test_the_real_replies_are_many_and_unique() -> None:
    assert len(ALL) == len({(stage, line) for stage, line, _ in ALL}) >= 140


RELAY_ANYWHERE = [(line, kind) for _, line, kind in ALL if kind is Kind.RELAY]


@pytest.mark.parametrize("stage", CONVERSATION)
@pytest.mark.parametrize("line", [line for line, _ in RELAY_ANYWHERE if line != "550 go away"])
def test_a_refusal_of_us_is_the_relays_at_every_stage(stage: Stage, line: str) -> None:
    assert classify(stage, line) is Kind.RELAY


@pytest.mark.parametrize(
    "address", ["relay-access-denied@y.org", "spf@y.org", "helo@y.org", "starttls@helo.y.org"]
)
def test_an_address_that_a_reply_repeats_does_not_count(address: str) -> None:
    assert classify(Stage.RCPT, f"550 5.7.1 <{address}>: no") is Kind.POLICY
    assert classify(Stage.RCPT, f"550 5.7.1 {address}: no") is Kind.POLICY


@given(
    stage=st.sampled_from(Stage),
    code=st.integers(200, 599),
    text=st.text(max_size=300) | st.text(alphabet="5.1789 sender mailbox over quota (#)<>@"),
)
def test_every_reply_has_a_meaning(stage: Stage, code: int, text: str) -> None:
    reply = Reply.parse(stage, code, text)

    assert kind_of(reply) in Kind
    assert (kind_of(reply) is Kind.ACCEPTED) == (stage is Stage.BODY and code < 300)


def test_the_longest_reply_is_parsed_quickly() -> None:
    for word in ("sender ", "not allowed to ", "exceeded your ", "a", "<", "@", "mailbox over "):
        reply = Reply(stage=Stage.RCPT, code=550, text=word * (32_768 // len(word)))

        assert kind_of(reply) in Kind


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "expected"),
    [
        (552, "5.2.2", "552 5.2.2 at RCPT: full", True),
        (452, "4.2.2", "452 4.2.2 at RCPT: later", True),
        (552, "5.2.0", "552 5.2.0 at RCPT: mailbox full", True),
        (552, None, "552 at RCPT: mailbox quota exceeded", True),
        (550, "5.1.1", "550 5.1.1 at RCPT: no such mailbox, quota exceeded", False),
        (550, "5.1.1", "550 5.1.1 at RCPT: unknown", False),
        (None, None, "RCPT: no answer, mailbox full", False),
    ],
)
def test_a_full_mailbox_is_known_by_code_or_words(
    code: int | None, enhanced: str | None, text: str, *, expected: bool
) -> None:
    assert blames_full_mailbox(code, enhanced, text) is expected
