"""Changing the clients file: nothing is lost, and readers never see half a file."""

import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from gcsched.adapters.clients_editor import edit_clients
from gcsched.domain.access import Client, Scope, Token
from gcsched.errors import SettingsProblems
from tests.support.clients import client_toml, write_clients
from tests.support.registry import registry_of

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
COMMENTED = """\
# Who may call.

[clients.payroll] # the backend
scopes = [
  "schedule", # invitations
]

# our own people
[clients.ops]
scopes = ["admin"]
"""
PAYROLL = Client(name="payroll", scopes=frozenset({Scope.SCHEDULE}))


def add_token(path: Path, client: Client, token_id: str) -> None:
    token = Token(id=token_id, digest=b"\x0f" * 32, create_time=NOW)
    with edit_clients(path) as editor:
        known = editor.registry.clients.get(client.name, client)
        editor.add_token(client, token)
        added = replace(known, tokens=(*known.tokens, token))
        editor.save({**editor.registry.clients, client.name: added})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_clients(tmp_path / "clients.toml", COMMENTED)


def test_a_token_is_added_where_its_client_is_and_all_comments_stay(file: Path) -> None:
    add_token(file, PAYROLL, "aaaaaaaa")
    add_token(file, PAYROLL, "bbbbbbbb")

    text = file.read_text()
    assert all(line in text.split("\n") for line in COMMENTED.split("\n"))
    tokens = registry_of(text).clients["payroll"].tokens
    assert [each.id for each in tokens] == ["aaaaaaaa", "bbbbbbbb"]
    assert (tokens[0].digest, tokens[0].create_time) == (b"\x0f" * 32, NOW)
    assert text.index("[[clients.payroll.tokens]]") < text.index("[clients.ops]")


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"

    add_token(file, PAYROLL, "aaaaaaaa")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o444])
def test_a_file_keeps_its_rights_so_that_the_service_can_go_on_reading_it(
    file: Path, mode: int
) -> None:
    file.chmod(mode)

    add_token(file, PAYROLL, "aaaaaaaa")

    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_behind_a_link_the_file_is_changed_and_the_link_stays(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)

    add_token(link, PAYROLL, "aaaaaaaa")

    assert link.is_symlink()
    assert "aaaaaaaa" in file.read_text()


@pytest.mark.parametrize("content", ["[clients", "[clients.a]\nscopes = ['x']", "# nothing"])
def test_a_broken_file_is_left_as_it_is(file: Path, content: str) -> None:
    write_clients(file, content)

    with pytest.raises(SettingsProblems, match=r"line 1|line 2"):
        add_token(file, PAYROLL, "aaaaaaaa")

    assert file.read_text() == content


def test_a_failure_leaves_the_file_and_no_other(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(SettingsProblems, match="cannot be written: No space left"):
        add_token(file, PAYROLL, "aaaaaaaa")

    assert file.read_text() == COMMENTED
    assert list(file.parent.iterdir()) == [file]


def test_writers_at_the_same_time_lose_nothing(file: Path) -> None:
    ids = [f"token{number:03}" for number in range(20)]
    threads = [
        threading.Thread(target=add_token, args=(file, PAYROLL, token_id)) for token_id in ids
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    tokens = registry_of(file.read_text()).clients["payroll"].tokens
    assert sorted(each.id for each in tokens) == ids


INLINE = """\
[clients]
payroll = { scopes = ["schedule"], tokens = [{ id = "aaaaaaaa", sha256 = "%s" }] } # short
[clients.ops]
scopes = ["admin"]
limits = { burst = 1, calls_per_second = 1 }
"""
APART = client_toml("payroll", ["schedule"]) + client_toml("ops", ["admin"])
APART += '[clients.payroll.limits]\njobs_per_day = 3\n[[clients.payroll.tokens]]\nid = "aaaaaaaa"\n'
APART += 'sha256 = "%s"\n'


@pytest.mark.parametrize("text", [INLINE, APART])
def test_other_spellings_of_the_same_tables_are_changed_without_loss(file: Path, text: str) -> None:
    write_clients(file, text % ("0f" * 32))
    before = registry_of(file.read_text())

    add_token(file, PAYROLL, "bbbbbbbb")
    with edit_clients(file) as editor:
        client, token = editor.registry.tokens["aaaaaaaa"]
        editor.revoke(client, token, NOW)
        revoked = (replace(token, revoke_time=NOW), *client.tokens[1:])
        editor.save({**editor.registry.clients, client.name: replace(client, tokens=revoked)})

    after = registry_of(file.read_text())
    assert after.clients["ops"] == before.clients["ops"]
    assert after.clients["payroll"].limits == before.clients["payroll"].limits
    assert after.tokens["aaaaaaaa"][1].revoke_time == NOW
    assert after.tokens["bbbbbbbb"][1].revoke_time is None


def test_what_would_be_written_is_read_before_it_is_written(file: Path) -> None:
    with edit_clients(file) as editor:
        editor.add_token(PAYROLL, Token(id="aaaaaaaa", digest=b"\x0f" * 32))
        with pytest.raises(SettingsProblems, match="cannot be changed without loss"):
            editor.save(editor.registry.clients)

    assert file.read_text() == COMMENTED
