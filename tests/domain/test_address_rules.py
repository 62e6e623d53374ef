"""What GCSCHED_INTERNAL_DOMAINS allows, entry by entry."""

import pytest

from gcsched.domain.address import parse_address
from gcsched.domain.address_rules import AddressRules
from tests.support.checks import read_or_violation


def find_allowed(text: str, *domains: str) -> list[str]:
    rules = AddressRules.parse(text)
    each_found = [
        read_or_violation(parse_address(f"ada@{domain}", rules=rules)) for domain in domains
    ]
    return [each.removeprefix("ada@") for each in each_found if isinstance(each, str)]


@pytest.mark.parametrize(
    ("text", "domains", "expected"),
    [
        (
            "corp.local",
            ["corp.local", "a.b.corp.local", "CORP.local", "xcorp.local", "local", "x.local"],
            ["corp.local", "a.b.corp.local", "corp.local"],
        ),
        (".corp.local", ["corp.local", "a.b.corp.local"], ["a.b.corp.local"]),
        ("*.local", ["local", "corp.local", "a.corp.local"], ["corp.local", "a.corp.local"]),
        ("Local", ["local", "corp.local", "localhost"], ["local", "corp.local"]),
        ("localhost, mailhost", ["localhost", "mailhost", "host"], ["localhost", "mailhost"]),
        ("home.arpa", ["printer.home.arpa", "1.in-addr.arpa"], ["printer.home.arpa"]),
        (
            "bücher.local",
            ["xn--bcher-kva.local", "x.bücher.local"],
            ["bücher.local", "x.bücher.local"],
        ),
        ("[192.0.2.1]", ["[192.0.2.1]", "[192.0.2.2]"], ["[192.0.2.1]"]),
        ("[10.0.0.0/8]", ["[10.1.2.3]", "[11.0.0.1]", "[IPv6:::1]"], ["[10.1.2.3]"]),
        ("[IPv6:FD00::/8]", ["[IPv6:fd00::1]", "[IPv6:fe80::1]"], ["[IPv6:fd00::1]"]),
        ("[IPv6:2001:db8::1]", ["[IPv6:2001:DB8:0::1]"], ["[IPv6:2001:db8::1]"]),
        (
            "*",
            ["local", "a.onion", "mailhost", "[10.0.0.1]"],
            ["local", "a.onion", "mailhost", "[10.0.0.1]"],
        ),
        ("example.org", ["example.org", "example.net", "mailhost"], ["example.org", "example.net"]),
    ],
)
def test_an_entry_allows_the_domains_it_names(
    text: str, domains: list[str], expected: list[str]
) -> None:
    assert find_allowed(text, *domains) == expected


@pytest.mark.parametrize(
    "entry",
    [
        *(
            "",
            "*corp.local",
            "**",
            "*.",
            ".",
            "..local",
            "corp..local",
            "corp.local.",
            "a b",
            "@x.local",
        ),
        *("ada@corp.local", "192.0.2.1", "10.0.0.0/8", "[192.0.2.1", "[10.0.0.1/8]", "[300.1.1.1]"),
        *("[2001:db8::1]", "[IPv6:10.0.0.1]", "[]", "[IPv6:]", ".[192.0.2.1]", "corp_x.local"),
    ],
)
def test_an_invalid_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a") as caught:
        AddressRules.parse(f"localhost,{entry}")

    assert repr(entry) in str(caught.value)
