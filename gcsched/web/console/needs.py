"""What needs an operator now, each with the page that shows or mends it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gcsched.domain.job import State
from gcsched.domain.relay_health import RelayState
from gcsched.usecases.management.read_jobs import CappedCount
from gcsched.usecases.monitoring.status import RelayReport, StatusReport
from gcsched.web.console.own_process import Expiry, OwnProcess
from gcsched.web.console.states import STATE_MARKS
from gcsched.web.console.view import STORE_NAMES

SOON = timedelta(days=14)
TROUBLE = ("!", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One line: a *glyph* and a *colour*, what it is, and the *path* that leads to it.

    *text* may have words that others wrote. *time* is since when it is so, or, where *is_end*, when
    it ends.
    """

    glyph: str
    colour: str
    title: str
    text: str = ""
    path: str = ""
    time: datetime | None = None
    is_end: bool = False


def list_needs(report: StatusReport, process: OwnProcess, failed: CappedCount | None) -> list[Need]:
    """Return what needs an operator; *failed* counts the jobs of the last hour, None: unknown."""
    return [
        *find_stores(report),
        *find_jobs(report, failed),
        *(need for relay in report.relays if (need := find_relay(relay)) is not None),
        *find_problems(report),
        *find_process_needs(process),
        *find_expiries(process.expiries(), report.report_time),
    ]


def find_stores(report: StatusReport) -> Iterator[Need]:
    glyph, colour = TROUBLE
    for store in report.stores:
        if store.problem is not None and store.is_away:
            title = f"{STORE_NAMES[store.name]} cannot be used"
            yield Need(
                glyph=glyph,
                colour=colour,
                title=title,
                text=store.problem,
                time=store.state_time,
            )


def find_jobs(report: StatusReport, failed: CappedCount | None) -> Iterator[Need]:
    counts = report.counts
    uncertain = 0 if counts is None else counts.by_state.get(State.UNCERTAIN, 0)
    if uncertain:
        yield make_job_need(
            State.UNCERTAIN, f"{uncertain:,}", "may have arrived or not: decide about each"
        )
    if failed is not None and failed.jobs:
        number = f"{failed.jobs:,}{'+' if failed.is_more else ''}"
        yield make_job_need(State.FAILED, number, "that were due in the last hour")
    if counts is not None and counts.unreadable:
        glyph, colour = TROUBLE
        title = f"{counts.unreadable:,} jobs cannot be read"
        text = "their documents are invalid, and in quarantine"
        yield Need(glyph=glyph, colour=colour, title=title, text=text)


def make_job_need(state: State, number: str, text: str) -> Need:
    mark = STATE_MARKS[state]
    return Need(
        glyph=mark.glyph,
        colour=mark.colour,
        title=f"{number} {state.value}",
        text=text,
        path=f"jobs?state={state.value}",
    )


def find_relay(relay: RelayReport) -> Need | None:
    health = relay.health
    if not relay.is_down and health.state not in {RelayState.FAILED, RelayState.DOWN}:
        return None
    glyph, colour = TROUBLE
    word = "is down" if relay.is_down else "cannot be reached"
    return Need(
        glyph=glyph,
        colour=colour,
        title=f"Relay {relay.name} {word}",
        text=health.error,
        path="relays",
        time=health.state_time,
    )


def find_problems(report: StatusReport) -> Iterator[Need]:
    glyph, colour = TROUBLE
    for problem in filter(None, [*report.problems, report.access.problem]):
        yield Need(glyph=glyph, colour=colour, title="To repair", text=problem)


def find_process_needs(process: OwnProcess) -> Iterator[Need]:
    glyph, colour = "\u21bb", "retrying"
    repairs = {reason: count for reason, count in process.repairs().items() if count}
    if repairs:
        text = ", ".join(f"{show_reason(reason)}: {n:,}" for reason, n in sorted(repairs.items()))
        title = f"{sum(repairs.values()):,} repairs in the last hour"
        yield Need(glyph=glyph, colour=colour, title=title, text=text, path="#processes")
    yield from find_clocks(process)


def find_clocks(process: OwnProcess) -> Iterator[Need]:
    clocks = (
        ("this machine", -process.clock_offset(), "the service goes by MongoDB's"),
        ("Redis", process.redis_clock_offset(), "no due time depends on Redis's"),
    )
    for name, ahead, effect in clocks:
        if ahead:
            word = "ahead of" if ahead > timedelta(0) else "behind"
            seconds = abs(ahead.total_seconds())
            yield Need(
                glyph="\u21bb",
                colour="retrying",
                title=f"The clock of {name} is {seconds:.1f} s {word} MongoDB's",
                text=f"{effect}; have NTP correct both",
                path="#processes",
            )


def find_expiries(expiries: Iterable[Expiry], now: datetime) -> Iterator[Need]:
    for each in sorted(expiries, key=lambda each: each.end):
        if each.end - now > SOON:
            continue
        word = "has expired" if each.end <= now else "expires soon"
        yield Need(
            glyph="\u25f7",
            colour="expired",
            title=f"{each.what} {word}",
            text=each.remedy,
            path=each.path,
            time=each.end,
            is_end=True,
        )


def show_reason(reason: str) -> str:
    return reason.replace("_", " ")
