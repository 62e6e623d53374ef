"""The methods for meetings on real stores, with a clock that stands still and no delivery."""

import dataclasses

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meetings.meeting_jobs import MongoMeetingJobs
from gcsched.adapters.mongo.meetings.meeting_list import MongoMeetingList
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.adapters.mongo.usage import MongoUsage
from gcsched.domain.meetings.mails import TEMPLATES
from gcsched.rpc.methods.meetings import MeetingMethods
from gcsched.usecases.admission.invitation_quota import InvitationQuota
from gcsched.usecases.admission.quotas import Quotas
from gcsched.usecases.admission.waiting_jobs import WaitingJobs
from gcsched.usecases.meetings.change import ChangeMeeting
from gcsched.usecases.meetings.create import CreateMeeting
from gcsched.usecases.meetings.read import ReadMeetings
from gcsched.usecases.meetings.reconcile import Reconciler
from gcsched.usecases.meetings.result import MeetingRules
from gcsched.usecases.ports import AdmissionCheck, Clock, MeetingJobs, Meetings, admit_always
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import WITH_INVITATIONS, FixedClock
from tests.support.corrupt_jobs import RETENTION
from tests.support.stored_meetings import RULES
from tests.support.wakeups import NoWakeUpQueue

CONTEXT = dataclasses.replace(WITH_INVITATIONS, templates=dict.fromkeys(TEMPLATES.values(), ()))


def create_meeting_methods(
    mongo: Mongo,
    clock: Clock | None = None,
    *,
    store: Meetings | None = None,
    jobs: MeetingJobs | None = None,
    check_admission: AdmissionCheck = admit_always,
) -> MeetingMethods:
    """Build the methods of a service; a test may replace its stores by its own."""
    now = clock or FixedClock()
    store = store or MongoMeetings(mongo=mongo, retention=RETENTION)
    reconciler = Reconciler(
        meetings=store,
        jobs=jobs or MongoMeetingJobs(mongo=mongo, retention=RETENTION),
        rules=RULES,
        wake_ups=WakeUps(queue=NoWakeUpQueue(), nudge=lambda: None, now=now),
        now=now,
        check_admission=check_admission,
    )
    usage = MongoUsage(mongo=mongo)
    quota = InvitationQuota(
        quotas=Quotas(
            usage=usage,
            admissions=MongoAdmissions(mongo=mongo),
            now=now,
            waiting=WaitingJobs(usage=usage),
        )
    )
    rules = MeetingRules(context=CONTEXT, mails=RULES, zone_version="2026a")
    return MeetingMethods(
        create_meeting=CreateMeeting(
            store=store,
            reconciler=reconciler,
            rules=rules,
            quota=quota,
            now=now,
            check_admission=check_admission,
        ),
        change_meeting=ChangeMeeting(
            store=store,
            reconciler=reconciler,
            rules=rules,
            quota=quota,
            now=now,
            check_admission=check_admission,
        ),
        read=ReadMeetings(store=store, meeting_list=MongoMeetingList(mongo=mongo)),
    )
