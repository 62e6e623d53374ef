"""Redirected mails: the envelope, the headers and the band. The oracle is the email package."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.header_encoding import encode_domain, format_date
from gcsched.adapters.mail.mime import DATE_PLACEHOLDER
from gcsched.adapters.mail.redirection import RedirectingComposer, encode_original, insert_band
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.domain.mail import Mail
from gcsched.domain.masking import mask
from gcsched.domain.meeting import Person
from tests.support.builders import a_job
from tests.support.invitations import INTERVIEW, an_invitation_job, read_calendar, unfold
from tests.support.mail_trees import MIXED, PLAIN, outline
from tests.support.meeting_mails import FIRST_ID, KINDS, WITH_CALENDAR, a_meeting_job

STAGING = "staging@example.net"
TEMPLATES = Templates.load(default_folder())
ADDRESSES = st.sampled_from(
    [
        *("ada@example.org", "Ada+1@mail.example.org", '"a  b"@example.org', "a@[192.0.2.1]"),
        *("zoë@example.org", "zoë@bücher.example", "ada@bücher.example", "用户@例え.jp"),
        *("=?utf-8?q?x?=@example.org", "a" * 64 + "@" + "b" * 63 + ".example.org"),
        *("é" * 32 + "@" + "ü" * 20 + ".example", "o'brien&co@example.org"),
    ]
)
NAMES = st.one_of(
    st.sampled_from(["", "Ada", "Zoë O'Neil", '<script>"x"</script>', "=?utf-8?q?x?="]),
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Cf")), max_size=60),
)


def a_composer(templates: Templates = TEMPLATES) -> RedirectingComposer:
    return RedirectingComposer(
        templates=templates,
        sender_email="no-reply@example.org",
        sender_name="Scheduler",
        timezone=ZoneInfo("UTC"),
        redirect_to=STAGING,
    )


def parse_mail(mail: Mail) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(mail.content)


def read_part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def decode_original(mail: Mail) -> str:
    """Decode the header as any mail client does: unfold it, then decode the encoded words."""
    [line] = [
        line
        for line in mail.content.replace(b"\r\n ", b" ").split(b"\r\n")
        if line.startswith(b"X-Original-To: ")
    ]
    return str(make_header(decode_header(line.decode("ascii").partition(": ")[2])))


@settings(deadline=None, max_examples=60)
@example("zoë@bücher.example", "Zoë")
@given(ADDRESSES, NAMES)
def test_a_mail_goes_to_the_address_of_the_setting_and_names_its_recipient(
    email: str, name: str
) -> None:
    mail = a_composer().compose(a_job(email=email, name=name))

    message = parse_mail(mail)
    assert mail.recipient == STAGING
    assert [each.addr_spec for each in message["To"].addresses] == [STAGING]
    assert not mail.smtputf8
    assert message.get_all("Cc") is message.get_all("Bcc") is None
    assert decode_original(mail) == encode_domain(email)
    assert email in read_part(message, "plain").splitlines()[0]
    html = read_part(message, "html")
    assert f"{email}" in unescape(html[html.index("<body") :].split("</div>")[0])
    assert "<script>" not in html


def test_the_name_stays_in_to_and_beside_the_address_in_the_band() -> None:
    message = parse_mail(a_composer().compose(a_job(name="Ada Lovelace")))

    assert str(message["To"]) == f"Ada Lovelace <{STAGING}>"
    text = read_part(message, "plain").splitlines()
    assert text[0] == "Redirected mail. Its recipient is: Ada Lovelace <ada@example.org>"
    assert "GCSCHED_REDIRECT_TO" in text[1]


def test_all_else_is_as_in_a_mail_to_the_recipient() -> None:
    job = a_job(reply_to="hr@example.org")
    composer = a_composer()
    direct = Composer(
        templates=TEMPLATES,
        sender_email="no-reply@example.org",
        sender_name="Scheduler",
        timezone=ZoneInfo("UTC"),
    )

    redirected, ordinary = composer.compose(job), direct.compose(job)

    assert redirected.sender == ordinary.sender
    assert composer.compose(job) == redirected  # a resend is the same mail
    headers = dict(parse_mail(redirected).items())
    assert headers.pop("X-Original-To") == "ada@example.org"
    assert headers | {"To": '"Ada" <ada@example.org>'} == dict(parse_mail(ordinary).items()) | {
        "To": '"Ada" <ada@example.org>'
    }
    assert read_part(parse_mail(redirected), "plain").endswith(
        read_part(parse_mail(ordinary), "plain")
    )


@pytest.mark.parametrize("email", ["ada@example.org", "é" * 60 + "@example.org"])
def test_the_date_is_inserted_in_its_place(email: str) -> None:
    mail = a_composer().compose(a_job(email=email))

    assert mail.date_offset is not None
    end = mail.date_offset + len(DATE_PLACEHOLDER)
    assert mail.content[mail.date_offset : end] == DATE_PLACEHOLDER
    date = format_date(datetime(2026, 7, 1, tzinfo=UTC))
    content = mail.content[: mail.date_offset] + date + mail.content[end:]
    assert str(parse_mail(replace(mail, content=content))["Date"]) == date.decode()


def test_only_a_reply_address_can_need_smtputf8_and_it_may_be_left_out() -> None:
    mail = a_composer().compose(a_job(email="zoë@example.org", reply_to="chloé@example.org"))

    assert mail.smtputf8
    assert mail.ascii_fallback is not None
    for each in (mail, mail.ascii_fallback):
        assert each.recipient == STAGING
        assert decode_original(each) == "zoë@example.org"
    assert b"Reply-To" not in mail.ascii_fallback.content


def test_words_of_the_recipient_are_masked_in_a_reply_of_the_relay() -> None:
    mail = a_composer().compose(a_job(email="lovelace@example.org", name="Ada"))

    masked = mask("550 5.7.1 at BODY: mail of lovelace for Ada refused", mail.personal_texts)

    assert "lovelace" not in masked
    assert "Ada" not in masked


def test_a_preview_shows_the_mail_that_is_sent() -> None:
    job, composer = a_job(email="zoë@example.org"), a_composer()

    preview, mail = composer.draft(job), composer.compose(job)

    assert preview.size == len(mail.content)
    assert preview.text.startswith("Redirected mail.")
    assert "Redirected mail." in preview.html
    assert "zoë@example.org" in preview.html


def test_a_template_still_shows_the_recipient(tmp_path: Path) -> None:
    (tmp_path / "doc.html").write_text("<p>to {{ email }}</p>", "utf-8")
    (tmp_path / "doc.txt").write_text("to {{ email }}", "utf-8")

    message = parse_mail(a_composer(Templates.load(tmp_path)).compose(a_job()))

    assert read_part(message, "plain").rstrip().endswith("\nto ada@example.org")
    assert read_part(message, "html").rstrip().endswith("<p>to ada@example.org</p>")


def test_a_name_that_an_earlier_version_stored_does_not_break_the_band() -> None:
    job = structs.replace(a_job(), name="Ada\r\nBcc: eve@evil.test\u202e")

    message = parse_mail(a_composer().compose(job))

    assert message["Bcc"] is None
    assert read_part(message, "plain").splitlines()[0].endswith("<ada@example.org>")


@pytest.mark.parametrize(
    ("html", "before"),
    [
        ("<!doctype html>\n<html><head></head >\n<body class='a>b'\n id=x><p>", "id=x>"),
        ("<html><!-- <body> --><BODY><p>", "<BODY>"),
        ("<html><head><style>p{}</style></head\n><p>", "</head\n>"),
        ("<!DOCTYPE html><p>", "<!DOCTYPE html>"),
        ("<html lang=en>\r\n<p>", "<html lang=en>"),
        ("<p title='<body>'>", ""),
        ("", ""),
        ("<html><![x[ y]]><body>", "<html>"),
        ("<body><p><!doctype html></head><html><body>", "<body>"),
    ],
)
def test_the_band_is_the_first_content_of_the_body(html: str, before: str) -> None:
    band = insert_band("", "ada@example.org")

    banded = insert_band(html, "ada@example.org")

    assert banded.replace(band, "") == html
    assert banded.partition(band)[0].endswith(before)
    assert len(banded.partition(band)[0]) == html.find(before) + len(before)


def test_an_address_that_no_envelope_can_have_is_refused_as_without_redirection() -> None:
    with pytest.raises(ValueError, match="not one plain"):
        encode_original("ada@example.org, eve@evil.test")


def test_the_calendar_of_a_redirected_invitation_names_nobody_but_the_staging_address() -> None:
    job = an_invitation_job(
        organizer=Person("grace@example.com", "Grace Hopper"), sent_by="no-reply@example.org"
    )

    mail = a_composer().compose(job)

    lines = unfold(read_calendar(mail.content))
    people = [line for line in lines if line.startswith(("ATTENDEE", "ORGANIZER"))]
    assert len(people) == 2
    assert people[0] == 'ORGANIZER;CN="Scheduler":mailto:no-reply@example.org'
    assert people[1].startswith("ATTENDEE;")
    assert people[1].endswith(f":mailto:{STAGING}")
    # An answer that names Ada would count as hers, and one to Grace would be mail to a real person.
    assert not any("Ada" in line or "Grace" in line or "CN=" in line for line in people[1:])
    assert f"UID:{INTERVIEW.uid}" in lines
    assert "Grace Hopper" in read_part(parse_mail(mail), "plain")
    assert a_composer().draft(job).calendar.encode() == read_calendar(mail.content)


GUESTS = (Person("grace@example.com", "Grace Hopper"), Person("ada@example.org", "Ada Lovelace"))


@pytest.mark.parametrize("kind", KINDS)
def test_each_mail_about_a_meeting_is_redirected_with_all_its_people(kind: str) -> None:
    organizer = Person("edsger@example.com", "Edsger")
    job = a_meeting_job(kind, guests=GUESTS, organizer=organizer, sent_by="no-reply@example.org")

    mail = a_composer().compose(job)

    message = parse_mail(mail)
    assert (mail.recipient, message["X-Original-To"]) == (STAGING, "ada@example.org")
    assert message["References"] == (None if kind == "invitation" else f"<{FIRST_ID}>")
    assert message["Auto-Submitted"] == ("auto-generated" if kind == "reminder" else None)
    assert outline(message) == (MIXED if kind in WITH_CALENDAR else PLAIN)
    if kind not in WITH_CALENDAR:
        return
    lines = unfold(read_calendar(mail.content))
    organizer_line, attendee = (x for x in lines if x.startswith(("ORGANIZER", "ATTENDEE")))
    assert organizer_line == 'ORGANIZER;CN="Scheduler":mailto:no-reply@example.org'
    assert re.fullmatch(rf"ATTENDEE(;[A-Z]+=[A-Z-]+)*:mailto:{STAGING}", attendee)
    assert f"METHOD:{'REQUEST' if kind in {'invitation', 'update'} else 'CANCEL'}" in lines
    assert not re.search("ada@|grace|edsger|hopper", "\n".join(lines), re.IGNORECASE)
    assert a_composer().draft(job).calendar.encode() == read_calendar(mail.content)
