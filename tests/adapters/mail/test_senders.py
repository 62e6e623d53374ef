"""The mails of several senders: From, envelope, octets; and a sender that is missing."""

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from zoneinfo import ZoneInfo

import pytest

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.adapters.smtp.envelope import Capabilities, EncodedMail
from gcsched.domain.senders import Sender
from tests.support.builders import a_job

PAYROLL = Sender("payroll@example.org", "Payroll@example.org", 'Löhne "&" mehr, kurz')
NEWS = Sender("news@bücher.example", "news@xn--bcher-kva.example")


@pytest.fixture(scope="module")
def composer() -> Composer:
    return a_composer(PAYROLL, NEWS)


def a_composer(*more: Sender) -> Composer:
    return Composer(
        templates=Templates.load(default_folder()),
        sender_email="no-reply@example.org",
        sender_name="Scheduler",
        timezone=ZoneInfo("UTC"),
        more_senders=more,
    )


def read_mail(content: bytes) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(content)


@pytest.mark.parametrize(
    ("sender", "envelope", "shown"),
    [
        ("", "no-reply@example.org", "Scheduler <no-reply@example.org>"),
        (PAYROLL.key, "Payroll@example.org", 'Löhne "&" mehr, kurz <Payroll@example.org>'),
        (NEWS.key, "news@xn--bcher-kva.example", "news@xn--bcher-kva.example"),
    ],
)
def test_a_mail_comes_from_the_sender_of_its_job(
    composer: Composer, sender: str, envelope: str, shown: str
) -> None:
    job = a_job(sender=sender, email="zoë@example.org", reply_to="hr@example.org")

    mail = composer.compose(job)
    draft = composer.draft(job)

    [origin] = read_mail(mail.content)["from"].addresses
    assert mail.sender == origin.addr_spec == envelope
    assert shown == (f"{origin.display_name} <{envelope}>" if origin.display_name else envelope)
    assert (draft.sender, draft.size) == (shown, len(mail.content))
    commands = Capabilities().envelope_commands(EncodedMail.encode(mail))
    assert commands[0].startswith(b"MAIL FROM:<%b>" % envelope.encode())


def test_further_senders_change_no_octet_of_the_other_mails(composer: Composer) -> None:
    job = a_job(message="Grüße")

    assert composer.compose(job) == a_composer().compose(job)
    from_payroll = composer.compose(a_job(message="Grüße", sender=PAYROLL.key))
    [before, after] = (read_mail(each.content) for each in (composer.compose(job), from_payroll))
    del before["from"], after["from"]
    assert before.as_bytes() == after.as_bytes()


def test_no_sender_stands_in_for_one_that_is_missing() -> None:
    job = a_job(sender=PAYROLL.key)

    for make in (a_composer(NEWS).compose, a_composer().draft):
        with pytest.raises(ValueError, match=r"the sender payroll@example\.org is not a sender of"):
            make(job)
