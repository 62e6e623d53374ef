"""Composing gives the mail of a job, and the same mail for the same job."""

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.parser import Parser
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fast_mail_parser import parse_email
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.header_encoding import clean_display_name, encode_mailbox
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.domain.job import Job
from gcsched.errors import TemplateProblem
from tests.support.builders import a_job

quick = settings(deadline=None, max_examples=100)
DUE = datetime(2025, 11, 24, 9, 30, tzinfo=UTC)
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID"),
    *("Auto-Submitted", "Content-Type", "MIME-Version"),
]
DATES = st.integers(0, 253_402_300_799).map(lambda second: datetime.fromtimestamp(second, UTC))
BIDI = {
    "LRE",
    "RLE",
    "PDF",
    "LRO",
    "RLO",
    "LRI",
    "RLI",
    "FSI",
    "PDI",
}  # reorder the text around them
LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=120)


def a_mail_job(**others: Any) -> Job:
    """Make a job to compose a mail of."""
    defaults: dict[str, Any] = {
        "id": "j1",
        "email": "zoe@example.org",
        "message": "Release review",
        "name": "Zoë",
        "empid": "E-17",
        "schedule_time": DUE,
        "message_id": "j1.0@example.org",
    }
    return a_job(**{**defaults, **others})


def a_composer(
    *, sender_name: str = "Scheduler", sender_email: str = "no-reply@example.org"
) -> Composer:
    return Composer(
        templates=Templates.load(default_folder()),
        sender_email=sender_email,
        sender_name=sender_name,
        timezone=ZoneInfo("Europe/Berlin"),
    )


@pytest.fixture(scope="module")
def composer() -> Composer:
    return a_composer()


def parse_mail(content: bytes) -> EmailMessage:
    """Parse as a receiver with SMTPUTF8 does: headers are UTF-8 (RFC 6532)."""
    return Parser(policy=policy.default).parsestr(content.decode())


def texts_of(message: EmailMessage) -> dict[str, str]:
    r"""Return the text of each part by its subtype, with \n for line ends."""
    octets = {
        part.get_content_subtype(): part.get_payload(decode=True) for part in message.iter_parts()
    }
    return {kind: bytes(part).decode().replace("\r\n", "\n") for kind, part in octets.items()}


def test_a_mail_has_the_values_of_its_job(composer: Composer) -> None:
    mail = composer.compose(a_mail_job())

    message = parse_mail(mail.content)
    assert (mail.sender, mail.recipient) == ("no-reply@example.org", "zoe@example.org")
    assert str(message["from"]) == "Scheduler <no-reply@example.org>"
    assert str(message["to"]) == "Zoë <zoe@example.org>"
    assert message["subject"] == "Release review"
    assert message["message-id"] == "<j1.0@example.org>"
    assert message["auto-submitted"] == "auto-generated"
    assert "Hello Zoë," in texts_of(message)["plain"]
    assert "Release review</h1>" in texts_of(message)["html"]


def test_a_resend_is_byte_identical(composer: Composer) -> None:
    job = a_mail_job(message="Grüße", email="jürgen@müller.example")

    first, again = composer.compose(job), a_composer().compose(structs.replace(job))

    assert first == again


def test_two_jobs_do_not_share_a_boundary(composer: Composer) -> None:
    one, other = (composer.compose(a_mail_job(id=job_id)).content for job_id in ("j1", "j2"))

    assert parse_mail(one).get_boundary() != parse_mail(other).get_boundary()


@quick
@given(message=LINE, name=LINE, date=DATES)
def test_the_date_of_a_mail_is_put_in_when_it_leaves_and_changes_nothing_else(
    composer: Composer, message: str, name: str, date: datetime
) -> None:
    mail = composer.compose(a_mail_job(message=message, name=name))

    left = (
        EncodedMail.encode(mail).dot_stuff(date).removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    )

    assert parse_mail(left)["date"].datetime == date
    assert parse_email(left).date == format_datetime(date)
    assert len(left) == len(mail.content)
    other_lines = zip(left.split(b"\r\n"), mail.content.split(b"\r\n"), strict=True)
    assert [one.split(b":")[0] for one, other in other_lines if one != other] in ([b"Date"], [])


def test_the_content_of_a_mail_does_not_depend_on_when_it_is_sent(composer: Composer) -> None:
    one, other = (
        composer.compose(a_mail_job(schedule_time=due)) for due in (DUE, DUE + timedelta(hours=30))
    )

    assert one == replace(other, personal_texts=one.personal_texts)


@quick
@given(message=LINE, name=LINE, empid=LINE, job_id=LINE)
def test_values_of_a_caller_stay_in_their_place(
    composer: Composer, message: str, name: str, empid: str, job_id: str
) -> None:
    job = a_mail_job(message=message, name=name, empid=empid, id=job_id)

    mail = composer.compose(job)

    rendered = composer.templates.render("doc", composer.build_variables(job))
    read_back = parse_mail(mail.content)
    assert read_back.keys() == HEADERS
    assert texts_of(read_back) == {"plain": rendered.text + "\n", "html": rendered.html + "\n"}
    assert mail.content.isascii()
    assert not mail.smtputf8


@quick
@given(name=LINE)
def test_the_senders_name_is_read_back_equal(composer: Composer, name: str) -> None:
    mail = replace(composer, sender_name=name).compose(a_mail_job())

    sender = parse_email(mail.content).from_
    assert sender is not None
    assert sender.address == "no-reply@example.org"
    assert (sender.display_name or "") == name.strip()
    # The standard library puts a space between two encoded words of a name (CPython issue 128110).
    (same,) = parse_mail(mail.content)["from"].addresses
    assert same.addr_spec == "no-reply@example.org"
    assert "".join(same.display_name.split()) == "".join(name.split())


@pytest.mark.parametrize(
    ("email", "recipient", "shown", "smtputf8"),
    [
        ("zoe@example.org", "zoe@example.org", "zoe@example.org", False),
        ("zoe@müller.example", "zoe@xn--mller-kva.example", "zoe@xn--mller-kva.example", False),
        ("zoë@example.org", "zoë@example.org", "zoë@example.org", True),
        ("zoë@müller.example", "zoë@xn--mller-kva.example", "zoë@müller.example", True),
        (f"{'z' * 64}@{'long.' * 37}example", *[f"{'z' * 64}@{'long.' * 37}example"] * 2, False),
    ],
)
def test_the_envelope_has_an_ascii_domain_and_the_header_the_readable_form(
    composer: Composer, email: str, recipient: str, shown: str, *, smtputf8: bool
) -> None:
    mail = composer.compose(a_mail_job(email=email))

    (to,) = parse_mail(mail.content)["to"].addresses
    assert (mail.recipient, mail.smtputf8) == (recipient, smtputf8)
    assert to.addr_spec == shown
    assert parse_email(mail.content).to[0].address == shown
    assert mail.content.isascii() is not smtputf8


def test_the_senders_domain_is_sent_in_ascii() -> None:
    mail = a_composer(sender_email="no-reply@Müller.example").compose(a_mail_job())

    assert mail.sender == "no-reply@xn--mller-kva.example"
    assert parse_mail(mail.content)["from"].addresses[0].addr_spec == mail.sender


@pytest.mark.parametrize(
    ("sender_name", "sender_email"),
    [
        ("Me\r\nBcc: a@example.org", "a@example.org"),
        ("Me", "a@example.org\r\nBcc: b@example.org"),
        ("Me", "no-at-sign"),
        ("Me", "zoë@example.org"),
    ],
)
def test_a_sender_that_no_relay_would_take_is_refused_at_start(
    sender_name: str, sender_email: str
) -> None:
    with pytest.raises(ValueError, match=r"control|plain|ASCII"):
        a_composer(sender_name=sender_name, sender_email=sender_email)


@pytest.mark.parametrize(
    "job",
    [
        a_mail_job(message="Hi\r\nBcc: a@example.org"),
        a_mail_job(message="Hi\n\nbody"),
        a_mail_job(email="a@example.org\r\nBcc: b@example.org"),
        a_mail_job(email="a@example.org,b@example.org"),
        a_mail_job(email="zoë@exa mple.org"),
        a_mail_job(message_id="a@b>\r\nX: y"),
    ],
)
def test_no_header_can_be_added_by_a_caller(composer: Composer, job: Job) -> None:
    with pytest.raises(ValueError, match=r"control|plain"):
        composer.compose(job)


def test_a_job_for_a_template_that_is_gone_says_so(composer: Composer) -> None:
    with pytest.raises(TemplateProblem, match=r"gone\.html"):
        composer.compose(a_mail_job(template="gone"))


def test_a_template_without_a_text_file_gets_its_text_from_the_html(tmp_path: Path) -> None:
    (tmp_path / "doc.html").write_text("<p>Hi <b>{{username}}</b></p>", "utf-8")
    composer = replace(a_composer(), templates=Templates.load(tmp_path))

    mail = composer.compose(a_mail_job(name="A & B"))

    assert texts_of(parse_mail(mail.content)) == {
        "plain": "Hi A & B\n",
        "html": "<p>Hi <b>A &amp; B</b></p>\n",
    }


@pytest.mark.parametrize(
    ("reply_to", "shown", "smtputf8"),
    [
        ("bob@example.org", "bob@example.org", False),
        ("bob@müller.example", "bob@xn--mller-kva.example", False),
        ("bøb@müller.example", "bøb@müller.example", True),
        (f"{'b' * 64}@{'long.' * 37}example", f"{'b' * 64}@{'long.' * 37}example", False),
    ],
)
def test_replies_go_to_the_address_of_the_request(
    composer: Composer, reply_to: str, shown: str, *, smtputf8: bool
) -> None:
    mail = composer.compose(a_mail_job(reply_to=reply_to))

    message = parse_mail(mail.content)
    (address,) = message["reply-to"].addresses
    assert address.addr_spec == shown
    assert sorted(message.keys()) == sorted([*HEADERS, "Reply-To"])
    assert (mail.recipient, mail.smtputf8) == ("zoe@example.org", smtputf8)
    assert "Hello Zoë," in texts_of(message)["plain"]


@pytest.mark.parametrize("reply_to", ["a@b.org\r\nBcc: c@d.org", "a@b.org, c@d.org", "A <a@b.org>"])
def test_a_reply_address_can_add_no_header_and_no_address(
    composer: Composer, reply_to: str
) -> None:
    with pytest.raises(ValueError, match=r"control|plain"):
        composer.compose(a_mail_job(reply_to=reply_to))


def test_a_mail_is_made_of_its_template_and_variables(tmp_path: Path) -> None:
    (tmp_path / "doc.html").write_text("doc", "utf-8")
    (tmp_path / "note.html").write_text("<p>{{ username }} in {{ room }}</p>", "utf-8")
    composer = replace(a_composer(), templates=Templates.load(tmp_path))
    job = a_mail_job(template="note", variables={"room": "<4>", "username": "Eve"})

    texts = texts_of(parse_mail(composer.compose(job).content))

    assert texts == {"plain": "Zoë in <4>\n", "html": "<p>Zoë in &lt;4&gt;</p>\n"}


def test_a_draft_is_the_mail_that_would_be_sent(composer: Composer) -> None:
    job = a_mail_job(reply_to="bob@example.org")

    draft = composer.draft(job)

    mail = composer.compose(job)
    assert draft.subject == "Release review"
    assert texts_of(parse_mail(mail.content)) == {
        "plain": draft.text + "\n",
        "html": draft.html + "\n",
    }
    assert draft.size == len(mail.content)


@pytest.mark.parametrize(
    ("address", "local"),
    [
        *(("user@corp.local", "user"), ("root@localhost", "root"), ("ada@[192.0.2.1]", "ada")),
        *(('"ab..cd"@example.org', "ab..cd"), ('"a b"@example.org', "a b"), ("zoë@host", "zoë")),
        *(('"<a>, (b)"@[IPv6:2001:db8::1]', "<a>, (b)"), ('"a@b"@localhost', "a@b")),
        *(('"say \\"hi\\" \\\\"@example.org', 'say "hi" \\'), ('"z ë"@localhost', "z ë")),
    ],
)
def test_an_address_of_any_form_is_read_back_wherever_it_stands(address: str, local: str) -> None:
    sender = address if address.isascii() else '"the team"@localhost'
    composer = a_composer(sender_email=sender)

    mail = composer.compose(a_mail_job(email=address, reply_to=address))

    message = parse_mail(mail.content)
    domain = address.rpartition("@")[2]
    expected_sender = (local, domain) if address.isascii() else ("the team", "localhost")
    assert (mail.sender, mail.recipient) == (sender, address)
    (from_,), (to,), (reply_to,) = (message[h].addresses for h in ("from", "to", "reply-to"))
    assert (from_.username, from_.domain) == expected_sender
    assert (to.username, to.domain) == (reply_to.username, reply_to.domain) == (local, domain)
    assert mail.smtputf8 is not address.isascii()


def test_an_international_address_for_replies_leaves_a_form_of_the_mail_without_it(
    composer: Composer,
) -> None:
    job = a_mail_job(reply_to="bøb@müller.example")

    mail = composer.compose(job)

    assert mail.ascii_fallback == replace(
        composer.compose(structs.replace(job, reply_to="")), left_out="Reply-To bøb@müller.example"
    )
    assert mail.ascii_fallback.content.isascii()


@pytest.mark.parametrize(
    ("email", "reply_to"),
    [
        ("zoe@example.org", ""),
        ("zoe@example.org", "bob@müller.example"),
        ("zoë@example.org", ""),
        ("zoë@example.org", "bøb@example.org"),
    ],
)
def test_a_mail_that_needs_nothing_or_needs_it_for_its_recipient_has_one_form(
    composer: Composer, email: str, reply_to: str
) -> None:
    mail = composer.compose(a_mail_job(email=email, reply_to=reply_to))

    assert (mail.ascii_fallback, mail.left_out) == (None, "")


def parse_recipient(content: bytes) -> tuple[str, str]:
    """Return name and address of the only recipient, by the parser of the standard library."""
    (to,) = parse_mail(content)["to"].addresses
    return to.display_name, to.addr_spec


def parse_recipient_otherwise(content: bytes) -> tuple[str, str]:
    (to,) = parse_email(content).to
    return to.display_name or "", to.address


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("Ada Lovelace", b'To: "Ada Lovelace" <zoe@example.org>'),
        ("  Ada ", b'To: "Ada" <zoe@example.org>'),
        ("", b"To: zoe@example.org"),
        (" \u00a0 ", b"To: zoe@example.org"),
        ("boss@corp.example", b'To: "boss@corp.example" <zoe@example.org>'),
        ("<boss@corp.example>, x", b'To: "<boss@corp.example>, x" <zoe@example.org>'),
        ('O"Neil \\', b'To: "O\\"Neil \\\\" <zoe@example.org>'),
        ("Zo\u00eb", b"To: =?utf-8?b?Wm/Dqw==?= <zoe@example.org>"),
    ],
)
def test_a_mail_names_its_recipient(composer: Composer, name: str, header: bytes) -> None:
    mail = composer.compose(a_mail_job(name=name))

    assert header in mail.content.split(b"\r\n")
    assert mail.recipient == "zoe@example.org"


@quick
@given(name=LINE | st.text(st.sampled_from('a@<>,;:"\\()=?. \u00e9\u202e\U0001f600'), max_size=256))
@example(name="x" * 256)
@example(name="word " * 50 + "end")
@example(name="\U0001f469\u200d\U0001f469\u200d\U0001f467" * 50)
@example(name="=?utf-8?q?=3Cboss=40corp=3E?=")
@example(name='"boss@corp.example" <boss@corp.example>')
@example(name="boss@corp.example,")
@example(name="group:boss@corp.example;")
@example(name="\u05d3\u05d5\u05d3 \u202eelpmaxe\u202c (x")
def test_a_recipients_name_is_read_back_equal_and_is_never_an_address(
    composer: Composer, name: str
) -> None:
    mail = composer.compose(a_mail_job(name=name))

    shown = "".join(c for c in name if unicodedata.bidirectional(c) not in BIDI).strip()
    assert parse_recipient_otherwise(mail.content) == (shown, "zoe@example.org")
    # The standard library puts a space between two encoded words of a name (CPython issue 128110).
    same, address = parse_recipient(mail.content)
    assert ("".join(same.split()), address) == ("".join(shown.split()), "zoe@example.org")
    assert parse_mail(mail.content).keys() == HEADERS
    assert mail.content.isascii()


@quick
@given(before=LINE, end=st.sampled_from([chr(c) for c in (*range(32), *range(127, 160))]))
@example(before="a", end="\u2028")
@example(before="a", end="\r\nBcc: eve@example.org\r\n")
def test_a_stored_name_with_a_line_end_adds_no_header_and_stops_no_mail(
    composer: Composer, before: str, end: str
) -> None:
    mail = composer.compose(a_mail_job(name=f"{before}{end}eve@example.org"))

    assert parse_mail(mail.content).keys() == HEADERS
    assert (
        parse_recipient(mail.content)[1]
        == parse_recipient_otherwise(mail.content)[1]
        == "zoe@example.org"
    )


@quick
@given(name=LINE)
@example(name="x" * 200)
def test_lines_with_a_recipients_name_have_at_most_78_columns(name: str) -> None:
    lines = b"To: %b" % encode_mailbox("To", clean_display_name(name), "zoe@example.org")

    assert all(len(line) <= 78 and line.strip() for line in lines.split(b"\r\n"))


def test_a_name_stands_beside_an_address_that_is_not_ascii(composer: Composer) -> None:
    mail = composer.compose(
        a_mail_job(name="Zo\u00eb M., Dr.", email="zo\u00eb@m\u00fcller.example")
    )

    assert parse_recipient(mail.content) == ("Zo\u00eb M., Dr.", "zo\u00eb@m\u00fcller.example")
    assert parse_recipient_otherwise(mail.content) == (
        "Zo\u00eb M., Dr.",
        "zo\u00eb@m\u00fcller.example",
    )
    assert mail.smtputf8


def test_a_very_long_address_with_a_name_is_on_a_line_of_its_own(composer: Composer) -> None:
    email = f"{'z' * 64}@{'long.' * 37}example"

    mail = composer.compose(a_mail_job(name="Ada", email=email))

    assert (
        parse_recipient(mail.content) == parse_recipient_otherwise(mail.content) == ("Ada", email)
    )
    assert max(map(len, mail.content.split(b"\r\n"))) <= 998
