"""Replies whose meaning depends on the stage: MAIL without a recipient, RCPT, and content.

The kind is as an administrator would read the line.
"""

import pytest

from gcsched.domain.smtp_reply import Kind, Reply, Stage, kind_of

AFTER_MAIL = [Stage.RCPT, Stage.DATA, Stage.BODY]


def classify(stage: Stage, line: str) -> Kind:
    return kind_of(Reply.parse(stage, int(line[:3]), line[4:]))


@pytest.mark.parametrize(
    "line",
    [
        "450",
        "451",
        "451 not now",
        "451 Requested action aborted: local error in processing",
        "451 Temporary local problem - please try later",
        "451 try again later",
        "450 Temporary authentication backend failure",
        "452 4.5.3 Too many messages",
        "452 too many messages",
        "451 4.4.2 timeout",
        "451 4.4.3 directory server failure",
        "450 4.2.0 not now",
        "450 4.2.1 not now",
        "432 4.7.12 a password transition is needed",
        "455",
        "455 parameters not accommodated now",
        "450 took too long",
    ],
)
def test_at_mail_every_deferral_is_a_failure_of_the_relay(line: str) -> None:
    assert classify(Stage.MAIL, line) is Kind.RELAY


@pytest.mark.parametrize(
    "line",
    [
        "452 4.3.4 Message too big for system",
        "452 4.2.2 mailbox full",
        "452 4.2.3 message too long",
        "451 4.6.7 not that address",
        "452 Message size exceeds what can be taken now",
        "452 message too large, try later",
        "450 4.2.0 Greylisted",
        "451 greylisting in action",
    ],
)
def test_at_mail_size_and_form_concern_the_mail_and_greylisting_defers_it(
    line: str,
) -> None:
    assert classify(Stage.MAIL, line) is Kind.DEFERRED


@pytest.mark.parametrize("stage", AFTER_MAIL)
@pytest.mark.parametrize(
    "line",
    [
        "450 4.2.1 mailbox is rate limited",
        "450 4.2.1 rate limit exceeded",
        "450 4.2.0 rate limited, try again later",
        "450 this user is rate-limited",
        "450 recipient is rate limited",
        "450 the rate limit of this mailbox is reached",
        "450 rate limit exceeded for this account",
        "450 Mailbox has exceeded the rate limit",
        "450 4.7.1 rate limit exceeded for this recipient",
        "450 4.7.1 You have exceeded the rate limit for this recipient",
        "451 limit is 10 recipients per hour for this mailbox",
        "451 limited to 5 messages per minute for this user",
        "451 max messages per hour reached for this mailbox",
        "450 too many messages from 10 users",
        "450 too many messages for this user",
        "550 5.2.1 mailbox is rate limited",
        "550 recipient is rate limited",
    ],
)
def test_the_rate_limit_of_a_recipient_is_not_the_relays(stage: Stage, line: str) -> None:
    assert classify(stage, line) is Kind.DEFERRED


@pytest.mark.parametrize("stage", AFTER_MAIL)
@pytest.mark.parametrize(
    "line",
    [
        "450 rate limited",
        "450 your account is rate limited",
        "450 4.2.1 your mailbox is rate limited",
        "450 4.2.1 sender rate limit exceeded",
        "450 sending rate limit of this user exceeded",
        "451 the outgoing rate limit of this mailbox is reached",
        "450 4.7.1 rate limit exceeded for user anna",
        "450 4.7.1 <ada@y.org>: Recipient address rejected: rate limit exceeded",
        "450 4.2.0 <ada@y.org>: Recipient address rejected: you are rate limited",
        "550 rate limit exceeded for user anna",
        "451 Sending limit exceeded: 100 mails in 10 minutes for this user",
        "451 too many messages from 192.0.2.7",
        "451 too many messages from [192.0.2.7]",
        "451 too many messages from 2001:db8::7",
        "451 too many messages from [IPv6:2001:db8::7]",
        "451 too many connections from this host",
        "450 limit is 100 messages per hour",
        "450 limit is 10 recipients per hour",
    ],
)
def test_a_rate_limit_that_names_us_or_no_recipient_is_the_relays(stage: Stage, line: str) -> None:
    assert classify(stage, line) is Kind.RELAY


@pytest.mark.parametrize("stage", AFTER_MAIL)
@pytest.mark.parametrize(
    "line",
    [
        "452 4.3.1 Insufficient storage for this user",
        "452 4.3.1 insufficient system storage for the mailbox",
        "452 disk full for user",
        "552 disk full for user",
        "452 out of disk space for this account",
        "452 4.2.0 user's disk is full",
        "451 4.3.0 recipient's server busy",
        "450 4.3.2 Recipient server too busy",
        "450 4.3.2 recipient system currently not accepting messages",
        "450 the mailbox server is busy",
        "451 system error: mailbox of recipient locked",
        "451 4.3.0 internal error while opening the mailbox",
        "450 4.3.2 service unavailable for this mailbox",
    ],
)
def test_the_storage_and_the_system_of_a_recipient_are_not_the_relays(
    stage: Stage, line: str
) -> None:
    assert classify(stage, line) is Kind.DEFERRED


@pytest.mark.parametrize("stage", AFTER_MAIL)
@pytest.mark.parametrize(
    "line",
    [
        "452 4.3.1 Insufficient system storage",
        "451 Recipient address rejected: Server configuration error",
        "451 4.3.5 <ada@y.org>: Recipient address rejected: Server configuration error",
        "451 4.3.5 the user's configuration error",
        "450 too many concurrent connections for user anna",
        "451 4.3.0 internal error: user database unavailable",
        "451 system error in the recipient lookup table",
        "451 account directory: server failure",
        "450 server busy, too many users",
        "451 internal error: your account",
        "451 server error; sender's mailbox locked",
        "452 disk full. " + "Nothing can be taken, whatever it is and wherever it goes. " + "User",
    ],
)
def test_a_failure_of_the_relay_is_its_own_even_if_the_reply_mentions_users(
    stage: Stage, line: str
) -> None:
    assert classify(stage, line) is Kind.RELAY


@pytest.mark.parametrize(
    "line",
    [
        "451 spam filter internal error",
        "451 4.3.0 content filter: system error",
        "451 virus scanner server error",
        "451 internal error in milter",
    ],
)
def test_a_filter_may_fail_at_one_mail_but_only_after_its_content(line: str) -> None:
    assert classify(Stage.BODY, line) is Kind.DEFERRED
    assert classify(Stage.RCPT, line) is Kind.RELAY


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("550 #5.1.0 Address rejected.", Kind.RECIPIENT),
        ("550 5.1.0 <ada@y.org>: Recipient address rejected", Kind.RECIPIENT),
        ("550 5.1.0 Recipient rejected", Kind.RECIPIENT),
        ("550 5.1.0 <us@x.org>: Sender address rejected", Kind.RELAY),
        ("550 5.1.0 who knows why", Kind.POLICY),
        ("550 5.4.4 unrouteable address", Kind.RECIPIENT),
        ("550 5.4.4 Unrouteable mail domain", Kind.POLICY),
        ("550 5.2.0 mailbox unavailable", Kind.POLICY),
        ("550 5.0.0 mailbox unavailable", Kind.POLICY),
        ("554 5.0.0 no", Kind.POLICY),
        ("554 no", Kind.POLICY),
        ("554 Transaction failed", Kind.POLICY),
        ("552 no", Kind.POLICY),
        ("552 too large", Kind.CONTENT),
        ("552 5.3.4 too large", Kind.CONTENT),
        ("550 5.2.3 too large", Kind.CONTENT),
        ("553 5.6.7 this address needs SMTPUTF8", Kind.CONTENT),
        ("550 5.3.3 the feature is not there", Kind.CONTENT),
    ],
)
def test_before_any_content_only_its_announced_size_and_form_can_be_refused(
    line: str, kind: Kind
) -> None:
    assert classify(Stage.RCPT, line) is kind


@pytest.mark.parametrize("stage", [Stage.DATA, Stage.BODY])
@pytest.mark.parametrize("line", ["554 no", "552 no", "550 5.2.0 no", "554 5.6.0 malformed"])
def test_a_refusal_with_the_content_blames_the_content(stage: Stage, line: str) -> None:
    assert classify(stage, line) is Kind.CONTENT
