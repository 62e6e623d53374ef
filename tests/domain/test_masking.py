"""Masking of a mail's texts in replies; oracle: the standard library encodes them."""

import base64
import quopri
import time
import unicodedata
from collections.abc import Callable
from email.header import Header
from html.entities import codepoint2name
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.domain.masking import MAX_LENGTH, mask, mask_traceback
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from tests.support.builders import a_job, a_revision, an_invitation

SUBJECT = "Kündigung: Gespräch mit Dr. Al 5 in Raum B7"
JOB = a_job(
    email="günther.müller+x@example.org",
    name="Günther Müller",
    message=SUBJECT,
    empid="EMP-0815",
    variables={"room": "Sahara", "pin": "4711"},
    reply_to="chefin@example.org",
)
BEFORE = "554 5.7.1 at BODY: spam:"


def encode_xtext(text: str) -> str:
    """Encode by RFC 3461, section 4."""
    octets = text.encode()
    return "".join(chr(o) if 33 <= o <= 126 and o not in b"+=" else f"+{o:02X}" for o in octets)


def encode_entities(text: str) -> str:
    return "".join(
        f"&{codepoint2name[ord(each)]};" if ord(each) in codepoint2name else each for each in text
    )


def encode_quoted_printable(text: str) -> str:
    return quopri.encodestring(text.encode(), quotetabs=True).decode().replace("=\n", "")


def encode_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "other spaces": lambda text: text.replace(" ", "\t \u00a0"),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "without accents": lambda text: text.replace("ü", "u").replace("ä", "a"),
    "read as another charset": lambda text: text.encode().decode("latin-1"),
    "answered in another charset": lambda text: text.encode("latin-1").decode(errors="replace"),
    "RFC 2047, base64": lambda text: Header(text, "utf-8").encode(),
    "RFC 2047, quoted": lambda text: (
        "=?utf-8?Q?"
        + quopri.encodestring(text.encode(), quotetabs=True, header=True)
        .decode()
        .replace("=\n", "")
        + "?="
    ),
    "RFC 2047, cut off": lambda text: Header(text, "utf-8").encode()[:28],
    "quoted-printable": encode_quoted_printable,
    "base64": encode_base64,
    "base64, url-safe": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64, cut on both sides": lambda text: encode_base64(text)[5:-5],
    "base64, glued": lambda text: f"x{encode_base64(text)}",
    "xtext": encode_xtext,
    "percent": quote,
    "form": quote_plus,
    "entities": encode_entities,
    "escapes": ascii,
    "octal": lambda text: "".join(chr(o) if o < 128 else f"\\{o:03o}" for o in text.encode()),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_a_subject_is_masked_however_it_is_repeated(encode: Callable[[str], str]) -> None:
    masked = mask(f"{BEFORE} [{encode(SUBJECT)}] refused", JOB)

    assert masked.startswith(BEFORE)
    assert "(hidden)" in masked
    assert masked.endswith((" refused", "] refused"))
    for word in ("ndigung", "espr", "Al", "Raum", "B7", "igun"):
        assert word.lower() not in masked.removeprefix(BEFORE).lower()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("550 at RCPT: günther.müller+x: no such user", "550 at RCPT: (hidden): no such user"),
        ("550 at RCPT: no mailbox MÜLLER, Günther", "550 at RCPT: no mailbox (hidden)"),
        ("554 at BODY: 'Kündigu...' is spam", "554 at BODY: '(hidden)...' is spam"),
        ("554 at BODY: ...digung: gespräch", "554 at BODY: ...(hidden)"),
        ("554 at BODY: room Sahara, pin 4711", "554 at BODY: room (hidden), pin (hidden)"),
        ("554 at BODY: EMP-0815 chefin", "554 at BODY: (hidden)"),
        ("421 4.7.0 at MAIL: 5 mails in 60 seconds", "421 4.7.0 at MAIL: 5 mails in 60 seconds"),
        ("8 attempts failed, the last with: 451 at DATA: busy",) * 2,
        ("451 4.7.1 at RCPT: see https://x.test/greylisting",) * 2,
        ("CONNECT: the connection failed: refused",) * 2,
    ],
)
def test_names_parts_and_values_are_masked_and_the_rest_stays(text: str, left: str) -> None:
    assert mask(text, JOB) == left


def test_ordinary_words_are_masked_where_three_of_them_are_the_subject() -> None:
    job = a_job(message="Your mailbox is full")

    assert mask("452 at RCPT: mailbox full", job) == "452 at RCPT: mailbox full"
    assert mask("554 at BODY: your Mailbox is full", job) == "554 at BODY: (hidden)"


def test_a_script_without_spaces_is_masked_within_a_sentence() -> None:
    job = a_job(message="会議のお知らせ", name="山田太郎")

    assert (
        mask("550 at RCPT: 件名会議のお知らせは山田太郎様に送れません", job)
        == "550 at RCPT: (hidden)"
    )


def test_an_invisible_character_does_not_split_a_word() -> None:
    job = a_job(message="Qua\u200bcken\u00adbush am See", name="Zo\u2060ra")

    assert mask("554 at BODY: Quackenbush am See, Zora", job) == "554 at BODY: (hidden)"
    assert mask("554 at BODY: Qua\u200bcken\u00adbush", job) == "554 at BODY: (hidden)"


def test_without_a_mail_addresses_are_masked() -> None:
    assert mask("421 at CONNECT: ada@example.org\nis\x1b[31m slow", None) == (
        "421 at CONNECT: (address) is [31m slow"
    )


def test_a_traceback_keeps_its_frames() -> None:
    trace = "Traceback (most recent call last):\n  File \"x.py\", line 4711\nValueError: 'Sahara'"

    masked = mask_traceback(trace, JOB)

    assert masked.splitlines()[1] == '  File "x.py", line 4711'
    assert masked.splitlines()[2] == "ValueError: '(hidden)'"


SYLLABLES = ["qua", "zül", "wör", "xök", "jyß", "vũ", "ží", "кош", "дъщ", "ψυχ", "गति", "강산"]
WORD = st.lists(st.sampled_from(SYLLABLES), min_size=2, max_size=4).map("".join)
TEXT = st.lists(WORD, min_size=1, max_size=8)
HOWS = ["as it is", "upper case", "base64", "quoted-printable", "percent", "xtext", "escapes"]


@given(
    subject=TEXT,
    name=TEXT,
    value=TEXT,
    how=st.sampled_from(HOWS),
    cut=st.integers(0, 12),
)
@settings(max_examples=120, deadline=None)
def test_no_part_of_a_mail_remains(
    subject: list[str], name: list[str], value: list[str], how: str, cut: int
) -> None:
    job = a_job(message=" ".join(subject), name=" ".join(name), variables={"v": " ".join(value)})
    cut %= len(subject[0]) - 3  # fewer than four letters of a word may remain
    repeated = [" ".join(subject)[cut:], ", ".join(reversed(name)), "'" + "' '".join(value) + "'"]

    masked = mask(f"550 at BODY: {' / '.join(ENCODINGS[how](each) for each in repeated)} !", job)

    long_enough = [each for each in SYLLABLES if len(each) > 2]
    assert not [each for each in long_enough if each in masked.lower()], masked


@pytest.mark.parametrize("piece", ["a b c d ", "A1b2", "=41", "%41 ", "+41=", "é ", "\\x41", "&a;"])
def test_a_hostile_reply_to_a_large_mail_costs_little(piece: str) -> None:
    large = {f"v{number}": f"wört{number} {number} " * 25 for number in range(50)}
    job = a_job(variables=large)
    begun = time.process_time()

    for _ in range(5):
        mask(piece * MAX_LENGTH, job)

    # 15 ms each were measured.
    assert (time.process_time() - begun) / 5 < 0.25


def test_the_texts_of_a_meeting_are_masked() -> None:
    organizer = Person(email="grete.hermann@example.com", name="Grete Hermann")
    revision = a_revision(
        location="Ballsaal Nord",
        url="https://meet.example.org/j/geheimnis?pwd=kennwort",
        description="Über die Abfindung",
        organizer=organizer,
    )

    reply = "550 Ballsaal geheimnis KENNWORT Abfindung Hermann grete busy"
    masked = mask(reply, an_invitation(meeting=MeetingMail(revision=revision)))

    assert masked == "550 (hidden) busy"


def test_the_texts_of_an_update_and_of_what_it_corrects_are_masked() -> None:
    earlier = a_revision(
        summary="Kassensturz",
        location="Nordturm",
        url="https://meet.example.org/j/altgeheim",
        description="Prokura",
        guests=(Person("weggefährte@example.com", "Anneliese Vormals"),),
        reason="Zwietracht",
    )
    revision = a_revision(
        summary="Inventur",
        guests=(Person("grete.hermann@example.com", "Will Can"), Person("kurt@example.com")),
        reason="Abfindung verhandelt",
    )
    mail = MeetingMail(revision=revision, purpose=Purpose.UPDATE, earlier=earlier)
    told = (
        *("Kassensturz", "NORDTURM", "altgeheim", "prokura", "weggefährte", "Anneliese"),
        *("Vormals", "Zwietracht", "inventur", "grete", "Hermann", "will", "can", "kurt"),
        *("Abfindung", "verhandelt"),
    )

    masked = mask(f"550 {' / '.join(told)} busy", an_invitation(message="Neu", meeting=mail))

    assert masked == "550 (hidden) busy"
