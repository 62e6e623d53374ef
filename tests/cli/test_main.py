import os
import subprocess
import sys
from argparse import Namespace

import pytest

from gcsched import __version__
from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.main import main
from gcsched.errors import GcschedError

HEAVY = {
    "aiosmtplib",
    "arq",
    "beanie",
    "google",
    "grpc",
    "motor",
    "pydantic",
    "pymongo",
    "redis",
    "rich",
}


def run_gcsched(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    without_settings = {k: v for k, v in os.environ.items() if not k.startswith("GCSCHED_")}
    return subprocess.run(
        [sys.executable, "-m", "gcsched", *arguments],
        env=without_settings | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def make_failing_command(error: BaseException) -> CommandGroup:
    def run(_: Namespace) -> int:
        raise error

    return CommandGroup(name="gcsched", help="", commands=[Command(name="fail", help="", run=run)])


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])

    assert end.value.code == 0
    assert capsys.readouterr().out == f"gcsched {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["job", "list", "--help"]])
def test_help_is_fast_because_it_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from gcsched.cli.main import main\n"
        f"try: main({arguments!r})\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert done.stdout.startswith("usage: gcsched")
    assert HEAVY.isdisjoint(done.stderr.split())


def test_no_command_is_wrong_usage() -> None:
    done = run_gcsched()

    assert done.returncode == 2
    assert "COMMAND" in done.stderr


def test_serve_without_settings_lists_all_missing_ones_and_exits_with_2() -> None:
    done = run_gcsched("serve", GCSCHED_DAILY_AT="noon")

    assert done.returncode == 2
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        "GCSCHED_MONGO_URI",
        "GCSCHED_REDIS_URL",
        "GCSCHED_SMTP_HOST",
        "GCSCHED_SENDER_EMAIL",
        "GCSCHED_DAILY_AT",
    ]
    assert "python -m gcsched dev" in done.stderr


def test_a_failure_is_one_sentence_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["fail"], make_failing_command(GcschedError("the port is taken")))

    assert code == 1
    assert capsys.readouterr().err == "the port is taken\n"


def test_an_interrupt_prints_no_traceback() -> None:
    assert main(["fail"], make_failing_command(KeyboardInterrupt())) == 130


def test_commands_can_be_grouped() -> None:
    listing = Command(name="list", help="", run=lambda _: 7)
    job = CommandGroup(name="job", help="", commands=[listing])

    assert main(["job", "list"], CommandGroup(name="gcsched", help="", commands=[job])) == 7
