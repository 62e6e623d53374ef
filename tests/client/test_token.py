"""The token of a client: sent with each call, and read again when its file changes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gcsched.client import AsyncClient, CallFailed, Client, Unauthenticated
from gcsched.pb import task_pb2
from gcsched.rpc.access_gate import AccessGate
from gcsched.rpc.server import ServerLimits, serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.usecases.access.access_control import AccessControl
from tests.support.builders import NOW
from tests.support.clients import TestToken, client_toml
from tests.support.command import run_command
from tests.support.fake_scheduler import ACCEPTED
from tests.support.handlers import handlers_of
from tests.support.registry import registry_of

FIRST, SECOND = TestToken(id="first000"), TestToken(id="second00")
REQUEST: dict[str, Any] = {"empid": "E1", "email": "ada@example.org", "message": "Hi", "at": None}


class Scheduler:
    """Accepts everything from callers whom access control lets in."""

    def __getattr__(self, name: str) -> Any:
        if name not in {"ScheduleMeet", "ListTemplates"}:
            raise AttributeError(name)

        async def answer(*_: object) -> Any:
            return ACCEPTED if name == "ScheduleMeet" else task_pb2.ListTemplatesResponse()

        return answer


@pytest.fixture
async def target() -> AsyncIterator[str]:
    registry = registry_of(client_toml("a", ["schedule"], FIRST, SECOND))
    access = AccessControl(registry=registry, now=lambda: NOW)
    gate = AccessGate(access, on_call=lambda *_: None)
    serving = serve_grpc(
        SchedulerServicer(handlers_of(Scheduler())),
        listen="127.0.0.1:0",
        on_call=lambda *_: None,
        limits=ServerLimits(gate=gate),
    )
    async with serving as server:
        yield f"127.0.0.1:{server.port}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{FIRST.text}\n")
    return file


async def test_a_given_token_is_sent(target: str) -> None:
    async with AsyncClient(target, token=FIRST.text) as client:
        assert (await client.schedule_meet(**REQUEST)).job_id == "7"
    async with AsyncClient(target) as client:
        with pytest.raises(CallFailed) as caught:
            await client.schedule_meet(**REQUEST)

    assert (caught.value.code, caught.value.reason) == ("UNAUTHENTICATED", "UNAUTHENTICATED")
    assert "Bearer TOKEN" in str(caught.value)


async def test_a_file_is_read_again_when_it_changes(target: str, file: Path) -> None:
    async with AsyncClient(target, token_file=file) as client:
        await client.schedule_meet(**REQUEST)
        for wrong in ("gcs_nonsense", "x" * 62):
            replace(file, wrong)
            with pytest.raises(CallFailed):
                await client.schedule_meet(**REQUEST)
        replace(file, SECOND.text)
        await client.schedule_meet(**REQUEST)


async def test_target_and_token_may_come_from_the_environment(target: str, file: Path) -> None:
    named = {"GCSCHED_TARGET": target, "GCSCHED_TOKEN_FILE": str(file)}
    async with AsyncClient(environment=named) as client:
        await client.schedule_meet(**REQUEST)
    async with AsyncClient(environment=named, token=SECOND.text) as client:
        await client.schedule_meet(**REQUEST)
    async with AsyncClient(environment={"GCSCHED_TARGET": target}) as client:
        with pytest.raises(Unauthenticated):
            await client.schedule_meet(**REQUEST)


async def test_the_last_good_token_stays_while_the_file_is_away(target: str, file: Path) -> None:
    async with AsyncClient(target, token_file=str(file)) as client:
        replace(file, "two words")
        await client.schedule_meet(**REQUEST)
        remove(file)
        await client.schedule_meet(**REQUEST)


def replace(file: Path, text: str) -> None:
    new = file.with_name("new")
    new.write_text(text)
    new.replace(file)


def remove(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("text", ["", " ", "two words", "gcs_ä", "a\nb"])
def test_what_is_not_a_token_is_refused_without_showing_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(text)

    every: list[dict[str, Any]] = [{"token": text}, {"token_file": file}]
    for options in every:
        with pytest.raises(ValueError, match="is not a token: give one from") as caught:
            Client("127.0.0.1:9", **options)
        assert not text.strip() or text not in str(caught.value)


def test_a_missing_file_and_both_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="missing: No such file"):
        Client("127.0.0.1:9", token_file=tmp_path / "missing")
    with pytest.raises(ValueError, match="give one of them"):
        Client("127.0.0.1:9", token="a", token_file="b")
    wrong: dict[str, Any] = {"tokenfile": "x"}
    with pytest.raises(TypeError, match="did you mean 'token_file'"):
        Client("127.0.0.1:9", **wrong)


async def test_commands_take_a_file_with_a_token(
    target: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCSCHED_TARGET", target)
    without = await run_command("template", "list")
    given = await run_command("template", "list", "--token-file", str(file))
    monkeypatch.setenv("GCSCHED_TOKEN_FILE", str(file))
    by_variable = await run_command("template", "list")
    denied = await run_command("status")

    assert (without.code, given.code, by_variable.code) == (1, 0, 0)
    assert "the call has no token" in without.err
    assert denied.code == 1
    assert "needs the scope read or operate" in denied.err


async def test_a_file_that_cannot_be_used_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = await run_command("status", "--token-file", str(tmp_path / "no"))
    monkeypatch.setenv("GCSCHED_TOKEN_FILE", str(tmp_path))
    named = await run_command("status")

    assert given.code == named.code == 2
    assert given.err == f"--token-file: {tmp_path}/no: No such file or directory\n"
    assert named.err == f"GCSCHED_TOKEN_FILE: {tmp_path}: Is a directory\n"


async def test_health_needs_no_token(target: str) -> None:
    assert (await run_command("health", "--target", target)).code == 0
