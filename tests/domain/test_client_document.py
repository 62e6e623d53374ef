"""The clients file: what it describes, and each problem with its line."""

import tomllib
from datetime import UTC, datetime

import pytest

from gcsched.domain.access import ClientLimits, Scope
from gcsched.domain.client_document import InvalidClients, read_registry
from gcsched.domain.client_registry import find_expiries
from gcsched.domain.toml_lines import find_lines, line_of
from tests.support.clients import TestToken, client_toml
from tests.support.registry import registry_of

DIGEST = "0f" * 32
GOOD = f"""\
[clients.payroll]
scopes = ["schedule", "steer"]
identities = ["spiffe://prod/payroll", "dns:Payroll.internal", "cn:Payroll"]
note = "the payroll backend"
limits = {{ calls_per_second = 50, burst = 100, jobs_per_day = 10000, jobs_waiting = 5000, \
recipient_domains = ["Example.org"], templates = ["doc"], \
senders = ["Payroll@Example.org", "news@xn--bcher-kva.example"] }}

[[clients.payroll.tokens]]
id = "k3v9x2ab"
sha256 = "{DIGEST}"
created = 2026-11-30T12:00:00Z
expires = 2027-11-30T13:00:00+01:00

[[clients.payroll.tokens]]
id = "aaaaaaaa"
sha256 = "{DIGEST.upper()}"
revoked = 2026-12-01T00:00:00Z

[clients."a.b"]
scopes = ["read"]
"""


def problems_of(text: str) -> list[tuple[int, str]]:
    with pytest.raises(InvalidClients) as caught:
        read_registry(tomllib.loads(text))
    lines = find_lines(text)
    return [(line_of(lines, each.path), each.text) for each in caught.value.problems]


def test_a_file_describes_clients_with_all_their_properties() -> None:
    registry = registry_of(GOOD)

    payroll = registry.clients["payroll"]
    assert list(registry.clients) == ["payroll", "a.b"]
    assert payroll.scopes == {Scope.SCHEDULE, Scope.STEER}
    assert payroll.note == "the payroll backend"
    assert payroll.limits == ClientLimits(
        calls_per_second=50.0,
        burst=100,
        jobs_per_day=10_000,
        jobs_waiting=5_000,
        recipient_domains=("example.org",),
        templates=("doc",),
        senders=("payroll@example.org", "news@bücher.example"),
    )
    first, second = payroll.tokens
    assert (first.id, first.digest) == ("k3v9x2ab", bytes.fromhex(DIGEST))
    assert first.expire_time == datetime(2027, 11, 30, 12, tzinfo=UTC)
    assert second.revoke_time == datetime(2026, 12, 1, tzinfo=UTC)
    assert registry.tokens["aaaaaaaa"] == (payroll, second)


def test_a_client_is_found_by_any_identity_of_its_certificates() -> None:
    registry = registry_of(GOOD, client_toml("other", ["read"], lines=['identities = ["cn:x"]']))

    for identity in ("spiffe://prod/payroll", "dns:payroll.internal", "cn:Payroll"):
        found = registry.find_by_identities(["dns:unknown", identity])
        assert found is registry.clients["payroll"]
    assert registry.find_by_identities(["cn:payroll", "payroll"]) is None
    assert registry.find_by_identities(["cn:Payroll", "cn:x"]) is None, "it names two clients"


def test_a_client_ends_with_the_last_of_its_tokens() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ending = [
        TestToken(id=f"aaaa{year}", lines=(f"expires = {year}-01-01T00:00:00Z",))
        for year in (2025, 2027, 2028)
    ]
    revoked = TestToken(id="bbbb0000", lines=("revoked = 2025-01-01T00:00:00Z",))
    endless = TestToken(id="cccc0000")
    registry = registry_of(
        client_toml("ending", ["read"], *ending, revoked),
        client_toml("endless", ["read"], endless),
        client_toml("without", ["read"]),
    )

    assert find_expiries(registry, now=now) == {"ending": datetime(2028, 1, 1, tzinfo=UTC)}


BAD = """\
versoin = 1
[clients.payroll]
scops = ["schedule"]
note = 5
limits = { calls_per_second = "x", burst = 0, recipient_domains = ["a b"], jobs_per_day = true }
identities = ["payroll", "dns:a"]
[[clients.payroll.tokens]]
id = "K3"
sha256 = "0f0f"
created = 2026-11-30T12:00:00
[[clients.payroll.tokens]]
id = "aaaaaaaa"
sha256 = "DIGEST"
created = 2026-11-30T12:00:00Z
expires = 2026-11-30T12:00:00Z
expired = "2027"
[clients.Second]
scopes = ["reed", "erase", "steer", "nonsense"]
[[clients.Second.tokens]]
id = "aaaaaaaa"
[clients.third]
scopes = []
limits = { burst = 3 }
identities = ["dns:a", "dns:a"]
tokens = "gcs_"
""".replace("DIGEST", DIGEST)
EXPECTED = [
    (1, 'unknown key "versoin"'),
    (3, 'unknown key "scops": did you mean scopes?'),
    (2, 'client "payroll" has no scopes'),
    (4, "note is not a text"),
    (5, "calls_per_second is not a number"),
    (5, "burst is not a whole number from 1"),
    (5, "jobs_per_day is not a whole number"),
    (5, 'recipient_domains has "a b", which is not a domain'),
    (6, 'identities has "payroll", which is not an identity: write spiffe://…, dns:… or cn:…'),
    (8, "id is not the id of a token"),
    (9, "sha256 is not a SHA-256 digest: 64 hexadecimal digits"),
    (10, "created has no time zone"),
    (15, "expires is not after created"),
    (16, 'unknown key "expired": did you mean expires?'),
    (17, 'invalid name "Second"'),
    (18, 'has "reed", which is not a scope: did you mean read?; has "nonsense", which is not a'),
    (20, "token id aaaaaaaa is that of another token, of client payroll"),
    (19, 'token 1 of client "Second" has no sha256'),
    (22, "scopes is empty: name at least one of schedule, read,"),
    (23, "burst is given without calls_per_second"),
    (24, "identities names one twice"),
    (25, "tokens is not an array of tables"),
]


def test_all_problems_are_reported_at_once_each_with_its_line() -> None:
    found = problems_of(BAD)

    for line, text in EXPECTED:
        assert any(line == at and text in problem for at, problem in found), (line, text, found)
    assert len(found) == len(EXPECTED)


def test_an_identity_belongs_to_one_client() -> None:
    text = "\n".join(
        client_toml(name, ["read"], lines=[f'identities = ["{identity}"]'])
        for name, identity in (("a", "dns:one"), ("b", "dns:ONE"), ("c", "cn:one"))
    )

    [(line, problem)] = problems_of(text)

    assert text.split("\n")[line - 1] == 'identities = ["dns:ONE"]'
    assert 'identity "dns:one" belongs to client a already' in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file has no clients"),
        ("clients = 5", "clients is not a table"),
        ("[clients]", "names no client"),
        ("[clients]\na = 5", 'client "a" is not a table'),
    ],
)
def test_a_file_without_clients_is_refused(text: str, problem: str) -> None:
    assert any(problem in found for _, found in problems_of(text))


def test_lines_are_found_whatever_the_spelling_of_tables_and_keys() -> None:
    text = """\
# [clients.no]
[ clients . "a.b" ]  # a comment
'note' = "x"
clients.inner.note = \'\'\'
[clients.not]
\'\'\'
[[clients.c.tokens]]
[[clients.c.tokens]]
id = "x"
"""
    lines = find_lines(text)

    assert lines[("clients", "a.b")] == 2
    assert lines[("clients", "a.b", "note")] == 3
    assert lines[("clients", "a.b", "clients", "inner", "note")] == 4
    assert lines[("clients", "c", "tokens")] == 7
    assert lines[("clients", "c", "tokens", 1, "id")] == 9
    assert line_of(lines, ("clients", "c", "tokens", 1, "sha256")) == 8
    assert line_of(lines, ("unknown",)) == 1
    assert ("clients", "no") not in lines
