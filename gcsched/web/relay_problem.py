"""The health of a relay in the words of the probes."""

from collections.abc import Mapping

from gcsched.domain.relay_health import HealthReport, RelayState

PROBLEMS: Mapping[RelayState, str] = {
    RelayState.UNKNOWN: "unknown: not tried yet",
    RelayState.FAILED: "failed: no session can be opened",
    RelayState.DOWN: "down: mails are held back",
}


def describe_relay_problem(report: HealthReport) -> str | None:
    """Return what is wrong with a relay, since when, and its last error; None if it is up."""
    text = PROBLEMS.get(report.state)
    if text is None or report.state is RelayState.UNKNOWN or report.state_time is None:
        return text
    since = report.state_time.isoformat(timespec="seconds")
    return f"{text}, since {since}: {report.error}" if report.error else f"{text}, since {since}"
