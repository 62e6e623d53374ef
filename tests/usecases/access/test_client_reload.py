"""A changed file is taken; a broken one changes nothing and is logged once."""

import pytest

from gcsched.domain.client_registry import ClientRegistry
from gcsched.errors import SettingsProblems
from gcsched.usecases.access.access_control import AccessControl
from gcsched.usecases.access.client_reload import ClientReload
from tests.support.builders import NOW
from tests.support.clients import client_toml
from tests.support.log_events import Events
from tests.support.registry import registry_of

ONE = registry_of(client_toml("one", ["read"]))
TWO = registry_of(client_toml("one", ["read"]), client_toml("two", ["read"]))


class FakeFile:
    """A file whose content a test sets: clients, or what is wrong."""

    content: ClientRegistry | str = ONE

    async def read(self) -> ClientRegistry:
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
