"""Addresses in foreign text, in each form that was seen or that a standard allows."""

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.domain.address_forms import mask_addresses, may_contain_address


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<ada@example.org>: unknown", "<(address)>: unknown"),
        ("try ada@example.org or bob@example.org", "try (address) or (address)"),
        ('"ada l"@example.org unknown', "(address) unknown"),
        (r"\"ada l\"@example.org unknown", r"\(address) unknown"),
        (r'"a\"da"@example.org unknown', "(address) unknown"),
        ("o'neill@example.org unknown", "(address) unknown"),
        ("'ada@example.org' unknown", "(address)' unknown"),
        ("ada(work)@example.org unknown", "(address) unknown"),
        ("ada@[192.0.2.1] unknown", "(address) unknown"),
        ("ada@[IPv6:2001:db8::1] unknown", "(address) unknown"),
        ("ada@bücher.example unknown", "(address) unknown"),
        ("ada@xn--bcher-kva.example unknown", "(address) unknown"),
        ("ада@почта.example unknown", "(address) unknown"),
        ("ada\uff20example.org unknown", "(address) unknown"),
        ("ada\ufe6bexample.org unknown", "(address) unknown"),
        ("<ada%40example.org> unknown", "<(address)> unknown"),
        ("ada%40example%2Eorg unknown", "(address) unknown"),
        ("ada=40example.org unknown", "(address) unknown"),
        ("ada+40example.org unknown", "(address) unknown"),
        ("ada&#64;example.org unknown", "(address) unknown"),
        ("ada&#x40;example.org unknown", "(address) unknown"),
        ("ada (at) example (dot) org unknown", "(address) unknown"),
        ("ada[AT]example.org unknown", "(address) unknown"),
        ("ada @ example.org unknown", "(address) unknown"),
        ("<ada at example.org> unknown", "<(address)> unknown"),
        ("user ada at example.org unknown", "user (address) unknown"),
        ("user at example.org unknown", "(address) unknown"),
        ("SRS0=Hsh=TT=example.com=ada@example.org unknown", "(address) unknown"),
        ("bounce-ada=example.com@example.org unknown", "(address) unknown"),
        ("ada%example.com@example.org unknown", "(address) unknown"),
        ("@one.example,@two.example:ada@example.org", "@one.example,@two.example:(address)"),
        ("/G=Ada/S=Lovelace/@example.org unknown", "(address) unknown"),
        ("x" * 300 + "@example.org unknown", "(address) unknown"),
        ("rfc822;ada@example.org", "rfc822;(address)"),
        ("cut off: ada@", "cut off: (address)"),
    ],
)
def test_an_address_is_found_in_every_form(text: str, left: str) -> None:
    assert mask_addresses(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 at RCPT: no such user",
        "refused at mx1.example.org",
        "MongoDB at mongo.example.org:27017 does not answer",
        "limit=4096 octets, 40 mails",
        "see https://example.org/?p=NoSuchUser",
        "5 mails @ 10/s",
        "",
    ],
)
def test_text_without_an_address_stays(text: str) -> None:
    assert mask_addresses(text) == text


ATOM = st.text(string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~", min_size=1)
NAME = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20)


@given(local=ATOM, domain=NAME, before=st.sampled_from(["", "<", "to: ", "(", ","]))
@settings(max_examples=300, deadline=None)
def test_every_local_part_of_rfc_5321_is_masked(local: str, domain: str, before: str) -> None:
    marked = f"{before}{local}qqq@{domain}.example rest"

    assert "qqq" not in mask_addresses(marked)


@pytest.mark.parametrize(
    "piece", ["a", "@", '"', '\\"', "=40", "%40a", " at ", "(", "[at]", "a(", "for ", "a@ ", "&#0"]
)
def test_a_search_takes_linear_time(piece: str) -> None:
    text = piece * (100_000 // len(piece)) + "@"
    begun = time.process_time()

    mask_addresses(text)

    # At most 0.2 s were measured; a quadratic search takes minutes.
    assert time.process_time() - begun < 3


def test_most_values_of_a_log_line_are_not_searched() -> None:
    assert not may_contain_address("0189f7a2c3b54d40a1d2e3f405162738")
    assert not may_contain_address("job sent")
