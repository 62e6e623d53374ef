"""The limits of a client's jobs: how many a day, and how many may wait.

What a client has had of a day is reserved before its jobs are inserted, so that no process and no
crash can exceed the limit; what turns out not to be new is given back. A repeated call gets its job
also when nothing is left, so duplicates are looked up before a job is refused.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from gcsched.domain.access import Client
from gcsched.domain.client_limits import Limit, day_of, job_limit_error
from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.job import Job
from gcsched.errors import ClientLimit, GcschedError, StoreRefused, StoreUnavailable
from gcsched.usecases.admission.client_reservation import (
    Answers,
    ClientReservation,
    find_key,
    split_new,
)
from gcsched.usecases.admission.day_uses import DayUses
from gcsched.usecases.admission.job_factory import Submission
from gcsched.usecases.admission.waiting_jobs import WaitingJobs
from gcsched.usecases.ports import (
    Admissions,
    Clock,
    LimitObserver,
    NullLimitObserver,
    UsageStore,
)

GIVE_BACK_TIMEOUT = timedelta(seconds=1)


@dataclass(kw_only=True, eq=False)
class Quotas:
    """Reserves room for the jobs of clients. A group is reserved, inserted and settled at a time.

    *uses* is what this process knows: while plenty is left, most groups need no further statement.
    """

    usage: UsageStore
    admissions: Admissions
    now: Clock
    waiting: WaitingJobs
    observer: LimitObserver = field(default_factory=NullLimitObserver)
    uses: DayUses = field(default_factory=DayUses)

    def open(self, group: Sequence[Submission]) -> "GroupReservation | None":
        """Return a reservation for *group*, not made yet; None if none of it is counted.

        Late jobs are only looked up, so they need no room.
        """
        counted = [each for each in group if each.counted_for is not None and not each.is_late]
        if not counted:
            return None
        # The clients file may have been read again meanwhile: of two versions the later one counts.
        clients = {each.counted_for.name: each.counted_for for each in counted if each.counted_for}
        jobs_of: dict[str, list[Job]] = {name: [] for name in clients}
        for each in counted:
            jobs_of[each.job.client].append(each.job)
        day = day_of(self.now())
        parts = [
            ClientReservation(client=client, jobs=jobs_of[name], day=day)
            for name, client in clients.items()
        ]
        return GroupReservation(quotas=self, parts=parts)

    async def make(self, part: ClientReservation, within: timedelta) -> None:
        """Reserve room for the jobs of *part*, and answer those that get none.

        May be repeated after StoreUnavailable.
        """
        if part.is_made:
            return
        try:
            await self._make(part, within)
        except StoreRefused as refused:
            # Something is wrong with the counts: the jobs of other clients must not wait for them.
            part.answers = dict.fromkeys((job.id for job in part.jobs), refused)
        part.is_made = True

    async def _make(self, part: ClientReservation, within: timedelta) -> None:
        room = await self.waiting.find_room(part.client, within=within)
        needed = len({find_key(job) for job in part.jobs})
        if (room is None or needed <= room) and self._has_plenty(part, needed):
            await self._hold(part, needed, within)
            if part.held >= needed:
                return
        found = await self.admissions.dry_run(part.jobs, within=within)
        part.answers, new = split_new(part.jobs, found)
        needed = len({find_key(job) for job in new})
        await self._hold(part, needed if room is None else min(needed, room), within)
        refused = self._refuse_beyond(part, new, room)
        part.answers |= refused
        for error in refused.values():
            self.observer.on_limit(part.client.name, Limit(error.metadata["limit"]))

    def _has_plenty(self, part: ClientReservation, needed: int) -> bool:
        if part.limit is None:
            return True
        return self.uses.has_plenty(part.client.name, part.day, needed, most=part.limit)

    async def _hold(self, part: ClientReservation, needed: int, within: timedelta) -> None:
        """Reserve until *needed* jobs are held, or as many as fit."""
        missing = needed - part.held
        if missing <= 0:
            return
        if part.limit is None:
            part.held = needed
            return
        name, day = part.client.name, part.day
        taken = self.uses.take(name, day, missing, most=part.limit)
        part.held += taken
        missing -= taken
        if not missing or self.uses.is_full(name, day, most=part.limit):
            return
        reserve = self.uses.choose_reserve(name, day, missing, most=part.limit)
        grant = await self.usage.reserve(
            name, day, missing + reserve, most=part.limit, within=within
        )
        granted = min(missing, grant.count)
        part.held += granted
        self.uses.record(name, day, used=grant.used, reserve=grant.count - granted)
        self.observer.on_usage(name, Limit.JOBS_PER_DAY, grant.used, part.limit)

    def _refuse_beyond(
        self, part: ClientReservation, new: Sequence[Job], room: int | None
    ) -> dict[str, ClientLimit]:
        """Return the errors of those *new* jobs for which there is no room."""
        keys = list(dict.fromkeys(find_key(job) for job in new))
        admitted = part.held if room is None else min(part.held, room)
        is_full = room is not None and room <= part.held
        limit = Limit.JOBS_WAITING if is_full else Limit.JOBS_PER_DAY
        refused, now = set(keys[admitted:]), self.now()
        return {
            job.id: job_limit_error(part.client, limit, now=now)
            for job in new
            if find_key(job) in refused
        }

    async def settle(self, part: ClientReservation, answers: Mapping[str, object]) -> None:
        """Undo what was reserved for jobs that are not new."""
        stored = [answers[job.id] for job in part.jobs if job.id in answers]
        new = sum(isinstance(each, AdmissionResult) and each.is_new for each in stored)
        await self.settle_count(part, new)

    async def settle_count(self, part: ClientReservation, new: int) -> None:
        """Undo what was reserved beyond *new* jobs, which were made."""
        self.waiting.record_admitted(part.client, new)
        await self._give_back(part, part.held - new)

    async def reserve(self, client: Client, count: int, *, within: timedelta) -> ClientReservation:
        """Reserve room for all of *count* jobs that are new, or for none. Raises ClientLimit."""
        part = ClientReservation(client=client, jobs=(), day=day_of(self.now()))
        room = await self.waiting.find_room(client, within=within)
        if room is None or count <= room:
            await self._hold(part, count, within)
        if part.held < count:
            await self._give_back(part, part.held)
            limit = Limit.JOBS_PER_DAY if room is None or count <= room else Limit.JOBS_WAITING
            self.observer.on_limit(client.name, limit)
            raise job_limit_error(client, limit, now=self.now())
        return part

    async def check(self, client: Client, count: int, *, within: timedelta) -> None:
        """Raise ClientLimit if `reserve` would; nothing is reserved."""
        room = await self.waiting.find_room(client, within=within)
        if room is not None and count > room:
            raise job_limit_error(client, Limit.JOBS_WAITING, now=self.now())
        part = ClientReservation(client=client, jobs=(), day=day_of(self.now()))
        if await self._count_left(part, count, within) < count:
            raise job_limit_error(client, Limit.JOBS_PER_DAY, now=self.now())

    def keep(self, part: ClientReservation) -> None:
        """Keep what was reserved for the next group: nothing of this one was inserted."""
        if part.limit is not None:
            self.uses.keep(part.client.name, part.day, part.held)
        part.held = 0

    async def settle_refused(self, part: ClientReservation) -> None:
        """Undo what was reserved, after MongoDB has refused to insert: some may be stored."""
        ids = [job.id for job in part.jobs if job.id not in part.answers]
        with suppress(StoreUnavailable):
            stored = await self.usage.count_stored(ids, within=GIVE_BACK_TIMEOUT)
            await self._give_back(part, part.held - stored)

    async def _give_back(self, part: ClientReservation, unused: int) -> None:
        """Undo the reservation of *unused* jobs; if that fails, the day has fewer."""
        if part.limit is None:
            return
        name, day = part.client.name, part.day
        returned = self.uses.put_back(name, day, max(0, unused), most=part.limit)
        if returned:
            with suppress(StoreUnavailable):
                await self.usage.give_back(name, day, returned, within=GIVE_BACK_TIMEOUT)

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for *stop*, and give back then what is in reserve: other processes can use it."""
        await stop.wait()
        with suppress(StoreUnavailable):  # the day has fewer then
            for name, day, count in self.uses.empty():
                await self.usage.give_back(name, day, count, within=GIVE_BACK_TIMEOUT)

    async def preview(
        self,
        client: Client,
        jobs: Sequence[Job],
        found: Sequence[AdmissionResult | GcschedError],
        *,
        within: timedelta,
    ) -> dict[str, ClientLimit]:
        """Return the errors that those of *jobs* would get that are beyond a limit.

        *found* is what a dry run has found for each.
        """
        _, new = split_new(jobs, found)
        if not new:
            return {}
        part = ClientReservation(client=client, jobs=new, day=day_of(self.now()))
        room = await self.waiting.find_room(client, within=within)
        needed = len({find_key(job) for job in new})
        part.held = await self._count_left(part, needed, within)
        return self._refuse_beyond(part, new, room)

    async def _count_left(self, part: ClientReservation, needed: int, within: timedelta) -> int:
        """Return how many of *needed* jobs the day has left."""
        if part.limit is None:
            return needed
        name = part.client.name
        used = await self.usage.read(name, part.day, within=within)
        left = part.limit - used + self.uses.read_reserve(name, part.day)
        return min(needed, max(0, left))


@dataclass(kw_only=True, eq=False)
class GroupReservation:
    """The reservations of all clients of a group."""

    quotas: Quotas
    parts: Sequence[ClientReservation]
    is_doubtful: bool = False
    """Whether jobs may be stored although MongoDB has not confirmed it."""

    @property
    def answers(self) -> Answers:
        """Return the answers to the jobs that must not be inserted."""
        return {job_id: answer for part in self.parts for job_id, answer in part.answers.items()}

    async def make(self, within: timedelta) -> None:
        """Make all reservations. After StoreUnavailable it may be repeated."""
        making = [self.quotas.make(part, within) for part in self.parts]
        for result in await asyncio.gather(*making, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def keep(self) -> None:
        """Keep what was reserved, where another client's reservation has failed."""
        for part in self.parts:
            self.quotas.keep(part)

    async def settle(self, answers: Mapping[str, object]) -> None:
        for part in self.parts:
            await self.quotas.settle(part, answers)

    async def settle_refused(self) -> None:
        """Undo what was reserved for refused jobs, unless an earlier try may have stored them."""
        if not self.is_doubtful:
            for part in self.parts:
                await self.quotas.settle_refused(part)
