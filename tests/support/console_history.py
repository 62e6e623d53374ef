"""Figures of the history, as processes have stored them, for the page about lateness."""

from datetime import timedelta
from typing import Any

from gcsched.adapters.mongo.history import MongoHistory
from gcsched.domain.history import (
    HistoryFigures,
    HistoryShare,
    HistoryStep,
    find_history_bucket,
)
from tests.support.in_process_app import RunningApp

MINUTE = timedelta(minutes=1)


async def add_minutes(app: RunningApp, *minutes: dict[str, Any]) -> list[str]:
    """Add figures of ten minutes ago and of those after; return the times in UTC."""
    start = HistoryStep.MINUTE.find_start(app.resources.clock()) - 10 * MINUTE
    store, times = MongoHistory(mongo=app.resources.mongo), []
    for number, figures in enumerate(minutes):
        share = HistoryFigures(start=start + number * MINUTE, **figures)
        await store.add(HistoryShare(process="p1", number=number + 1, figures=share))
        times.append(f"{share.start:%H:%M:%S}")
    return times


def late(**seconds: int) -> dict[int, int]:
    """Return buckets: `late(s1=20, s30=5)` are 20 mails late by 1 s and 5 by 30 s."""
    return {
        find_history_bucket(timedelta(seconds=int(name[1:]))): count
        for name, count in seconds.items()
    }
