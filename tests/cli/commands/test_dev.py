"""`gcsched dev` as a newcomer runs it, with and without problems."""

import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from gcsched import hosting
from gcsched.app import ProcessHooks
from gcsched.cli.main import main
from gcsched.dev.stores import mongod as mongod_module
from gcsched.dev.stores.machine import Machine
from tests.support.command import fork_and_wait, without_settings
from tests.support.dev_program import DevProcess, run_dev

ANY_PORT = ["--grpc", "127.0.0.1:0"]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux guarantees this")


@pytest.fixture(autouse=True)
def without_hosting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the command from ending this process, in which some of these tests run it."""
    monkeypatch.setattr(hosting, "host_service", lambda *_: nullcontext(ProcessHooks()))


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("templates")
    (folder / "doc.html").write_text("<h1>{{ message }}</h1>")
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, templates: Path) -> Iterator[DevProcess]:
    """A running service, for the tests that do not change it."""
    ignored = {"GCSCHED_MONGO_URI": "mongodb://nowhere/x", "GCSCHED_SMTP_PORT": "587"}
    environment = {**ignored, "GCSCHED_TEMPLATES_DIR": str(templates)}
    folder = tmp_path_factory.mktemp("dev")
    with run_dev(folder, environment=environment, is_executed=True) as running:
        running.wait_ready()
        yield running


def run_dev_to_exit(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `dev` where it ends before it serves."""
    return fork_and_wait(["dev", *ANY_PORT, *arguments], settings, timeout=30)


def test_the_demo_shows_its_mails_also_on_existing_data(tmp_path: Path) -> None:
    for run in (1, 2):
        with run_dev(tmp_path, "--demo") as first:
            first.wait_ready()
            served = time.monotonic()
            first.wait_for("caught a mail for ada@example.org: Interview on Friday")
            assert time.monotonic() - served < 5
            first.wait_for("demo done; the service goes on until Ctrl-C")

            for label in ("now", "in 3 seconds", "daily queue"):
                assert first.wait_for(rf"^  {label} +accepted as [0-9a-f]{{32}}")
                assert first.wait_for(rf"^  {label} +sent after [0-9.]+ s")
            assert first.wait_for("started by hand, 1 due now")
            assert first.wait_for(r"\| Hello Ada,")
            for subject in ("Tour", "Updated: Tour", "Cancelled: Tour"):
                assert first.wait_for(f"caught a mail for charles@example.org: {subject}")
            assert len(first.mails("eml")) == len(first.mails("html")) == 6 * run
            assert first.stop() == 0
            assert first.lines[-1] == "stopped; jobs and mails are kept"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
@linux_only
def test_a_job_accepted_before_an_exit_is_sent_after_the_next_start(
    tmp_path: Path, number: signal.Signals
) -> None:
    with run_dev(tmp_path) as first:
        first.wait_ready()
        first.schedule(in_seconds=-1, message="Before")
        first.wait_for("caught a mail for ada@example.org: Before")
        first.schedule(in_seconds=2, message="After")
        children = first.children()
        first.signal(number)
        assert first.wait_for_exit() == (0 if number == signal.SIGINT else -signal.SIGKILL)
        _, alive = psutil.wait_procs(children, timeout=5)
        assert alive == []

    with run_dev(tmp_path) as second:
        second.wait_for("caught a mail for ada@example.org: After")
        assert len(second.mails("eml")) == 2
        assert "Before" in second.mails("eml")[0].read_text()


@linux_only
def test_a_second_ctrl_c_stops_it_at_once_and_leaves_no_child(tmp_path: Path) -> None:
    with run_dev(tmp_path) as running:
        running.wait_ready()
        children = running.children()

        running.signal(signal.SIGINT)
        running.wait_for("stopping: .*Ctrl-C again stops at once")
        running.signal(signal.SIGINT)

        assert running.wait_for_exit() == 128 + signal.SIGINT
        _, alive = psutil.wait_procs(children, timeout=5)
        assert alive == []


def test_it_prints_addresses_folders_and_a_command_that_works(running: DevProcess) -> None:
    assert running.wait_for(rf"gRPC +127\.0\.0\.1:{running.port}")
    assert running.wait_for(rf"mails +{running.folder}/mails")
    metrics = running.wait_for(r"HTTP +127\.0\.0\.1:[1-9]\d*/metrics").split()[-1]
    with urlopen(f"http://{metrics}") as answer:
        assert b"gcsched_build_info" in answer.read()
    assert running.wait_for(r"ignored +GCSCHED_MONGO_URI, GCSCHED_SMTP_PORT")
    line = running.wait_for(r"try .* --at \+10s").partition("try")[2]

    command = [part.replace("+10s", "now") for part in shlex.split(line)]
    done = subprocess.run(
        command, env=without_settings(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    running.wait_for("caught a mail for ada@example.org: Interview on Friday")


def test_the_first_address_that_it_prints_is_that_of_the_console(running: DevProcess) -> None:
    first = running.wait_after(running.wait_for("serving after"), r"^ +\w+ ")
    name, address = first.split()

    assert (name, address[:17]) == ("console", "http://127.0.0.1:")
    with urlopen(f"http://{address.removeprefix('http://')}") as answer:
        assert b"<h1>Now</h1>" in answer.read()


def test_a_second_process_on_the_same_folder_is_refused(running: DevProcess) -> None:
    done = run_dev_to_exit("--data", str(running.folder))

    sentence = (
        f"another gcsched dev uses {running.folder}: stop it, or use --data with another folder\n"
    )
    assert (done.returncode, done.stderr) == (1, sentence)


def test_the_error_for_a_port_in_use_names_the_option(running: DevProcess, tmp_path: Path) -> None:
    done = run_dev_to_exit("--data", str(tmp_path), "--grpc", running.target)

    assert done.returncode == 1
    assert done.stderr == (
        f"cannot listen on {running.target}: another program listens there; "
        "stop it or set --grpc to another address\n"
    )


def read_caught_page(running: DevProcess, message: str) -> str:
    """Wait for the mail with *message*; return its HTML."""
    line = running.wait_for(f"caught a mail for .*: {message}$")
    page = running.wait_after(line, r"\.html$")
    return Path(page.strip()).read_text("utf-8-sig").strip()


def test_templates_follow_their_files_while_it_runs(running: DevProcess, templates: Path) -> None:
    running.wait_for(rf"templates +{templates} +\(reloaded when they change\)")
    (templates / "note.html").write_text("<p>Room {{ room }}</p>")
    running.wait_for("templates reloaded: cancellation, doc, invitation, note, reminder, update$")
    running.schedule(
        in_seconds=-1, message="New", empid="T1", template="note", variables={"room": "4.2"}
    )
    new = read_caught_page(running, "New")
    (templates / "note.html").write_text("<p>\n{{ 1 | nothing }}</p>")
    running.wait_for(r"  template note\.html, line 2: No filter named 'nothing'\.")
    running.schedule(
        in_seconds=-1, message="Kept", empid="T2", template="note", variables={"room": "4.3"}
    )
    kept = read_caught_page(running, "Kept")

    assert (new, kept) == ("<p>Room 4.2</p>", "<p>Room 4.3</p>")


def test_a_template_with_an_unknown_variable_is_named(tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "doc.html").write_text("<p>Hello\n{{ usernam }}</p>")

    done = run_dev_to_exit("--data", str(tmp_path / "data"), GCSCHED_TEMPLATES_DIR=str(templates))

    assert done.returncode == 1
    assert done.stderr.startswith("template doc.html, line 2: unknown variable")
    assert "usernam" in done.stderr
    assert "Traceback" not in done.stderr


def test_invalid_settings_stop_it_before_anything_starts(
    tmp_path: Path,
) -> None:
    done = run_dev_to_exit("--data", str(tmp_path / "data"), GCSCHED_DAILY_AT="noon")

    assert done.returncode == 2
    assert done.stderr.startswith("GCSCHED_DAILY_AT cannot be used: 'noon' is not valid: ")
    assert not (tmp_path / "data").exists()


def test_an_invalid_address_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dev", "--grpc", "nonsense"]) == 2

    sentence = "--grpc nonsense is invalid: write host:port, e.g. 127.0.0.1:50051\n"
    assert capsys.readouterr().err == sentence


def test_a_folder_that_cannot_be_used_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = run_dev_to_exit("--data", str(tmp_path / "file"))

    assert done.returncode == 1
    assert done.stderr == (
        f"the data folder {tmp_path}/file cannot be used (File exists): "
        "use --data with a folder that you may write to\n"
    )


GOOD = Machine(
    system="Linux",
    processor="x86_64",
    processor_flags=frozenset({"avx"}),
    glibc=(2, 39),
    has_libcurl=True,
    has_pycurl=True,
)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (replace(GOOD, processor_flags=frozenset()), "needs a processor with AVX"),
        (replace(GOOD, glibc=(2, 31)), "needs glibc 2.34 or newer, found 2.31"),
        (replace(GOOD, has_libcurl=False, has_pycurl=False), "install the package libcurl4"),
    ],
    ids=["AVX", "glibc", "libcurl"],
)
def test_the_error_for_an_unsupported_machine_says_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    machine: Machine,
    words: str,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(mongod_module, "this_machine", lambda: machine)

    assert main(["dev", *ANY_PORT, "--data", str(tmp_path)]) == 1

    error = capfd.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "aiosmtpd.smtp", None)
    monkeypatch.delitem(sys.modules, "gcsched.dev.run", raising=False)
    monkeypatch.delitem(sys.modules, "gcsched.dev.mail_catcher", raising=False)

    assert main(["dev"]) == 2

    assert capsys.readouterr().err == (
        "gcsched dev cannot run: the module aiosmtpd is not installed;"
        " run `pip install 'gcsched[embedded]'`\n"
    )


def test_the_error_on_windows_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Windows")

    assert main(["dev"]) == 1

    assert "on Windows: run it on Linux (WSL works too)" in capsys.readouterr().err


def test_its_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from gcsched.cli.main import main\n"
        "try: main(['dev', '--help'])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert "--data FOLDER" in done.stdout
    assert {"aiosmtpd", "grpc", "pydantic", "motor", "structlog"}.isdisjoint(done.stderr.split())
