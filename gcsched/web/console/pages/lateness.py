"""Lateness: the history of all processes together, as charts and as tables."""

from aiohttp import web

from gcsched.domain.history import HistoryStep
from gcsched.errors import StoreUnavailable
from gcsched.usecases.monitoring.read_history import History, HistorySpan
from gcsched.web.console.call import Call
from gcsched.web.console.charts import HEIGHT, WIDTH, Slots
from gcsched.web.console.history_names import WORDS
from gcsched.web.console.history_panels import PROMISE, sum_up
from gcsched.web.console.time_axis import list_ticks
from gcsched.web.console.view import find_stores_away

MONGODB = "mongodb"
STEPS = {
    HistoryStep.MINUTE: "one minute",
    HistoryStep.TEN_MINUTES: "ten minutes",
    HistoryStep.HOUR: "one hour",
}
SPANS = {
    HistorySpan.HOUR: "1 hour",
    HistorySpan.DAY: "24 hours",
    HistorySpan.WEEK: "7 days",
}


async def show(call: Call) -> web.StreamResponse:
    span = parse_span(call.request.query.get("span", ""))
    history, is_away = await read(call, span)
    figures = [] if history is None else history.figures
    times = call.times()
    return call.page(
        "lateness.html",
        source=call.link(f"/lateness?span={span.value}"),
        tabs=[
            (title, call.link(f"/lateness?span={each.value}"), each is span)
            for each, title in SPANS.items()
        ],
        span=SPANS[span],
        step=STEPS[span.step],
        is_away=is_away,
        history=history,
        sums=sum_up(figures),
        panels=call.services.panels.find(history, times) if history is not None and figures else [],
        ticks=[] if history is None else [*list_ticks(span, history.starts, times.zone)],
        slots=Slots(count=span.count),
        size=(WIDTH, HEIGHT),
        words=WORDS,
        promise=PROMISE,
    )


def parse_span(text: str) -> HistorySpan:
    """Return the span of that name, the hour if there is none."""
    return next((each for each in HistorySpan if each.value == text), HistorySpan.HOUR)


async def read(call: Call, span: HistorySpan) -> tuple[History | None, bool]:
    """Return the history, and whether MongoDB is away: it is then what was read last, or None."""
    services = call.services
    if not any(each.name == MONGODB for each in find_stores_away(call)):
        try:
            async with services.slots.listing.slot(call.within):
                return await services.history.read(span), False
        except StoreUnavailable:
            pass  # it is just going away
    return services.history.recall(span), True
