"""The jobs of meetings as plans make and change them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pymongo
import structlog
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from gcsched.adapters.mongo.admissions import find_duplicates
from gcsched.adapters.mongo.bulk_write import write_each
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.driver_errors import SENTENCES, Problem
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.job_changes import build_change, filter_unchanged
from gcsched.adapters.mongo.meeting_mail_fields import MAIL_FIELD, REVISION_FIELD
from gcsched.adapters.mongo.template_field import (
    INVITATION_TEMPLATE_FIELD,
    MEETING_TEMPLATE_FIELD,
)
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import Job
from gcsched.errors import StoreRefused

WRITTEN_AT_ONCE = 200
MAX_NAMED = 10
SHOWN = ("meeting", "message", "template", "variables", "labels", "priority", "empid", "name")
"""What changes in a waiting job when it shows another revision."""
SHOWN_FIELDS = (
    *(REVISION_FIELD, MAIL_FIELD, INVITATION_TEMPLATE_FIELD, MEETING_TEMPLATE_FIELD),
    *("message", "variables", "labels", "priority", "empid", "name"),
)
"""The stored fields of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoMeetingJobs:
    """The port `MeetingJobs` on MongoDB."""

    mongo: Mongo
    retention: timedelta

    async def make(self, jobs: Sequence[Job], *, within: timedelta) -> Sequence[Job]:
        """Store those of *jobs* whose dedup key is free; return them.

        The unique index decides between processes that make the same mail.
        """
        made: list[Job] = []
        with write_errors("storing mails of a meeting"), pymongo.timeout(within.total_seconds()):
            for start in range(0, len(jobs), WRITTEN_AT_ONCE):
                made += await self._insert(jobs[start : start + WRITTEN_AT_ONCE])
        return made

    async def _insert(self, jobs: Sequence[Job]) -> Sequence[Job]:
        try:
            # Unordered, so that one taken key does not stop the jobs after it.
            await self.mongo.jobs.insert_many([encode(job) for job in jobs], ordered=False)
        except BulkWriteError as error:
            taken = set(find_duplicates(error))
            return [job for position, job in enumerate(jobs) if position not in taken]
        return jobs

    async def change_all(
        self, pairs: Sequence[tuple[Job, Job]], *, within: timedelta
    ) -> tuple[int, int]:
        """Change the jobs (seen, changed) that are as they were seen.

        Returns how many were changed, and how many were not. Raises StoreRefused, after all others
        were changed, if some cannot be.
        """
        writes = [self._build_write(seen, changed) for seen, changed in pairs]
        with write_errors("changing mails of a meeting"), pymongo.timeout(within.total_seconds()):
            matched, stuck = 0, list[str]()
            for start in range(0, len(writes), WRITTEN_AT_ONCE):
                part = writes[start : start + WRITTEN_AT_ONCE]
                count, failed = await write_each(self.mongo.jobs, part)
                matched += count
                stuck += [pairs[start + each][0].id for each in failed]
        if stuck:
            raise refuse_change(stuck)
        return matched, len(pairs) - matched

    def _build_write(self, seen: Job, changed: Job) -> UpdateOne:
        change = build_change(seen, changed, self.retention)
        if any(getattr(seen, name) != getattr(changed, name) for name in SHOWN):
            add_shown_to(change, changed)
        return UpdateOne(filter_unchanged(seen), change, hint=BY_ID)


def refuse_change(job_ids: Sequence[str]) -> StoreRefused:
    """Return the error for mails that cannot be changed, and log which they are."""
    doing = "changing mails of a meeting"
    structlog.get_logger().error(
        "jobs not changed", count=len(job_ids), jobs=list(job_ids[:MAX_NAMED])
    )
    return StoreRefused(doing, Problem.DOCUMENT, SENTENCES[Problem.DOCUMENT])


def add_shown_to(change: dict[str, Any], job: Job) -> None:
    """Add to *change* what the mail of *job* shows now."""
    document = encode(job)
    change["$set"] |= {name: document[name] for name in SHOWN_FIELDS if name in document}
    change["$unset"] |= {name: "" for name in SHOWN_FIELDS if name not in document}
