"""Failed commands, reported on standard error in words, or as one JSON document with --json."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from gcsched.cli.exit_codes import REFUSED, WRONG_USAGE
from gcsched.domain.caller_text import replace_unprintable
from gcsched.errors import GcschedError, SettingsProblems, Violation


class CommandFailed(GcschedError):
    """A command failed for a reason that was found here and not by the service."""

    exit_code: ClassVar[int] = REFUSED
    reason: ClassVar[str] = "FAILED"

    def __init__(
        self,
        sentence: str,
        *,
        prefix: str = "",
        advice: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Create the error; *metadata* is for programs, and *advice* then for people only."""
        super().__init__(sentence)
        self.prefix = prefix
        self.advice = advice
        self.metadata = metadata or {}


class NotDone(CommandFailed):
    """The operator answered no, or the service cannot do it."""

    reason = "NOT_DONE"


class WrongUsage(CommandFailed):
    """The command line is invalid; *prefix* is the usage to show first."""

    exit_code = WRONG_USAGE
    reason = "WRONG_USAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureReport:
    """A failure to report. *code* is its gRPC status code; empty: it was found here."""

    message: str
    exit_code: int
    code: str = ""
    reason: str = ""
    violations: Sequence[Violation] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after: timedelta | None = None
    lines: Sequence[str] = ()
    """The report for people; empty: the message."""

    def as_json(self) -> str:
        """Return one line of ASCII with every key, also where a value is unknown."""
        retry = self.retry_after
        report = {
            "message": self.message,
            "code": self.code,
            "reason": self.reason,
            "violations": [{"field": v.field, "problem": v.problem} for v in self.violations],
            "metadata": dict(self.metadata),
            "retry_after_seconds": None if retry is None else retry.total_seconds(),
            "exit_code": self.exit_code,
        }
        return json.dumps({"error": report})


def print_failure(failure: FailureReport, *, as_json: bool) -> int:
    """Write *failure* on standard error; return its exit code."""
    lines = [failure.as_json()] if as_json else failure.lines or [failure.message]
    print(*lines, sep="\n", file=sys.stderr)
    return failure.exit_code


def describe_error(error: GcschedError) -> FailureReport:
    """Describe a failure that was found without calling the service."""
    if not isinstance(error, CommandFailed):
        is_setting = isinstance(error, SettingsProblems)
        return FailureReport(
            message=str(error),
            exit_code=WRONG_USAGE if is_setting else REFUSED,
            reason="WRONG_SETTINGS" if is_setting else "FAILED",
        )
    # The message may quote arguments: they must not move the cursor of a terminal.
    sentence = replace_unprintable(str(error))
    return FailureReport(
        message=str(error) if error.metadata else "\n".join([str(error), *error.advice]),
        exit_code=error.exit_code,
        reason=error.reason,
        metadata=error.metadata,
        lines=[f"{error.prefix}{sentence}", *map(replace_unprintable, error.advice)],
    )
