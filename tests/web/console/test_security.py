"""Which hosts are ours, and which requests come from our own pages."""

import pytest

from gcsched.web.console.security import OwnAddresses, is_same_origin, split_host


def own(
    *,
    origin: str = "",
    listen: str = "127.0.0.1:8090",
    port: int = 8090,
    certificate: tuple[str, ...] | None = None,
) -> OwnAddresses:
    return OwnAddresses(
        origin=origin, listen=listen, port=port, certificate_hosts=lambda: certificate
    )


CERTIFICATE = ("gcsched.example.org", "*.ops.example.org", "192.0.2.7", "FD00:0:0:0:0:0:0:1")


@pytest.mark.parametrize(
    "host", ["localhost:8090", "127.0.0.1:8090", "[::1]:8090", "LOCALHOST:8090"]
)
def test_the_names_of_loopback_are_ours_with_the_port(host: str) -> None:
    assert own().is_own(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", ":8090", "localhost", "localhost:8091", "localhost:", "localhost:8090x", "[::1]"),
        *("evil.example.org:8090", "127.0.0.1.evil.example.org:8090", "localhost.:8090"),
        *("127.0.0.2:8090", "0.0.0.0:8090", "eva@localhost:8090", "localhost:8090:8090"),
        *("localhost:\u09668090", "localhost:+8090", "ops.example.org", "[::]:8090", "*:8090"),
    ],
)
def test_other_hosts_are_not(host: str) -> None:
    assert not own().is_own(host)
    assert not own(listen="0.0.0.0:8090").is_own(host)
    assert not own(listen="[::]:8090").is_own(host)


def test_the_address_on_which_it_listens_is_ours() -> None:
    assert own(listen="192.0.2.7:8090").is_own("192.0.2.7:8090")
    assert own(listen="[fd00::1]:8090").is_own("[fd00::1]:8090")
    assert own(listen="gcsched.internal:8090").is_own("gcsched.internal:8090")


def test_the_host_of_the_proxy_is_ours_and_the_prefix_is_no_part_of_it() -> None:
    behind = own(origin="https://ops.example.org/gcsched", listen="0.0.0.0:8090")

    assert behind.is_own("ops.example.org")
    assert behind.is_own("OPS.example.org")
    assert not behind.is_own("ops.example.org:8090")
    assert not behind.is_own("ops.example.org/gcsched")
    assert behind.is_own("localhost:8090")
    assert behind.origin_of("ops.example.org") == "https://ops.example.org"
    assert behind.origin_of("localhost:8090") == "http://localhost:8090"
    assert behind.is_encrypted("ops.example.org")
    assert not behind.is_encrypted("localhost:8090")


@pytest.mark.parametrize(
    "host",
    [
        *("gcsched.example.org:8090", "GCSCHED.example.org:8090", "a.ops.example.org:8090"),
        *("192.0.2.7:8090", "[fd00::1]:8090", "localhost:8090"),
    ],
)
def test_the_names_of_the_certificate_are_ours(host: str) -> None:
    served = own(listen="0.0.0.0:8090", certificate=CERTIFICATE)

    assert served.is_own(host)
    assert served.origin_of(host) == f"https://{host.lower()}"


@pytest.mark.parametrize(
    "host",
    [
        *("gcsched.example.org", "a.b.ops.example.org:8090", ".ops.example.org:8090"),
        *("ops.example.org:8090", "*.ops.example.org.evil:8090", "192.0.2.8:8090"),
    ],
)
def test_names_that_the_certificate_lacks_are_not(host: str) -> None:
    assert not own(listen="0.0.0.0:8090", certificate=CERTIFICATE).is_own(host)


def test_the_usual_port_needs_no_number() -> None:
    assert own(listen="0.0.0.0:443", port=443, certificate=CERTIFICATE).is_own(
        "gcsched.example.org"
    )
    assert own(port=80).is_own("localhost")
    assert split_host("[::1]", 80) == ("[::1]", 80)


@pytest.mark.parametrize(
    ("host", "is_trusted"),
    [("localhost:8090", True), ("[::1]:8090", True), ("192.0.2.7:8090", False)],
)
def test_browsers_trust_loopback_and_tls(host: str, *, is_trusted: bool) -> None:
    assert own(listen="192.0.2.7:8090").is_trustworthy(host) is is_trusted
    assert own(listen="192.0.2.7:8090", certificate=CERTIFICATE).is_trustworthy(host)


@pytest.mark.parametrize(
    ("sites", "origins", "has_cookie", "is_ours"),
    [
        (["same-origin"], [], True, True),
        (["same-origin"], ["null"], True, True),
        (["same-site"], ["https://a"], True, False),
        (["cross-site"], ["https://a"], False, False),
        (["none"], [], True, False),
        (["Same-Origin"], [], True, False),
        (["same-origin", "cross-site"], [], True, False),
        ([""], ["https://a"], True, False),
        ([], ["https://a"], True, True),
        ([], ["https://a"], False, True),
        ([], ["https://A"], True, False),
        ([], ["http://a"], True, False),
        ([], ["https://a:443"], True, False),
        ([], ["https://a.evil"], False, False),
        ([], ["null"], False, False),
        ([], ["https://a", "https://a"], True, False),
        ([], [], True, False),
        ([], [], False, True),
    ],
)
def test_a_change_comes_from_our_own_page_or_from_no_browser(
    sites: list[str], origins: list[str], *, has_cookie: bool, is_ours: bool
) -> None:
    found = is_same_origin(sites, origins, own_origin="https://a", has_cookie=has_cookie)

    assert found is is_ours
