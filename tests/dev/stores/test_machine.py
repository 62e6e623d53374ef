"""The requirements of the embedded servers, and the errors for machines that lack them."""

from dataclasses import replace
from pathlib import Path

import pytest

from gcsched.dev.stores.binaries import (
    MongodBinary,
    find_mongod,
    find_valkey,
    mongod_environment,
)
from gcsched.dev.stores.children import explain_exit, find_error_line
from gcsched.dev.stores.machine import Machine, explain_unsupported_mongod
from gcsched.errors import EmbeddedStoreProblem


def test_mongod_is_searched_in_the_setting_then_on_path_then_in_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "mongod"
    own.write_text("")
    own.chmod(0o700)

    monkeypatch.setenv("PATH", "")
    assert find_mongod().is_bundled
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_mongod().path == own
    assert find_mongod(Path("/bin/sh")).path == Path("/bin/sh").resolve()
    with pytest.raises(EmbeddedStoreProblem, match="no mongod at"):
        find_mongod(tmp_path / "gone")


def test_without_any_mongod_the_error_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("gcsched.dev.stores.binaries.inside_package", lambda *_: None)

    with pytest.raises(EmbeddedStoreProblem, match=r"no mongod found: run `pip install"):
        find_mongod()
    with pytest.raises(EmbeddedStoreProblem, match="no valkey-server found"):
        find_valkey()


GOOD = Machine(
    system="Linux",
    processor="x86_64",
    processor_flags=frozenset({"sse2", "avx"}),
    glibc=(2, 34),
    has_libcurl=True,
    has_pycurl=True,
)


@pytest.mark.parametrize(
    "machine",
    [
        GOOD,
        replace(GOOD, has_libcurl=False),
        replace(GOOD, has_pycurl=False),
        replace(GOOD, processor="aarch64", processor_flags=frozenset()),
        replace(GOOD, system="Darwin", glibc=None),
    ],
)
def test_a_good_machine_runs_mongod(machine: Machine) -> None:
    assert explain_unsupported_mongod(machine) is None


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (replace(GOOD, processor_flags=frozenset({"sse2"})), "needs a processor with AVX"),
        (replace(GOOD, glibc=(2, 31)), "needs glibc 2.34 or newer, found 2.31"),
        (replace(GOOD, glibc=None), "found another C library"),
        (replace(GOOD, has_libcurl=False, has_pycurl=False), "install the package libcurl4"),
        (replace(GOOD, system="Windows"), "cannot start MongoDB and Valkey on Windows"),
    ],
)
def test_the_error_for_an_unsupported_machine_says_what_to_do(machine: Machine, words: str) -> None:
    assert words in (explain_unsupported_mongod(machine) or "")


def test_only_the_bundled_mongod_is_checked_and_gets_a_libcurl(tmp_path: Path) -> None:
    own = MongodBinary(path=Path("mongod"))
    wheel = MongodBinary(path=Path("mongod"), is_bundled=True)
    bare = replace(GOOD, has_libcurl=False)

    assert mongod_environment(own, replace(bare, glibc=None), tmp_path) == {}
    assert mongod_environment(wheel, GOOD, tmp_path) == {}
    assert str(tmp_path) in mongod_environment(wheel, bare, tmp_path)["LD_LIBRARY_PATH"]
    assert (tmp_path / "libcurl.so.4").exists()
    with pytest.raises(EmbeddedStoreProblem, match="libcurl4"):
        mongod_environment(wheel, replace(bare, has_pycurl=False), tmp_path)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", "(nothing)"),
        ("mongod: error while loading shared libraries: libx.so\n", "libx.so"),
        ("1:M 24 Nov # Could not create server TCP\n1:M 24 Nov * bye\n", "Could not create"),
        (
            '{"s":"E","msg":"no","attr":{"error":"DBPathInUse: held"}}\n{"s":"I","msg":"x"}',
            "no: DB",
        ),
        ('{"s":"F","msg":"dead","attr":{"error":{"errmsg":"why"}}}', "dead: why"),
    ],
)
def test_the_error_line_is_the_error_and_not_the_last_line(log: str, words: str) -> None:
    assert words in find_error_line(log)


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [(48, "exit code 48"), (-9, "SIGKILL"), (-4, "needs a newer processor")],
)
def test_an_exit_is_explained_in_a_sentence(exit_code: int, words: str) -> None:
    assert words in explain_exit("mongod", exit_code, "")
