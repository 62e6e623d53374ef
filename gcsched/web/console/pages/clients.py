"""Clients: who may call, what they may do, and what they have used of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from aiohttp import web

from gcsched.domain.access import Client
from gcsched.domain.client_limits import Limit
from gcsched.usecases.access.read_clients import ClientReport
from gcsched.web.console.call import Call

READ_WITHIN = timedelta(seconds=2)
NEAR = 0.8
"""The log warns of a limit from here on, too."""
SOON = timedelta(days=14)
MAX_NAMED = 8


class Use(NamedTuple):
    """A limit, and how much of it is used: *part* is 1 if all of it is, None if unknown."""

    name: str
    text: str
    part: float | None

    @property
    def colour(self) -> str:
        """Return the class of the colour of its bar."""
        if self.part is None or self.part < NEAR:
            return "waiting"
        return "failed" if self.part >= 1 else "retrying"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientView:
    """One client as the page shows it. *end_soon*: its last token ends within 14 days, or has."""

    report: ClientReport
    uses: Sequence[Use]
    restrictions: Sequence[tuple[str, Sequence[str]]]
    end_soon: bool


async def show(call: Call) -> web.StreamResponse:
    services = call.services
    if services.clients is None:
        return call.page("clients.html", clients=None, has_usage=True, process="")
    found = await services.clients.read(within=min(READ_WITHIN, call.within))
    return call.page(
        "clients.html",
        clients=[make_view(each, services.status.now()) for each in found.clients],
        has_usage=found.has_usage,
        process=services.process.name,
    )


def make_view(report: ClientReport, now: datetime) -> ClientView:
    has_no_way_in = not report.tokens and not report.client.identities
    return ClientView(
        report=report,
        uses=[*list_uses(report)],
        restrictions=[*list_restrictions(report.client)],
        end_soon=has_no_way_in or (report.token_end is not None and report.token_end - now < SOON),
    )


def list_uses(report: ClientReport) -> Iterator[Use]:
    """Yield the limits that the client has."""
    limits, refused = report.client.limits, report.refused
    if limits.calls_per_second is not None:
        text = f"{limits.calls_per_second:g}"
        yield Use("calls a second", text + count_refused(refused.get(Limit.CALLS_PER_SECOND)), None)
    if limits.jobs_per_day is not None:
        used, most = report.jobs_today, limits.jobs_per_day
        shown = "?" if used is None else f"{used:,}"
        part = None if used is None else find_part(used, most)
        text = f"{shown} of {most:,}" + count_refused(refused.get(Limit.JOBS_PER_DAY))
        yield Use("jobs today (UTC)", text, part)
    if limits.jobs_waiting is not None:
        part, most = report.ratios.get(Limit.JOBS_WAITING), limits.jobs_waiting
        shown = "?" if part is None else f"{part * most:,.0f}"
        text = f"{shown} of {most:,}" + count_refused(refused.get(Limit.JOBS_WAITING))
        yield Use("jobs waiting", text, part)


def find_part(used: int, most: int) -> float:
    return used / most if most else 1.0


def count_refused(refused: int | None) -> str:
    return f"; {refused:,} refused" if refused else ""


def list_restrictions(client: Client) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what the client may ask for, where that is less than everything."""
    limits = client.limits
    named = {
        "recipients at": limits.recipient_domains,
        "templates": limits.templates,
        "senders": limits.senders,
    }
    for title, names in named.items():
        if names:
            rest = len(names) - MAX_NAMED
            yield title, [*names[:MAX_NAMED], *([f"{rest} more"] if rest > 0 else [])]
