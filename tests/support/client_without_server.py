"""Use the client and each of its commands where certain modules cannot be imported.

    python client_without_server.py MODULES

MODULES is a JSON list of names. Imports nothing of the tests, so that it runs in any environment.
Prints a JSON object: the results of the commands, and the modules that those of the client loaded.
"""

import importlib
import io
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib.abc import MetaPathFinder

WHEN = "--start 2035-01-05T09:00 --duration 30m --zone UTC"
COMMANDS: Sequence[tuple[str, int]] = (
    ("schedule --to ada@example.org --empid E1 --message Hi --at +1d --json", 0),
    ("schedule --to ada@example.org --empid E1 --message Hi --at +1d --validate-only", 0),
    ("schedule --to not-an-address --empid E1 --message Hi --at +1d", 2),
    ("health", 0),
    ("status", 0),
    ("job show {job}", 0),
    ("job list --state scheduled", 0),
    ("job count", 0),
    ("job reschedule {job} --at +2d", 0),
    ("job resolve {job} --sent --reason seen", 1),
    ("job cancel {job}", 0),
    ("job retry {job}", 1),
    ("jobs cancel --empid E1 --yes", 0),
    ("jobs retry --state failed --yes", 0),
    ("pause --reason test", 0),
    ("resume", 0),
    ("daily run --yes", 0),
    ("suppression add ada@example.org --reason test", 0),
    ("suppression show ada@example.org", 0),
    ("suppression list", 0),
    ("suppression remove ada@example.org", 0),
    ("recipient show E2", 1),
    ("recipient forget E1 --yes", 0),
    ("template list", 0),
    ("audit", 0),
    ("template preview doc --to ada@example.org", 0),
    ("template send-test doc --to ada@example.org", 2),
    (f"meeting create --summary Review {WHEN} --to ada@example.org --invite-at +1d --json", 0),
    ("meeting show {meeting}", 0),
    ("meeting list --attendee ada@example.org", 0),
    ("meeting update {meeting} --start 2035-01-05T10:00", 0),
    ("meeting add {meeting} --optional bob@example.org", 0),
    ("meeting remove {meeting} bob@example.org", 0),
    ("meeting ics {meeting}", 0),
    ("meeting cancel {meeting} --yes", 0),
    ("completion bash", 0),
    ("bench --compare /dev/null/a /dev/null/b", 1),
)
"""Each command of `gcsched` that the client alone can run, and its exit code."""


SERVER_COMMANDS = (
    "serve",
    "dev --data /dev/null/data",
    "template check /dev/null",
    "token new a --file /dev/null",
    "token list --file /dev/null",
    "token check --file /dev/null",
    "token revoke a --file /dev/null",
)
"""The commands that need more than the client; where it is there, they end at once as well."""


class MissingModules(MetaPathFinder):
    """Find no module below *names*, as if its package were not installed."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def run_command(line: str) -> tuple[int, str, str]:
    main = importlib.import_module("gcsched.cli.main").main
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(line.split())
        except SystemExit as end:
            code = int(str(end.code))
    return code, out.getvalue(), err.getvalue()


def run_all_commands(missing: Sequence[str]) -> dict[str, object]:
    """Run every command; the service is where GCSCHED_TARGET says."""
    sys.meta_path.insert(0, MissingModules(missing))
    results, ids = {}, {"job": "", "meeting": ""}
    for line, _ in COMMANDS:
        code, out, err = run_command(line.format_map(ids))
        results[line] = (code, err)
        if line.endswith("--json") and code == 0:
            made = json.loads(out)
            kind = "meeting" if line.startswith("meeting") else "job"
            ids[kind] = made[f"{kind}_id"]
    importlib.import_module("gcsched.cli.terminal")  # where standard output is a terminal
    loaded = sorted(sys.modules)
    for line in SERVER_COMMANDS:
        code, _, err = run_command(line)
        results[line] = (code, err)
    return {"results": results, "loaded": loaded}


if __name__ == "__main__":
    json.dump(run_all_commands(json.loads(sys.argv[1])), sys.stdout)
