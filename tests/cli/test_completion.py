"""Completion, tried in a real bash: the words that Tab offers."""

import shutil

import pytest

from gcsched.cli.completion import SHELLS
from tests.support.command import run_command, run_process

BASH = shutil.which("bash")
COMPLETE_SCRIPT = """
eval "$1"; shift
COMP_WORDS=(gcsched "$@"); COMP_CWORD=$#; COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}
$(complete -p gcsched | sed -E 's/.*-F ([^ ]+) .*/\\1/') gcsched "${COMP_WORDS[COMP_CWORD]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


async def complete_words(*words: str) -> set[str]:
    assert BASH is not None, "this test needs bash: install it"
    script = (await run_command("completion", "bash")).out
    done = await run_process(BASH, "--norc", "-c", COMPLETE_SCRIPT, "bash", script, *words)
    assert done.returncode == 0, done.stderr
    return {line.strip() for line in done.stdout.splitlines()} - {""}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sch"], {"schedule"}),
        (["s"], {"serve", "schedule", "status", "suppression"}),
        (["job", "re"], {"reschedule", "retry", "resolve"}),
        (["schedule", "--me"], {"--message"}),
        (["job", "list", "--state", "s"], {"scheduled", "sending", "sent", "suppressed"}),
        (["job", "list", "--order", "due"], {"due-time-asc", "due-time-desc"}),
        (["completion", ""], set(SHELLS)),
        (["recipient", ""], {"show", "forget"}),
        (["meeting", "c"], {"create", "cancel"}),
        (["meeting", "update", "ID", "--clear", "l"], {"location", "labels"}),
        (["meeting", "list", "--order", "start"], {"start-time-asc", "start-time-desc"}),
    ],
)
async def test_bash_offers_the_words_that_can_follow(words: list[str], expected: set[str]) -> None:
    found = await complete_words(*words)

    assert found >= expected
    assert all(each.startswith(words[-1]) for each in found)


@pytest.mark.parametrize("shell", SHELLS)
async def test_each_shell_has_a_script_that_knows_the_commands(shell: str) -> None:
    done = await run_command("completion", shell)

    assert (done.code, done.err) == (0, "")
    assert "gcsched" in done.out
    assert all(name in done.out for name in ("reschedule", "dry-run", "forget"))


async def test_the_error_for_another_shell_lists_the_supported_ones() -> None:
    done = await run_command("completion", "nushell")

    assert done.code == 2
    assert all(shell in done.err for shell in SHELLS)
