"""Where `--target` leads. Oracle: gRPC's naming document, and that nothing is asked at port 443."""

from argparse import ArgumentTypeError

import pytest

from gcsched.cli.target import with_port
from tests.ports import free_port
from tests.program import command, gcsched


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("gcsched", "gcsched:50051"),
        ("gcsched.internal.", "gcsched.internal.:50051"),
        ("gcsched:6000", "gcsched:6000"),
        ("10.0.0.1", "10.0.0.1:50051"),
        ("[fd00::7]", "[fd00::7]:50051"),
        ("[fd00::7]:6000", "[fd00::7]:6000"),
        ("fd00::7", "[fd00::7]:50051"),
        ("::1", "[::1]:50051"),
        ("fe80::1%eth0", "[fe80::1%eth0]:50051"),
        ("dns:gcsched", "dns:gcsched:50051"),
        ("dns:///gcsched", "dns:///gcsched:50051"),
        ("dns:///gcsched:6000", "dns:///gcsched:6000"),
        ("dns:///[::1]", "dns:///[::1]:50051"),
        ("DNS:///gcsched", "DNS:///gcsched:50051"),
        ("dns://10.0.0.53/gcsched", "dns://10.0.0.53/gcsched:50051"),
        ("ipv4:10.0.0.1,10.0.0.2:6000", "ipv4:10.0.0.1:50051,10.0.0.2:6000"),
        ("ipv6:[fd00::7],[fd00::8]:6000", "ipv6:[fd00::7]:50051,[fd00::8]:6000"),
        ("unix:/run/gcsched.sock", "unix:/run/gcsched.sock"),
        ("unix:gcsched.sock", "unix:gcsched.sock"),
        ("unix:///run/gcsched.sock", "unix:///run/gcsched.sock"),
        ("unix-abstract:gcsched", "unix-abstract:gcsched"),
    ],
)
def test_a_target_without_a_port_has_ours(given: str, asked: str) -> None:
    assert with_port(given) == asked


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "is not an address"),
        ("a host", "is not an address"),
        (":50051", "has no host"),
        ("dns:///", "has no host"),
        ("dns:///:6000", "has no host"),
        ("host:", "has no valid port"),
        ("host:grpc", "has no valid port"),
        ("host:0", "has no valid port"),
        ("host:65536", "has no valid port"),
        ("[::1]:x", "has no valid port"),
        ("[::1]6000", "has no host"),
        ("http://host:6000", "is a URL; write host:port, e.g. host:6000"),
        ("https://host:6000/", "is a URL; write host:port, e.g. host:6000"),
        ("grpc://host/path", "is a URL; write host:port, e.g. 127.0.0.1:50051"),
    ],
)
def test_what_is_not_a_target_is_answered_with_what_to_write(given: str, words: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write host:port") as caught:
        with_port(given)

    assert words in str(caught.value)


async def test_a_variable_without_a_port_is_asked_at_ours() -> None:
    done = await gcsched("health", "--timeout=0.5", GCSCHED_TARGET="127.0.0.9")

    assert done.stderr.startswith("127.0.0.9:50051 UNAVAILABLE: ")


async def test_a_wrong_target_asks_nothing() -> None:
    done = await command("job", "list", "--target", f"http://127.0.0.1:{free_port()}")

    assert done.code == 2
    assert "is a URL" in done.err
