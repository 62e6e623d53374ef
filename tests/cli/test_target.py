"""Where `--target` leads. Oracle: gRPC's naming document, and that nothing is asked at port 443."""

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
def test_a_target_without_a_port_has_ours(given: str, asked: str) -> None:
    assert add_default_port(given) == asked


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
        ("ipv6:%5B::1%5D:x", "has no valid port"),
        ("ipv6:%5B::1%5D:", "has no valid port"),
        ("http://host:6000", "is a URL; write host:port, e.g. host:6000"),
        ("https://host:6000/", "is a URL; write host:port, e.g. host:6000"),
        ("grpc://host/path", "is a URL; write host:port, e.g. 127.0.0.1:50051"),
    ],
)
def test_what_is_not_a_target_is_answered_with_what_to_write(given: str, words: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write host:port") as caught:
        add_default_port(given)

    assert words in str(caught.value)


async def test_a_variable_without_a_port_is_asked_at_ours() -> None:
    done = await run_gcsched("health", "--timeout=0.5", GCSCHED_TARGET="127.0.0.9")

    assert done.stderr.startswith("127.0.0.9:50051 is unavailable: ")


async def test_a_wrong_target_asks_nothing() -> None:
    done = await run_command("job", "list", "--target", f"http://127.0.0.1:{free_port()}")

    assert done.code == 2
    assert "is a URL" in done.err


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        ("GCSCHED_TARGET", "http://localhost:50051", "is a URL; write host:port, e.g. localhost:5"),
        ("GCSCHED_TARGET", "a host", "is not an address; write host:port"),
        ("GCSCHED_TARGET", "host:x", "has no valid port; write host:port"),
        ("GCSCHED_GRPC_LISTEN", "bogus", "has no host; write host:port"),
        ("GCSCHED_GRPC_LISTEN", "0.0.0.0:x", "has no valid port; write host:port"),
        ("GCSCHED_GRPC_LISTEN", "[::]:0", "has no valid port; write host:port"),
    ],
)
@pytest.mark.parametrize("arguments", [["health"], ["job", "count"]])
async def test_a_variable_that_is_wrong_is_named_with_its_value(
    name: str, said: str, words: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, said)
    done = await run_command(*arguments)
    as_json = await run_command(*arguments, "--json")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"{name}: {said!r} {words}")
    assert json.loads(as_json.err)["error"]["message"] == done.err.rstrip("\n")


async def test_a_variable_that_is_wrong_does_not_matter_beside_the_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GCSCHED_TARGET", "http://localhost")
    async with fake_scheduler(CountJobs=task_pb2.CountJobsResponse(count=7)) as service:
        done = await run_command("job", "count", "--target", service.target)

    assert (done.code, done.out) == (0, "7\n")


@pytest.mark.parametrize("given", ["ipv4:host:1", "ipv6:[zz]:1", "dns://authority"])
@pytest.mark.parametrize("arguments", [["health"], ["job", "count"]])
async def test_a_target_that_grpc_cannot_read_is_wrong_usage(
    given: str, arguments: list[str]
) -> None:
    done = await run_command(*arguments, "--target", given)

    assert done.code == 2
    assert "the target uri is not valid" in done.err
    assert "Write host:port, e.g. 127.0.0.1:50051" in done.err


@pytest.mark.parametrize(
    "form", ["ipv4:127.0.0.1:{}", "ipv4:127.0.0.1%3A{}", "dns:///127.0.0.1:{}"]
)
async def test_a_form_of_grpcs_reaches_the_service(form: str) -> None:
    async with fake_scheduler(CountJobs=task_pb2.CountJobsResponse(count=7)) as service:
        place = form.format(service.target.rpartition(":")[2])
        done = await run_command("job", "count", "--target", place)

    assert (done.code, done.out) == (0, "7\n"), done.err
