"""What is put into a mail is what two parsers, independent of each other, read out of it."""

import re
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from functools import partial

import pytest
from fast_mail_parser import parse_email, parse_email_tree
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gcsched.adapters.mail.header_encoding import (
    encode_domain,
    encode_unstructured,
    format_message_id,
)
from gcsched.adapters.mail.mime import Bodies, Headers, Skeleton, derive_boundary, encode_body

SENDER = b"Scheduler <no-reply@example.org>"
quick = settings(deadline=None, max_examples=150)

ANY = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))
ALL = st.characters(exclude_categories=["Cs"])
ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
TRICKY = st.sampled_from(
    ["=?", "?=", "=?utf-8?q?=41?=", "  ", " ", ",", ";", "\\", '"', "gcsched-slot-text"]
)
subjects = (
    st.one_of(
        st.text(ANY, max_size=998),
        st.text(ASCII, max_size=998),
        st.lists(st.one_of(TRICKY, st.text(ASCII, max_size=90), st.text(ANY, max_size=9))).map(
            "".join
        ),
        st.lists(st.text("abcdefghij", min_size=1, max_size=80), max_size=40).map(" ".join),
    )
    .map(lambda value: value.strip()[:998].strip())
    .filter(bool)
)
bodies = st.one_of(
    st.text(ALL, max_size=400),
    st.text(st.sampled_from("ab .-\t\r\n"), max_size=400),
    st.integers(990, 1010).map(lambda length: "x" * length),
)


def a_mail(
    *, subject: str = "Hi", text: str = "text", html: str = "<p>", job_id: str = "j"
) -> bytes:
    headers = Headers(
        to=b"zoe@example.org",
        subject=encode_unstructured("Subject", subject),
        message_id=format_message_id("j.1@example.org"),
    )
    boundary = derive_boundary(job_id)
    bodies = Bodies(boundary, encode_body(text, boundary), encode_body(html, boundary))
    return Skeleton.for_sender(SENDER).fill(headers, bodies)


def parse_mail(content: bytes) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(content)


def parse_parts(content: bytes) -> list[tuple[str, str]]:
    """Read subtype and text of each part, by the standard library."""
    parts = parse_mail(content).iter_parts()
    return [(part.get_content_subtype(), decode_part(part)) for part in parts]


def decode_part(part: MIMEPart) -> str:
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets.decode()


def parse_parts_otherwise(content: bytes) -> list[tuple[str, str]]:
    children = parse_email_tree(content).children
    return [(part.content_type.split("/")[1], (part.content or b"").decode()) for part in children]


def with_crlf(content: str) -> str:
    lines = re.split(r"\r\n|\r|\n", content)
    return "\r\n".join(lines if lines[-1] == "" and len(lines) > 1 else [*lines, ""])


@quick
@given(subjects)
@example("a" * 69)
@example("a" * 70)
@example("word " * 199 + "end")
@example("é" * 998)
@example("👩‍👩‍👧‍👦" * 90)
@example("a =?utf-8?b?4pyT?= b")
@example("two  spaces " * 40 + "end")
def test_a_subject_is_read_back_equal_by_both_parsers(subject: str) -> None:
    content = a_mail(subject=subject)

    assert parse_mail(content)["subject"] == subject
    assert parse_email(content).subject == subject


@quick
@given(subjects)
def test_a_subject_never_makes_a_line_longer_than_78_columns(subject: str) -> None:
    lines = b"Subject: %b" % encode_unstructured("Subject", subject)

    assert all(len(line) <= 78 and line.strip() for line in lines.split(b"\r\n"))


@quick
@given(subjects)
def test_an_encoded_word_is_at_most_75_characters_and_whole_in_itself(subject: str) -> None:
    words = re.findall(rb"=\?utf-8\?b\?[^?]*\?=", encode_unstructured("Subject", subject + "é"))

    for word in words:
        assert len(word) <= 75
        assert (
            "\N{REPLACEMENT CHARACTER}" not in parse_mail(b"Subject: %b\r\n\r\n" % word)["subject"]
        )


def test_a_plain_subject_is_sent_as_it_is() -> None:
    assert encode_unstructured("Subject", "Planning, room 4") == b"Planning, room 4"


def test_a_long_plain_subject_is_folded_between_words() -> None:
    folded = encode_unstructured("Subject", "word " * 30 + "end")

    assert b"=?" not in folded
    assert folded.replace(b"\r\n ", b" ") == b"word " * 30 + b"end"


@quick
@given(text=bodies, html=bodies)
@example(text="", html="\n")
@example(text="gcsched-slot-html", html="%s {text} gcsched-slot-boundary")
@example(text=".\r\n..\r\n.", html="From here\n")
@example(text="--=_", html=f"--{derive_boundary('j').decode()}--\r\n")
def test_both_parts_are_read_back_equal_by_both_parsers(text: str, html: str) -> None:
    content = a_mail(text=text, html=html)

    expected = [("plain", with_crlf(text)), ("html", with_crlf(html))]
    assert parse_parts(content) == expected
    assert parse_parts_otherwise(content) == expected


@quick
@given(subject=subjects, text=bodies, html=bodies)
def test_every_mail_is_lines_of_at_most_998_plain_octets(
    subject: str, text: str, html: str
) -> None:
    content = a_mail(subject=subject, text=text, html=html)

    lines = content.split(b"\r\n")
    assert content.endswith(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert content.isascii()
    assert b"\0" not in content


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        ("plain\n\ttext", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "base64"),
        ("Grüße", "base64"),
        ("bell\a", "base64"),
        (f"--{derive_boundary('j').decode()}", "base64"),
    ],
)
def test_a_body_is_7bit_where_that_is_allowed_and_base64_elsewhere(body: str, coding: str) -> None:
    text, html = parse_mail(a_mail(text=body)).iter_parts()

    assert text["content-transfer-encoding"] == coding
    assert html["content-transfer-encoding"] == "7bit"


def test_a_mail_has_its_parts_in_the_order_of_rfc_2046() -> None:
    message = parse_mail(a_mail())

    assert message.get_content_type() == "multipart/alternative"
    assert message["mime-version"] == "1.0"
    assert message["auto-submitted"] == "auto-generated"
    assert [kind for kind, _ in parse_parts(a_mail())] == ["plain", "html"]
    assert not message.defects


def test_a_control_character_is_refused_in_every_header() -> None:
    controls = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
    for value in (f"a{control}b@example.org" for control in controls):
        for encode in (format_message_id, encode_domain, partial(encode_unstructured, "Subject")):
            with pytest.raises(ValueError, match="control character"):
                encode(value)


@pytest.mark.parametrize(
    "address",
    [
        *("", "@", "a@", "@b", "ab", "a@b, c@d", "a b@c", "<a@b>", "a;b@c", "a@b@c", "a@[b] c"),
        *('"a@b', '"a"b"@c', '""@c', '"a"@', '"a\\"@c', '"a" <b@c>', "a@[127.0.0.1", "a@[x y]"),
    ],
)
def test_only_one_plain_address_is_an_address(address: str) -> None:
    with pytest.raises(ValueError, match="not one plain"):
        encode_domain(address)


@pytest.mark.parametrize("value", ["a b@c", "<a@b>", "é@b"])
def test_only_one_plain_id_is_a_message_id(value: str) -> None:
    with pytest.raises(ValueError, match="not one plain"):
        format_message_id(value)
