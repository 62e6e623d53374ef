"""A history as processes leave it in MongoDB, for pages that show one."""

import random
from datetime import datetime, timedelta

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.history import MongoHistory
from gcsched.domain.history import HistoryFigures, HistoryShare, HistoryStep, find_history_bucket

MINUTE = timedelta(minutes=1)


async def fill_history(mongo: Mongo, *, now: datetime, minutes: int, every: int = 1) -> None:
    """Add the shares of a process for the last *minutes*; one in *every* minutes."""
    chance = random.Random(24)  # noqa: S311
    store = MongoHistory(mongo=mongo)
    last = HistoryStep.MINUTE.find_start(now)
    for number, ago in enumerate(range(minutes, 0, -every)):
        start = last - ago * MINUTE
        await store.add(
            HistoryShare(process="f0", number=number + 1, figures=make_figures(start, chance))
        )


def make_figures(start: datetime, chance: random.Random) -> HistoryFigures:
    mails = 200 + int(150 * chance.random()) + (900 if start.minute == 0 else 0)
    late = [timedelta(seconds=chance.lognormvariate(-2.6, 0.7)) for _ in range(mails)]
    if start.minute % 17 == 0:
        late += [timedelta(seconds=8 + each) for each in range(9)]
    buckets = [find_history_bucket(each) for each in late]
    return HistoryFigures(
        start=start,
        attempts={"ACCEPTED": len(late), "POLICY": start.minute % 3, "DEFERRED": start.minute % 5},
        admissions={"created": mails + 3, "replayed": start.minute % 7, "invalid": 1},
        lateness={each: buckets.count(each) for each in set(buckets)},
        oldest_due=timedelta(seconds=9 if start.minute % 17 == 0 else 0),
    )
