"""The short check of plain requests; its oracle is the full check of every rule."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gcsched.domain.access import ANYONE
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import require_valid
from gcsched.domain.job import Priority
from gcsched.domain.request import RequestContext, is_plain, read_request
from gcsched.domain.senders import Senders
from tests.support.builders import DOC_ONLY, NOON, NOW, a_request

TEN_YEARS = NOON + 3653 * 86_400
CONTEXT = RequestContext(
    templates={"doc": (), "interview": ("room",)},
    reserved_names=DOC_ONLY.reserved_names,
    daily_plan=DOC_ONLY.daily_plan,
    address_rules=AddressRules.parse("corp.local"),
    senders=Senders(default="no-reply@example.org", others=("hr@example.org",)),
)
TEXTS = st.one_of(
    st.text("aZ 0-é\u00a0\u200d\u2028\x00\n\ufffd", max_size=6),
    st.sampled_from(["E1", "a" * 128, "a" * 129, "a" * 256, "a" * 257, "a" * 998, "a" * 999]),
)
EMAILS = st.sampled_from(
    [
        *("ada@example.org", "Ada+1@mail.example.org", "a@corp.local", "a@other.local", "a@b"),
        *("ada@EXAMPLE.org", "POSTMASTER@example.org", "zoë@example.org", "a@bücher.example"),
        *("", "ada", "ada@", "@example.org", "a b@example.org", " ada@example.org", "a..b@c.de"),
        *("a" * 64 + "@example.org", "a" * 65 + "@example.org", "a@" + "b." * 130 + "de"),
        *('"a b"@example.org', "a@[192.0.2.1]", "ada\u200b@example.org", "ada@example.org\n"),
    ]
)
MAPS = st.sampled_from([{}, {"room": "1"}, {"username": "x"}])
SECONDS = st.one_of(
    st.sampled_from([0, -1, NOON, TEN_YEARS, TEN_YEARS + 1, NOON * 1000, 2**63 - 1]),
    st.integers(-(2**63), 2**63 - 1),
)
ODDITIES = {
    **dict.fromkeys(("empid", "message", "name"), TEXTS),
    "email": EMAILS,
    **dict.fromkeys(("timestamp", "not_after"), SECONDS),
    "request_id": st.sampled_from(["", "R1", "R\n"]),
    "template": st.sampled_from(["doc", "interview", "none"]),
    **dict.fromkeys(("variables", "labels"), MAPS),
    "reply_to": st.sampled_from(["", "hr@example.org", "hr@EXAMPLE.org", "hr"]),
    "priority": st.sampled_from([*Priority, None]),
    "sender": st.sampled_from(["", "no-reply@example.org", "hr@example.org", "hr"]),
}


@settings(max_examples=300)
@example({"message": " Stand-up"})
@example({"email": "ada@EXAMPLE.org"})
@example({"template": "interview"})
@example({"timestamp": TEN_YEARS + 1})
@given(st.fixed_dictionaries({}, optional=ODDITIES))
def test_a_plain_request_breaks_no_rule_and_stays_as_it_is(fields: dict[str, Any]) -> None:
    request = a_request(**fields)

    if is_plain(request, NOW, CONTEXT):
        assert require_valid(read_request(request, NOW, CONTEXT, ANYONE)) is request


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"empid": "EMP0000123", "name": "Ada Lovelace", "message": "Chat, number 12 (of 20)"},
        {"email": "Ada+1@mail.example.org"},
        {"email": "ada@corp.local"},
        {"timestamp": 0},
        {"timestamp": TEN_YEARS},
        {"priority": Priority.URGENT},
    ],
)
def test_usual_requests_are_plain(fields: dict[str, Any]) -> None:
    assert is_plain(a_request(**fields), NOW, CONTEXT)
