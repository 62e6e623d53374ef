"""The statements that `tests.measure.fence` measures, by whichever version PYTHONPATH names.

Before and after each phase it prints one line and waits for one, so that the other side can read
the server's CPU time: ``fence begins 0``, then ``fence done 6400``.
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime, timedelta

from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.ports import ClaimedBatch, Conclusion
from tests.support.builders import a_job, an_attempt

DUE = datetime(2025, 7, 1, 12, tzinfo=UTC)
RETENTION = timedelta(days=30)
LOOKS = 50


class Statements:
    """The life of *jobs* jobs in groups of *group*, one phase after the other."""

    def __init__(self, mongo: Mongo, *, group: int, jobs: int) -> None:
        self.mongo = mongo
        self.group = group
        self.jobs = jobs
        self.batches: list[ClaimedBatch] = []

    async def insert(self, *, with_lease_index: bool) -> None:
        await self.mongo.prepare()
        if with_lease_index:
            leased = {"lease": {"$exists": True}}
            await self.mongo.jobs.create_index("lease", partialFilterExpression=leased)
        rows = [
            encode(a_job(id=f"job-{n:06}", dedup_key=f"key {n}", due_time=DUE, message="m" * 400))
            for n in range(self.jobs)
        ]
        await self.mongo.jobs.insert_many(rows)

    async def claim(self) -> int:
        claims = MongoClaims(mongo=self.mongo)
        for number in range(self.jobs // self.group):
            batch = await claims.claim(f"token-{number}", self.group, now=datetime.now(UTC))
            assert len(batch.jobs) == self.group
            self.batches.append(batch)
        return self.claimed

    @property
    def claimed(self) -> int:
        return sum(len(batch.jobs) for batch in self.batches)

    async def look(self) -> int:
        recovery = MongoRecovery(
            mongo=self.mongo, retention=RETENTION, now=lambda: datetime.now(UTC)
        )
        for _ in range(LOOKS):
            assert not await recovery.find_orphans(500)
        return LOOKS

    async def fence(self) -> int:
        claims = MongoClaims(mongo=self.mongo)
        for batch in self.batches:
            ids, date = [job.id for job in batch.jobs], datetime.now(UTC).replace(microsecond=0)
            assert len(await claims.begin(batch.token, ids, date=date)) == self.group
        return self.claimed

    async def outcome(self) -> int:
        outcomes = MongoOutcomes(mongo=self.mongo, retention=RETENTION)
        for batch in self.batches:
            assert not await outcomes.conclude(conclude(batch))
        return self.claimed

    async def run_all(self) -> None:
        for phase in (self.claim, self.look, self.fence, self.outcome):
            tell(f"{phase.__name__} begins 0")
            tell(f"{phase.__name__} done {await phase()}")


def conclude(batch: ClaimedBatch) -> list[Conclusion]:
    accepted = an_attempt(kind=Kind.ACCEPTED, code=250)
    return [Conclusion(claim=batch.token, job=job.sent(accepted)) for job in batch.jobs]


def tell(line: str) -> None:
    print(line, flush=True)
    sys.stdin.readline()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uri")
    parser.add_argument("--group", type=int, required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--lease-index", action="store_true")
    options = parser.parse_args()
    async with open_mongo(options.uri) as mongo:
        statements = Statements(mongo, group=options.group, jobs=options.jobs)
        await statements.insert(with_lease_index=options.lease_index)
        await statements.run_all()
        await mongo.database.client.drop_database(mongo.database.name)


if __name__ == "__main__":
    asyncio.run(main())
