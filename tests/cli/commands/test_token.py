"""`gcsched token`: what it prints, what it writes, and what it refuses."""

import hashlib
import io
import json
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.clients import TestToken, client_toml, write_clients
from tests.support.command import CommandResult, run_command
from tests.support.registry import registry_of

KNOWN = TestToken(id="known000", lines=("expires = 2999-01-01T00:00:00Z",))
EXPIRED = TestToken(id="expired0", lines=("expires = 2020-01-01T00:00:00Z",))
REVOKED = TestToken(id="revoked0", lines=("revoked = 2020-01-01T00:00:00Z",))
CLIENTS = (
    client_toml("payroll", ["schedule", "steer"], KNOWN, EXPIRED),
    client_toml("former", ["read"], REVOKED),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_clients(tmp_path / "clients.toml", *CLIENTS)


async def token(*arguments: str, file: Path) -> CommandResult:
    return await run_command("token", *arguments, "--file", str(file))


async def test_a_new_client_gets_a_token_that_the_file_has_no_copy_of(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"

    made = await token(
        *("new", "payroll", "--scope", "schedule", "--scope", "steer"),
        *("--identity", "dns:Payroll", "--note", "the backend"),
        file=file,
    )

    assert made.code == 0
    found = re.fullmatch(r"gcs_([a-z0-9]{8})_([A-Za-z0-9_-]{43})[0-9A-Za-z]{6}\n", made.out)
    assert found is not None
    assert f"token {found[1]} of client payroll, until " in made.err
    assert str(file) in made.err
    assert found[2] not in made.err
    text = read(file)
    assert found[2] not in text
    registry = registry_of(text)
    client, stored = registry.tokens[found[1]]
    assert stored.digest == hashlib.sha256(found[2].encode()).digest()
    assert (sorted(client.scopes), client.identities) == (["schedule", "steer"], ("dns:payroll",))
    assert client.note == "the backend"
    age = datetime.now(UTC) - (stored.create_time or datetime.min.replace(tzinfo=UTC))
    assert age < timedelta(minutes=1)
    assert stored.create_time is not None
    assert stored.expire_time == stored.create_time + timedelta(days=365)
    assert mode_of(file) == 0o600


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


async def test_a_client_that_exists_gets_one_more_token_and_keeps_its_scopes(file: Path) -> None:
    made = await token("new", "payroll", "--expires", "2031-02-03", "--json", file=file)

    document = json.loads(made.out)
    client, stored = registry_of(read(file)).tokens[document["id"]]
    assert document["client"] == client.name == "payroll"
    assert document["token"].startswith(f"gcs_{document['id']}_")
    assert stored.expire_time == datetime(2031, 2, 3, tzinfo=UTC)
    assert document["expire_time"] == "2031-02-03T00:00:00Z"
    assert (document["state"], document["file"]) == ("valid", str(file))
    assert [each.id for each in client.tokens[:2]] == ["known000", "expired0"]
    assert client.scopes == {"schedule", "steer"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["Payroll", "--scope", "read"], "invalid name 'Payroll'"),
        (["new", "--scope", "reed"], '--scope has "reed", which is not a scope: did you mean'),
        (["new"], "--scope is empty: name at least one of schedule, read"),
        (["new", "--scope", "read", "--identity", "x"], '--identity has "x", which is not'),
        (["payroll", "--scope", "admin"], "client payroll has the scopes schedule, steer"),
        (["payroll", "--expires", "soon"], "invalid end 'soon': write a number of days"),
        (["payroll", "--expires", "0"], "invalid end '0'"),
        (["payroll", "--expires", "-3"], "invalid end '-3'"),
        (["payroll", "--expires", "2020-01-01"], "--expires 2020-01-01 has passed"),
        (["payroll", "--expires", "2027-02-30"], "--expires 2027-02-30: day is out of range"),
        (["payroll", "--expires", "99999999999"], "--expires 99999999999:"),
    ],
)
async def test_what_cannot_be_made_changes_nothing(
    arguments: list[str], problem: str, file: Path
) -> None:
    before = read(file)

    refused = await token("new", *arguments, file=file)

    assert (refused.code, refused.out) == (2, "")
    assert problem in refused.err
    assert read(file) == before


async def test_the_list_has_each_token_with_its_state(file: Path) -> None:
    listed = await token("list", file=file)
    as_json = await token("list", "--json", file=file)

    rows = [line.split() for line in listed.out.splitlines()]
    assert rows[0] == ["CLIENT", "SCOPES", "TOKEN", "STATE", "CREATED", "EXPIRES"]
    assert [row[:4] for row in rows[1:]] == [
        ["payroll", "schedule,steer", "known000", "valid"],
        ["payroll", "schedule,steer", "expired0", "expired"],
        ["former", "read", "revoked0", "revoked"],
    ]
    documents = [json.loads(line) for line in as_json.out.splitlines()]
    assert [each["client"] for each in documents] == ["payroll", "former"]
    assert documents[1]["tokens"][0]["revoke_time"] == "2020-01-01T00:00:00Z"
    assert not any(each.secret in listed.out + as_json.out for each in (KNOWN, EXPIRED))


CHECKED = {
    "valid": (
        KNOWN.text,
        0,
        "token known000 of client payroll is valid until 2999-01-01T00:00:00Z",
    ),
    "padded": (f"  {KNOWN.text}\n", 0, "scopes: schedule, steer"),
    "expired": (
        EXPIRED.text,
        1,
        "token expired0 of client payroll expired at 2020-01-01T00:00:00Z",
    ),
    "revoked": (REVOKED.text, 1, "token revoked0 of client former was revoked at 2020-01-01"),
    "unknown": (TestToken(id="unknown0").text, 1, "token unknown0 is unknown"),
    "another secret": (TestToken(id="known000").text, 1, "id known000 of client payroll, but not"),
    "malformed": (KNOWN.text[:-1] + "!", 1, "this is not a token"),
    "mistyped": (KNOWN.text.replace("known000", "known001"), 1, "check characters do not fit"),
}


@pytest.mark.parametrize("kind", CHECKED)
@pytest.mark.parametrize("way", ["file", "input", "dash"])
async def test_a_token_is_checked_from_a_file_or_from_standard_input(
    kind: str, way: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, code, words = CHECKED[kind]
    arguments = ["check"]
    if way == "file":
        write(file.with_name("token"), text)
        arguments += ["--token-file", str(file.with_name("token"))]
    else:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        arguments += ["--token-file", "-"] if way == "dash" else []

    checked = await token(*arguments, file=file)

    assert checked.code == code
    assert words in (checked.out if code == 0 else checked.err)
    assert text.strip() not in checked.out + checked.err


def write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


async def test_without_a_token_the_file_is_checked(file: Path) -> None:
    good = await token("check", file=file)
    as_json = await token("check", "--json", file=file)
    write_clients(file, "[clients.a]\nscopes = ['x']\nnote = 1\n")
    broken = await token("check", file=file)

    assert (good.code, good.out) == (0, f"{file} is valid: 2 clients, 3 tokens\n")
    assert json.loads(as_json.out) == {"file": str(file), "clients": 2, "tokens": 3}
    assert broken.code == 2
    assert [line.partition(": ")[0] for line in broken.err.splitlines()] == [
        f"{file}, line 2",
        f"{file}, line 3",
    ]


async def test_a_token_is_revoked_once(file: Path) -> None:
    first = await token("revoke", "known000", file=file)
    text = read(file)
    again = await token("revoke", "known000", "--json", file=file)
    unknown = await token("revoke", "nothing0", file=file)

    revoke_time = registry_of(text).tokens["known000"][1].revoke_time
    assert revoke_time is not None
    assert datetime.now(UTC) - revoke_time < timedelta(minutes=1)
    assert first.code == again.code == 0
    assert "token known000 of client payroll is revoked since" in first.out
    assert json.loads(again.out)["state"] == "revoked"
    assert read(file) == text
    assert unknown.code == 1
    assert "no token with the id nothing0" in unknown.err


async def test_the_file_is_named_by_a_variable_or_has_to_be_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GCSCHED_CLIENTS_FILE", raising=False)
    unnamed = await run_command("token", "list")
    monkeypatch.setenv("GCSCHED_CLIENTS_FILE", str(file))
    named = await run_command("token", "list")

    assert unnamed.code == 2
    assert "use --file PATH, or set GCSCHED_CLIENTS_FILE" in unnamed.err
    assert (named.code, named.out.splitlines()[0].split()[0]) == (0, "CLIENT")
