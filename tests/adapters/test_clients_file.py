"""Reading the clients file: its rights, its size, and its content behind swapped links."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gcsched.adapters.clients_file import ClientsFile
from gcsched.errors import SettingsProblems
from tests.support.clients import TestToken, client_toml, write_clients

TOKEN = TestToken(id="k3v9x2ab")
ONE = client_toml("one", ["read"], TOKEN)
TWO = client_toml("two", ["read"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_clients(tmp_path / "clients.toml", ONE)


def problems(path: Path) -> list[str]:
    with pytest.raises(SettingsProblems) as caught:
        ClientsFile(path).load()
    return caught.value.sentences


def test_the_same_content_is_the_same_registry(file: Path) -> None:
    clients = ClientsFile(file)
    first = clients.load()
    write_clients(file, ONE)  # another file, with another time

    assert clients.load() is first
    assert first.tokens["k3v9x2ab"][0].name == "one"

    write_clients(file, ONE, TWO)
    assert set(clients.load().clients) == {"one", "two"}


def test_swapped_links_as_kubernetes_makes_them_are_seen(tmp_path: Path) -> None:
    """Kubernetes has `clients.toml` → `..data/clients.toml`, and swaps the link `..data`."""
    versions = {}
    for name, content in (("..1", ONE), ("..2", TWO)):
        (tmp_path / name).mkdir()
        versions[name] = write_clients(tmp_path / name / "clients.toml", content)
        os.utime(versions[name], (1, 1))  # times tell nothing
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "clients.toml").symlink_to("..data/clients.toml")
    clients = ClientsFile(tmp_path / "clients.toml")
    before = clients.load()

    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").rename(tmp_path / "..data")

    assert list(before.clients) == ["one"]
    assert list(clients.load().clients) == ["two"]


@pytest.mark.parametrize(("mode", "letters"), [(0o620, "-rw--w----"), (0o602, "-rw-----w-")])
def test_a_file_that_others_may_write_is_refused(file: Path, mode: int, letters: str) -> None:
    file.chmod(mode)

    [problem] = problems(file)

    assert problem.startswith(f"{file} may be written by others ({letters})")
    assert "chmod go-w" in problem


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444, 0o600, 0o644])
def test_a_file_that_others_may_read_is_taken(file: Path, mode: int) -> None:
    file.chmod(mode)

    assert ClientsFile(file).load().clients


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_nothing(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (make_folder, "cannot be read: Is a directory"),
        (make_pipe, "is not a regular file"),
        (make_nothing, "cannot be read: No such file or directory"),
    ],
)
def test_another_kind_of_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None], problem: str
) -> None:
    path = tmp_path / "other"
    make(path)

    [found] = problems(path)

    assert found.startswith(f"{path} {problem}")


def test_a_file_of_a_mebibyte_is_the_largest(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    write_clients(file, ONE, "#" * (2**20 - len(ONE) - 1))
    assert file.stat().st_size == 2**20
    assert ClientsFile(file).load().clients

    write_clients(file, ONE, "#" * (2**20 - len(ONE)))
    [problem] = problems(file)
    assert "has more than 1,048,576 bytes" in problem


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b"[clients.a]\nscopes = [", 2, "it is not valid TOML: Invalid value"),
        (b"[clients.a]\nscopes = 1 2\n", 2, "it is not valid TOML: Expected newline"),
        (b"[clients.a]\n\n[clients.a]\n", 3, "it is not valid TOML: Cannot declare"),
        (b"# \xff\n[clients.a]\n", 1, "it is not UTF-8 text"),
        (b"\n# \xe4\n", 2, "it is not UTF-8 text"),
        (b"a = " + b"[" * 5000, 1, "it is not valid TOML"),
        (b"a = " + b"9" * 5000, 1, "it is not valid TOML"),
        (b"[clients.a]\nscopes = ['nothing']\n", 2, "scopes has"),
    ],
)
def test_each_problem_has_its_file_and_line(
    file: Path, content: bytes, line: int, problem: str
) -> None:
    file.write_bytes(content)

    [sentence] = problems(file)

    assert sentence.startswith(f"{file}, line {line}: {problem}")


def test_a_broken_content_stays_broken_and_a_good_one_is_taken_again(file: Path) -> None:
    clients = ClientsFile(file)
    clients.load()
    write_clients(file, "[clients")
    for _ in range(2):
        with pytest.raises(SettingsProblems):
            clients.load()
    write_clients(file, ONE)

    assert list(clients.load().clients) == ["one"]


async def test_a_file_that_is_being_written_is_read_until_it_stays_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = ["", f"{ONE}\n[cli", f"{ONE}\n{TWO}"]
    clients = ClientsFile(file)
    clients.load()

    def write_next(_: float) -> None:
        if parts:
            file.write_text(parts.pop(0))

    monkeypatch.setattr("gcsched.adapters.clients_file.time.sleep", write_next)
    write_next(0)

    assert set((await clients.read()).clients) == {"one", "two"}
