"""A job becomes the mail it asked for, and the same job always the same mail."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.parser import Parser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fast_mail_parser import parse_email
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.adapters.compose import Composer
from gcsched.adapters.template_folder import default_folder
from gcsched.adapters.templates import Templates
from gcsched.errors import TemplateProblem

quick = settings(deadline=None, max_examples=100)
DUE = datetime(2025, 11, 24, 9, 30, tzinfo=UTC)
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID"),
    *("Auto-Submitted", "Content-Type", "MIME-Version"),
]
LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class ALetter:
    id: str = "j1"
    email: str = "zoe@example.org"
    message: str = "Release review"
    name: str = "Zoë"
    empid: str = "E-17"
    due_at: datetime = DUE
    created: datetime = DUE - timedelta(days=1)
    message_id: str = "j1.0@example.org"
    template: str = "doc"
    variables: Mapping[str, str] = field(default_factory=dict)
    reply_to: str = ""


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


def read(content: bytes) -> EmailMessage:
    """Read as a receiver with SMTPUTF8 does: a header's octets are UTF-8 (RFC 6532)."""
    return Parser(policy=policy.default).parsestr(content.decode())


def texts_of(message: EmailMessage) -> dict[str, str]:
    r"""Give each part's text by its subtype, with \n for its line ends."""
    octets = {
        part.get_content_subtype(): part.get_payload(decode=True) for part in message.iter_parts()
    }
    return {kind: bytes(part).decode().replace("\r\n", "\n") for kind, part in octets.items()}


def test_a_mail_carries_what_the_job_says(composer: Composer) -> None:
    mail = composer.compose(ALetter())

    message = read(mail.content)
    assert (mail.sender, mail.recipient) == ("no-reply@example.org", "zoe@example.org")
    assert str(message["from"]) == "Scheduler <no-reply@example.org>"
    assert str(message["to"]) == "zoe@example.org"
    assert message["subject"] == "Release review"
    assert message["message-id"] == "<j1.0@example.org>"
    assert message["auto-submitted"] == "auto-generated"
    assert "Hello Zoë," in texts_of(message)["plain"]
    assert "10:30 CET" in texts_of(message)["html"]


def test_a_resend_is_byte_identical(composer: Composer) -> None:
    letter = ALetter(message="Grüße", email="jürgen@müller.example")

    first, again = composer.compose(letter), a_composer().compose(replace(letter))

    assert first == again


def test_two_jobs_do_not_share_a_boundary(composer: Composer) -> None:
    one, other = (composer.compose(ALetter(id=job_id)).content for job_id in ("j1", "j2"))

    assert read(one).get_boundary() != read(other).get_boundary()


@pytest.mark.parametrize(
    ("due_at", "created"), [(DUE, DUE - timedelta(days=9)), (DUE - timedelta(days=9), DUE)]
)
def test_the_date_is_when_it_was_due_or_asked_for_whichever_is_later(
    composer: Composer, due_at: datetime, created: datetime
) -> None:
    mail = composer.compose(ALetter(due_at=due_at, created=created))

    assert read(mail.content)["date"].datetime == DUE


@quick
@given(message=LINE, name=LINE, empid=LINE, job_id=LINE)
def test_whatever_a_caller_sends_stays_where_it_belongs(
    composer: Composer, message: str, name: str, empid: str, job_id: str
) -> None:
    letter = ALetter(message=message, name=name, empid=empid, id=job_id)

    mail = composer.compose(letter)

    rendered = composer.templates.render("doc", composer.variables(letter))
    read_back = read(mail.content)
    assert read_back.keys() == HEADERS
    assert texts_of(read_back) == {"plain": rendered.text + "\n", "html": rendered.html + "\n"}
    assert mail.content.isascii()
    assert not mail.smtputf8


@quick
@given(name=LINE)
def test_the_senders_name_is_read_back_equal(composer: Composer, name: str) -> None:
    mail = replace(composer, sender_name=name).compose(ALetter())

    sender = parse_email(mail.content).from_
    assert sender is not None
    assert sender.address == "no-reply@example.org"
    assert (sender.display_name or "") == name.strip()
    # The standard library puts a space between two encoded words of a name (CPython issue 128110).
    (same,) = read(mail.content)["from"].addresses
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
    mail = composer.compose(ALetter(email=email))

    (to,) = read(mail.content)["to"].addresses
    assert (mail.recipient, mail.smtputf8) == (recipient, smtputf8)
    assert to.addr_spec == shown
    assert parse_email(mail.content).to[0].address == shown
    assert mail.content.isascii() is not smtputf8


def test_the_senders_domain_is_sent_in_ascii() -> None:
    mail = a_composer(sender_email="no-reply@Müller.example").compose(ALetter())

    assert mail.sender == "no-reply@xn--mller-kva.example"
    assert read(mail.content)["from"].addresses[0].addr_spec == mail.sender


@pytest.mark.parametrize(
    ("sender_name", "sender_email"),
    [
        ("Me\r\nBcc: a@example.org", "a@example.org"),
        ("Me", "a@example.org\r\nBcc: b@example.org"),
        ("Me", "nobody"),
        ("Me", "zoë@example.org"),
    ],
)
def test_a_sender_that_no_relay_would_take_is_refused_at_start(
    sender_name: str, sender_email: str
) -> None:
    with pytest.raises(ValueError, match=r"control|plain|ASCII"):
        a_composer(sender_name=sender_name, sender_email=sender_email)


@pytest.mark.parametrize(
    "letter",
    [
        ALetter(message="Hi\r\nBcc: a@example.org"),
        ALetter(message="Hi\n\nbody"),
        ALetter(email="a@example.org\r\nBcc: b@example.org"),
        ALetter(email="a@example.org,b@example.org"),
        ALetter(email="zoë@exa mple.org"),
        ALetter(message_id="a@b>\r\nX: y"),
    ],
)
def test_no_header_can_be_added_by_a_caller(composer: Composer, letter: ALetter) -> None:
    with pytest.raises(ValueError, match=r"control|plain"):
        composer.compose(letter)


def test_a_job_for_a_template_that_is_gone_says_so(composer: Composer) -> None:
    with pytest.raises(TemplateProblem, match=r"gone\.html"):
        composer.compose(ALetter(template="gone"))


def test_a_template_without_a_text_file_gets_its_text_from_the_html(tmp_path: Path) -> None:
    (tmp_path / "doc.html").write_text("<p>Hi <b>{{username}}</b></p>", "utf-8")
    composer = replace(a_composer(), templates=Templates.load(tmp_path))

    mail = composer.compose(ALetter(name="A & B"))

    assert texts_of(read(mail.content)) == {
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
def test_replies_go_where_the_caller_wants_them(
    composer: Composer, reply_to: str, shown: str, *, smtputf8: bool
) -> None:
    mail = composer.compose(ALetter(reply_to=reply_to))

    message = read(mail.content)
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
        composer.compose(ALetter(reply_to=reply_to))


def test_a_mail_is_made_of_its_template_and_variables(tmp_path: Path) -> None:
    (tmp_path / "doc.html").write_text("doc", "utf-8")
    (tmp_path / "note.html").write_text("<p>{{ username }} in {{ room }}</p>", "utf-8")
    composer = replace(a_composer(), templates=Templates.load(tmp_path))
    letter = ALetter(template="note", variables={"room": "<4>", "username": "Eve"})

    texts = texts_of(read(composer.compose(letter).content))

    assert texts == {"plain": "Zoë in <4>\n", "html": "<p>Zoë in &lt;4&gt;</p>\n"}


def test_a_draft_is_the_mail_that_would_be_sent(composer: Composer) -> None:
    letter = ALetter(reply_to="bob@example.org")

    draft = composer.draft(letter)

    mail = composer.compose(letter)
    assert draft.subject == "Release review"
    assert texts_of(read(mail.content)) == {"plain": draft.text + "\n", "html": draft.html + "\n"}
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

    mail = composer.compose(ALetter(email=address, reply_to=address))

    message = read(mail.content)
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
    letter = ALetter(reply_to="bøb@müller.example")

    mail = composer.compose(letter)

    assert mail.plain == replace(
        composer.compose(replace(letter, reply_to="")), left_out="Reply-To bøb@müller.example"
    )
    assert mail.plain.content.isascii()


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
    mail = composer.compose(ALetter(email=email, reply_to=reply_to))

    assert (mail.plain, mail.left_out) == (None, "")
