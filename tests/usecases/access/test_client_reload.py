"""A changed file is taken; a broken one changes nothing and is logged once."""

import asyncio
from datetime import timedelta

import pytest

from gcsched.domain.client_registry import ClientRegistry
from gcsched.errors import SettingsProblems
from gcsched.usecases.access import client_reload
from gcsched.usecases.access.access_control import AccessControl
from gcsched.usecases.access.client_reload import ClientReload
from tests.support.background import in_background
from tests.support.builders import NOW
from tests.support.clients import client_toml
from tests.support.log_events import Events
from tests.support.registry import registry_of
from tests.support.wait import until

ONE = registry_of(client_toml("one", ["read"]))
TWO = registry_of(client_toml("one", ["read"]), client_toml("two", ["read"]))


class FakeFile:
    """A file whose content a test sets: clients, or what is wrong; it can hang."""

    content: ClientRegistry | str = ONE

    def __init__(self) -> None:
        self.reads = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def read(self) -> ClientRegistry:
        self.reads += 1
        await self.answers.wait()
        if isinstance(self.content, str):
            raise SettingsProblems(self.content.split("\n"))
        return self.content


@pytest.fixture
def file() -> FakeFile:
    return FakeFile()


@pytest.fixture
def reload(file: FakeFile) -> ClientReload:
    access = AccessControl(registry=ONE, now=lambda: NOW)
    return ClientReload(source=file, access=access)


async def test_each_new_version_of_the_clients_is_passed_on_once(file: FakeFile) -> None:
    seen = list[ClientRegistry]()
    access = AccessControl(registry=ONE, now=lambda: NOW)
    reload = ClientReload(source=file, access=access, on_clients=seen.append)

    for content in (ONE, TWO, TWO, "broken", TWO, ONE):
        file.content = content
        await reload.reload()

    assert seen == [TWO, ONE]


async def test_a_changed_file_is_taken_and_logged_once(
    file: FakeFile, reload: ClientReload, events: Events
) -> None:
    await reload.reload()
    assert events == []

    file.content = TWO
    await reload.reload()
    await reload.reload()

    assert reload.access.registry is TWO
    assert [(each["event"], each["clients"], each["tokens"]) for each in events] == [
        ("clients file read", 2, 0)
    ]


async def test_a_broken_file_keeps_the_clients_and_is_logged_once_for_each_problem(
    file: FakeFile, reload: ClientReload, events: Events
) -> None:
    for content in ("line 1: wrong\nline 2: wrong", "line 3: wrong"):
        file.content = content
        for _ in range(5):
            await reload.reload()
        assert reload.problem == content.replace("\n", "; ")
        assert reload.access.registry is ONE

    assert [(each["event"], each["error"]) for each in events] == [
        ("clients file unusable", "line 1: wrong; line 2: wrong"),
        ("clients file unusable", "line 3: wrong"),
    ]

    file.content = TWO
    await reload.reload()

    assert reload.problem is None
    assert reload.access.registry is TWO
    assert [each["event"] for each in events[2:]] == [
        "clients file usable again",
        "clients file read",
    ]


async def test_a_file_that_hangs_is_a_problem_and_is_read_once_only(
    file: FakeFile, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_reload, "READ_WITHIN", timedelta(milliseconds=10))
    reload = ClientReload(source=file, access=AccessControl(registry=ONE, now=lambda: NOW))
    file.answers.clear()
    for _ in range(3):
        await reload.reload()

    assert (reload.problem, file.reads) == (client_reload.HANGS, 1)
    assert reload.access.registry is ONE
    assert [each["event"] for each in events] == ["clients file unusable"]

    file.content = TWO
    file.answers.set()
    await reload.reload()

    assert reload.problem is None
    assert reload.access.registry is TWO


async def test_a_stop_ends_a_read_that_hangs(file: FakeFile, reload: ClientReload) -> None:
    file.answers.clear()
    async with in_background(reload.run):
        await until(lambda: file.reads == 1)

    assert [each.get_name() for each in asyncio.all_tasks()].count("one at a time") == 0
