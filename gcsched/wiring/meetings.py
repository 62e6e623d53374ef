"""Builds meetings: the reconciler, the loop of notices, and what other subsystems ask of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gcsched.adapters.mongo.meetings.claimed_meetings import MongoClaimedMeetings
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.meetings.meeting_jobs import MongoMeetingJobs
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.config.settings import Settings
from gcsched.domain.job import Job
from gcsched.process.zone_data import find_zone_version
from gcsched.usecases.meetings.job_changes import MeetingsOfJobs
from gcsched.usecases.meetings.notices import MeetingNotices
from gcsched.usecases.meetings.reconcile import Reconciler
from gcsched.usecases.meetings.unchecked import CheckMeetings
from gcsched.usecases.meetings.zone_rules import ApplyZoneRules
from gcsched.usecases.ports import AdmissionCheck
from gcsched.usecases.wakeups import WakeUps
from gcsched.wiring import policies
from gcsched.wiring.resources import Resources

MAX_RECONCILE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meetings:
    """The reconciler makes the mails of meetings, *notices* has it look at those with news.

    *claimed* answers delivery after each claim, *of_jobs* the changes of single jobs. *checks* and
    *zone_rules* are for the sweep.
    """

    store: MongoMeetings
    reconciler: Reconciler
    notices: MeetingNotices
    claimed: MongoClaimedMeetings
    of_jobs: MeetingsOfJobs
    checks: CheckMeetings
    zone_rules: ApplyZoneRules

    async def sweep(self) -> None:
        """Reconcile and move what has to be by now. Raises StoreUnavailable."""
        await self.checks.check()
        await self.zone_rules.apply()


def build_meetings(
    settings: Settings,
    resources: Resources,
    wake_ups: WakeUps,
    check_admission: AdmissionCheck,
    on_invited: Callable[[Job], None],
) -> Meetings:
    """Build meetings; *on_invited* is called with each new invitation of an employee."""
    mongo, retention = resources.mongo, policies.retention(settings)
    store = MongoMeetings(mongo=mongo, retention=retention)
    reconciler = Reconciler(
        meetings=store,
        jobs=MongoMeetingJobs(mongo=mongo, retention=retention),
        rules=policies.mail_rules(settings),
        wake_ups=wake_ups,
        now=resources.clock,
        on_invited=on_invited,
        check_admission=check_admission,
    )
    notices = MeetingNotices(
        meetings=store, reconcile=partial(reconciler.reconcile, within=MAX_RECONCILE)
    )
    claimed = MongoClaimedMeetings(
        mongo=mongo, event_meetings=MongoEventMeetings(mongo=mongo, retention=retention)
    )
    return Meetings(
        store=store,
        reconciler=reconciler,
        notices=notices,
        claimed=claimed,
        of_jobs=MeetingsOfJobs(
            meetings=store, claimed_meetings=claimed, reconciler=reconciler, notices=notices
        ),
        checks=CheckMeetings(meetings=store, reconciler=reconciler, now=resources.clock),
        zone_rules=ApplyZoneRules(
            meetings=store,
            reconciler=reconciler,
            now=resources.clock,
            version=find_zone_version(),
        ),
    )
