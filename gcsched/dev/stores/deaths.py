"""Say in one sentence why a server died, from its exit code and its log. Pure."""

import json
import signal
from typing import Any


def why_it_died(name: str, exit_code: int, log: str) -> str:
    if exit_code == -signal.SIGILL:
        return (
            f"{name} died of an illegal instruction: it needs a newer processor; "
            "use a machine that has one, or servers of your own with `python -m gcsched serve`"
        )
    return f"{name} died at start ({_ending(exit_code)}); its last words: {last_words(log)}"


def last_words(log: str) -> str:
    """Return the last line that names an error; when none does, the last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _is_error(line)]
    return _readable((errors or lines or ["nothing at all"])[-1])


def _ending(exit_code: int) -> str:
    return f"exit code {exit_code}" if exit_code >= 0 else signal.Signals(-exit_code).name


def _is_error(line: str) -> bool:
    entry = _mongod_entry(line)
    return entry.get("s") in {"E", "F"} if entry else " # " in line or "error" in line


def _readable(line: str) -> str:
    entry = _mongod_entry(line)
    if not entry:
        return line
    error = entry.get("attr", {}).get("error", "")
    detail = error.get("errmsg", "") if isinstance(error, dict) else str(error)
    return f"{entry.get('msg', line)}: {detail}" if detail else str(entry.get("msg", line))


def _mongod_entry(line: str) -> dict[str, Any]:
    """Parse a line of mongod's JSON log; {} when it is anything else."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
