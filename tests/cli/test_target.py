"""The addresses of `--target`. Oracle: gRPC Name Resolution, and no call to port 443."""

import json
from argparse import ArgumentTypeError

import pytest

from gcsched.cli.target import add_default_port
from gcsched.pb import task_pb2
from tests.support.command import run_command, run_gcsched
from tests.support.fake_scheduler import fake_scheduler
from tests.support.ports import free_port

TWO_ADDRESSES = "ipv6:%5bfd00::7%5d:6000,%5bfd00::8%5d:6000"


@pytest.mark.parametrize(
    ("given", "expected"),
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
        ("ipv6:%5B::1%5D:6000", "ipv6:%5B::1%5D:6000"),
        ("ipv6:%5B::1%5D", "ipv6:%5B::1%5D:50051"),
        ("ipv6:%5Bfe80::1%25eth0%5D:6000", "ipv6:%5Bfe80::1%25eth0%5D:6000"),
        ("ipv6:[fd00::7]%2C[fd00::8]%3A6000", "ipv6:[fd00::7]:50051,[fd00::8]%3A6000"),
        ("ipv6:%5bfd00::7%5d:6000%2c%5bfd00::8%5d:6000", TWO_ADDRESSES),
        ("ipv6:%3A%3A1", "ipv6:[%3A%3A1]:50051"),
        ("%5B::1%5D:6000", "%5B::1%5D:6000"),
        ("unix:/run/gcsched.sock", "unix:/run/gcsched.sock"),
        ("unix:gcsched.sock", "unix:gcsched.sock"),
        ("unix:///run/gcsched.sock", "unix:///run/gcsched.sock"),
        ("unix-abstract:gcsched", "unix-abstract:gcsched"),
    ],
)
def test_a_target_without_a_port_gets_the_default_port(given: str, expected: str) -> None:
    assert add_default_port(given) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "invalid address"),
        ("a host", "invalid address"),
        (":50051", "has no host"),
        ("dns:///", "has no host"),
        ("dns:///:6000", "has no host"),
        ("host:", "has no valid port"),
        ("host:grpc", "has no valid port"),
        ("host:0", "has no valid port"),
        ("host:65536", "has no valid port"),
        ("[::1]:x", "has no valid port"),
        ("[::1]6000", "has no host"),
        ("ipv6:%5B::1%5D:x", "has no valid port"),
        ("ipv6:%5B::1%5D:", "has no valid port"),
        ("http://host:6000", "is a URL: write host:port, e.g. host:6000"),
        ("https://host:6000/", "is a URL: write host:port, e.g. host:6000"),
        ("grpc://host/path", "is a URL: write host:port, e.g. 127.0.0.1:50051"),
    ],
)
def test_the_error_for_an_invalid_target_says_what_to_write(given: str, words: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write host:port") as caught:
        add_default_port(given)

    assert words in str(caught.value)


async def test_a_variable_without_a_port_gets_the_default_port() -> None:
    done = await run_gcsched("health", "--timeout=0.5", GCSCHED_TARGET="127.0.0.9")

    assert done.stderr.startswith("127.0.0.9:50051 is unavailable: ")


async def test_an_invalid_target_makes_no_call() -> None:
    done = await run_command("job", "list", "--target", f"http://127.0.0.1:{free_port()}")

    assert done.code == 2
    assert "is a URL" in done.err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "GCSCHED_TARGET",
            "http://localhost:50051",
            ", which is a URL: write host:port, e.g. localhost:5",
        ),
        ("GCSCHED_TARGET", "a host", ": write host:port"),
        ("GCSCHED_TARGET", "host:x", ", which has no valid port: write host:port"),
        ("GCSCHED_GRPC_LISTEN", "bogus", ", which has no host: write host:port"),
        ("GCSCHED_GRPC_LISTEN", "0.0.0.0:x", ", which has no valid port: write host:port"),
        ("GCSCHED_GRPC_LISTEN", "[::]:0", ", which has no valid port: write host:port"),
    ],
)
@pytest.mark.parametrize("arguments", [["health"], ["job", "count"]])
async def test_an_invalid_variable_is_named_with_its_value(
    name: str, value: str, words: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    done = await run_command(*arguments)
    as_json = await run_command(*arguments, "--json")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"{name}: invalid address {value!r}{words}")
    assert json.loads(as_json.err)["error"]["message"] == done.err.rstrip("\n")


async def test_an_invalid_variable_is_ignored_beside_the_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GCSCHED_TARGET", "http://localhost")
    async with fake_scheduler(CountJobs=task_pb2.CountJobsResponse(count=7)) as service:
        done = await run_command("job", "count", "--target", service.target)

    assert (done.code, done.out) == (0, "7\n")


@pytest.mark.parametrize("given", ["ipv4:host:1", "ipv6:[zz]:1", "dns://authority"])
@pytest.mark.parametrize("arguments", [["health"], ["job", "count"]])
async def test_a_target_that_grpc_cannot_parse_is_wrong_usage(
    given: str, arguments: list[str]
) -> None:
    done = await run_command(*arguments, "--target", given)

    assert done.code == 2
    assert "the target uri is not valid" in done.err
    assert "Write host:port, e.g. 127.0.0.1:50051" in done.err


@pytest.mark.parametrize(
    "form", ["ipv4:127.0.0.1:{}", "ipv4:127.0.0.1%3A{}", "dns:///127.0.0.1:{}"]
)
async def test_a_grpc_name_reaches_the_service(form: str) -> None:
    async with fake_scheduler(CountJobs=task_pb2.CountJobsResponse(count=7)) as service:
        address = form.format(service.target.rpartition(":")[2])
        done = await run_command("job", "count", "--target", address)

    assert (done.code, done.out) == (0, "7\n"), done.err
