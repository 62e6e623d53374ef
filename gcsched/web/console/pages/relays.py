"""Relays: each as this process sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from gcsched.domain.relay_health import RelayState
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.monitoring.attempt_record import RefusalReport
from gcsched.usecases.monitoring.status import RelayReport
from gcsched.web.console.call import Call
from gcsched.web.console.kinds import KIND_WORDS
from gcsched.web.console.own_process import RelayGreeting


class RelayMark(NamedTuple):
    """How the state of a relay looks: a glyph, the class of a colour, and words."""

    glyph: str
    colour: str
    words: str


MARKS: Mapping[RelayState, RelayMark] = {
    RelayState.UNKNOWN: RelayMark("\u25cb", "waiting", "not tried since the start"),
    RelayState.UP: RelayMark("\u2713", "sent", "up"),
    RelayState.FAILED: RelayMark("\u2715", "failed", "no session can be opened"),
    RelayState.DOWN: RelayMark("\u2715", "failed", "down: mails are held back from it"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayView:
    """One relay: its report, and what its mails met in the last hour."""

    report: RelayReport
    mark: RelayMark
    greeting: RelayGreeting | None
    attempts: Mapping[Kind, int]
    refusals: Sequence[RefusalReport]

    @property
    def is_failing(self) -> bool:
        return self.report.is_down or self.report.health.state is RelayState.FAILED


async def show(call: Call) -> web.StreamResponse:
    services = call.services
    relays = [
        RelayView(
            report=each,
            mark=MARKS[RelayState.DOWN if each.is_down else each.health.state],
            greeting=services.process.find_greeting(each.name),
            attempts=services.attempts.count_attempts(each.name),
            refusals=services.attempts.list_refusals(each.name),
        )
        for each in services.status.read().relays
    ]
    return call.page("relays.html", relays=relays, process=services.process.name, kinds=KIND_WORDS)
