"""Which targets are called without a proxy; tests/cli tries a real proxy."""

from ipaddress import IPv4Address

import pytest

from gcsched.proxies import DIRECT, callable_host, proxy_options

LOCAL_TARGETS = [
    "127.0.0.1:50051",
    "127.8.9.10:50051",
    "127.1:50051",
    "[::1]:50051",
    "[::ffff:127.0.0.1]:50051",
    "0.0.0.0:50051",
    "[::]:50051",
    "localhost:50051",
    "LOCALHOST:50051",
    "localhost.:50051",
    "localhost",
    "gcsched.localhost:50051",
    "ip6-localhost:50051",
    "ip6-loopback:50051",
    "localhost4:50051",
    "localhost4.localdomain4:50051",
    "localhost6.localdomain6:50051",
    "127.0.0.1%lo:50051",
    "[::1%lo]:50051",
    "ipv6:%5B::1%5D",
    "ipv6:%5B::1%5D:50051",
    "dns:///%5B::1%5D:50051",
    "dns:localhost:50051",
    "dns:///localhost:50051",
    "dns://8.8.8.8/localhost:50051",
    "ipv4:127.0.0.1:50051",
    "ipv4:127.0.0.1:50051,127.0.0.2:50051",
    "ipv6:[::1]:50051",
    "unix:/run/gcsched.sock",
    "unix:///run/gcsched.sock",
    "unix-abstract:gcsched",
    "vsock:2:50051",
]
REMOTE_TARGETS = [
    "gcsched.example.org:50051",
    "10.0.0.7:50051",
    "[2001:db8::1]:50051",
    "localhost.example.org:50051",
    "notlocalhost:50051",
    "dns:///gcsched.example.org:50051",
    "ipv4:10.0.0.7:50051",
    "128.0.0.1:50051",
]


@pytest.mark.parametrize("target", LOCAL_TARGETS)
def test_this_machine_is_never_called_through_a_proxy(target: str) -> None:
    assert proxy_options(target, {}) == DIRECT


@pytest.mark.parametrize(
    ("listen", "target"),
    [
        ("gcsched.internal:6000", "gcsched.internal:6000"),
        ("10.0.0.7:6000", "10.0.0.7:6000"),
        ("[fd00::7]:6000", "[fd00::7]:6000"),
        ("unix:/run/gcsched.sock", "unix:/run/gcsched.sock"),
    ],
)
def test_the_address_of_the_service_in_this_environment_is_local(listen: str, target: str) -> None:
    environ = {"GCSCHED_GRPC_LISTEN": listen}

    assert proxy_options(target, environ) == DIRECT
    assert proxy_options("gcsched.example.org:50051", environ) == []


@pytest.mark.parametrize("target", REMOTE_TARGETS)
def test_grpc_decides_about_a_remote_target(target: str) -> None:
    assert proxy_options(target, {}) == []
    assert proxy_options(target, {"no_proxy": "other.example.net,192.168.0.0/16"}) == []


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY", "no_grpc_proxy"])
@pytest.mark.parametrize(
    ("entry", "target"),
    [
        ("*", "gcsched.example.org:50051"),
        ("gcsched.example.org", "gcsched.example.org:50051"),
        ("GCSCHED.example.ORG", "gcsched.Example.org:50051"),
        ("example.org", "gcsched.example.org:50051"),
        (".example.org", "gcsched.example.org:50051"),
        ("*.example.org", "gcsched.example.org:50051"),
        ("gcsched.example.org:50051", "gcsched.example.org:50051"),
        ("gcsched.example.org.", "dns:///gcsched.example.org:50051"),
        ("10.0.0.7", "10.0.0.7:50051"),
        ("10.0.0.0/8", "10.0.0.7:50051"),
        ("10.0.0.7:50051", "ipv4:10.0.0.7:50051"),
        ("2001:db8::1", "[2001:db8::1]:50051"),
        ("[2001:db8:0::1]", "[2001:db8::1]:50051"),
        ("2001:db8::/32", "[2001:db8::1]:50051"),
        (" other.example.net , example.org ", "gcsched.example.org:50051"),
    ],
)
def test_a_target_in_no_proxy_is_never_called_through_a_proxy(
    name: str, entry: str, target: str
) -> None:
    assert proxy_options(target, {name: entry}) == DIRECT


@pytest.mark.parametrize(
    "entry",
    [
        "",
        ",",
        "*.",
        "ample.org",
        "gcsched.example.org:443",
        "10.0.0.0/8",
        "nonsense/9",
        "10.0.0.7/x",
    ],
)
def test_grpc_decides_about_a_target_that_is_not_in_no_proxy(entry: str) -> None:
    assert proxy_options("gcsched.example.org:50051", {"no_proxy": entry}) == []


def test_the_variable_for_grpc_has_priority_over_the_general_one() -> None:
    environ = {"no_grpc_proxy": "other.example.net", "no_proxy": "example.org"}

    assert proxy_options("gcsched.example.org:50051", environ) == []


@pytest.mark.parametrize(
    ("listens_on", "called_at"),
    [
        (str(IPv4Address(0)), "127.0.0.1"),
        ("[::]", "[::1]"),
        ("::", "[::1]"),
        ("[::ffff:0.0.0.0]", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("192.0.2.7", "192.0.2.7"),
        ("gcsched.example.org", "gcsched.example.org"),
    ],
)
def test_a_service_on_every_address_is_called_on_loopback(listens_on: str, called_at: str) -> None:
    assert callable_host(listens_on) == called_at
