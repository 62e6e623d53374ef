"""The methods of the blocking client that schedule mails."""

from collections.abc import Iterable
from datetime import datetime
from typing import Unpack

from gcsched.client.argument_values import ScheduleTime
from gcsched.client.blocking.connection import BlockingConnection
from gcsched.client.calls import scheduling as calls
from gcsched.client.calls.scheduling import MailOptions, MailRequest, OptionalFields
from gcsched.client.errors import CallFailed
from gcsched.client.results.jobs import ScheduledJob, Validation


class SchedulingMethods(BlockingConnection):
    """Schedule one mail, or many."""

    def schedule(
        self,
        *,
        empid: str,
        email: str,
        message: str,
        at: ScheduleTime,
        timeout: float | None = None,
        **options: Unpack[MailOptions],
    ) -> ScheduledJob:
        """Schedule a mail of *message* to *email* at *at*. Raises CallFailed.

        *at* is an aware datetime, Unix seconds, or DAILY for the next daily run; a past time means
        now. Options are *name*, *request_id*, *template*, *variables*, *not_after*, *reply_to*,
        *labels*, *urgent* and *event*. The same request again is the same job:

        >>> lunch: MailOptions = {"name": "Ada", "labels": {"team": "engines"}}
        >>> tomorrow = datetime.now(UTC) + timedelta(days=1)
        >>> job = gcsched.schedule(
        ...     empid="E1", email="ada@example.org", message="Lunch", at=tomorrow, **lunch
        ... )
        >>> again = gcsched.schedule(
        ...     empid="E1", email="ada@example.org", message="Lunch", at=tomorrow, **lunch
        ... )
        >>> job.state, job.outcome, again.outcome, again == job
        ('SCHEDULED', 'CREATED', 'REPLAYED', True)
        """
        return self._run(calls.schedule(empid, email, message, at, **options), timeout)

    def schedule_many(
        self, requests: Iterable[MailRequest], *, timeout: float | None = None
    ) -> list[ScheduledJob | CallFailed]:
        """Schedule any number of mails; return one job or error for each, in their order.

        They are sent in batches of up to 1,000 and 4 MiB; *timeout* is for each batch. An invalid
        request does not affect the others. If a batch fails as a whole, it is the last one: its
        requests, and those not sent yet, have that error. Schedule them again later.

        >>> requests = [
        ...     MailRequest(empid="E1", email="ada@example.org", message="All hands", at=DAILY),
        ...     MailRequest(empid="E2", email="not an address", message="All hands", at=DAILY),
        ... ]
        >>> for request, answer in zip(requests, gcsched.schedule_many(requests), strict=True):
        ...     if isinstance(answer, CallFailed):
        ...         print(request.empid, "refused:", [each.field for each in answer.violations])
        ...     else:
        ...         print(request.empid, answer.state)
        E1 QUEUED
        E2 refused: ['emailID']
        """
        return self._run_batches(requests, timeout)

    def validate(
        self,
        *,
        empid: str,
        email: str,
        message: str,
        at: ScheduleTime,
        timeout: float | None = None,
        **options: Unpack[MailOptions],
    ) -> Validation:
        """Check the request that schedule would send, and preview its mail. Stores nothing.

        An invalid request raises InvalidArgument.

        >>> found = gcsched.validate(
        ...     empid="E1", email="ada@example.org", message="Dinner", at=DAILY
        ... )
        >>> found.success, found.state, found.preview.subject
        (True, 'QUEUED', 'Dinner')
        """
        return self._run(calls.validate(empid, email, message, at, **options), timeout)

    def schedule_meet(
        self,
        *,
        empid: str,
        email: str,
        message: str,
        name: str = "",
        at: datetime | int | None,
        **options: Unpack[OptionalFields],
    ) -> ScheduledJob:
        """Do what schedule does, as earlier versions wrote it: None and 0 are the daily run."""
        call = calls.schedule_meet(empid, email, message, name, at, **options)
        return self._run(call, None)
