"""Builds the methods for meetings."""

from gcsched.adapters.mongo.meetings.meeting_list import MongoMeetingList
from gcsched.rpc.methods.meetings import MeetingMethods
from gcsched.usecases.admission.invitation_quota import InvitationQuota
from gcsched.usecases.admission.job_factory import JobFactory
from gcsched.usecases.admission.quotas import Quotas
from gcsched.usecases.meetings.change import ChangeMeeting
from gcsched.usecases.meetings.create import CreateMeeting
from gcsched.usecases.meetings.read import ReadMeetings
from gcsched.usecases.meetings.result import MeetingRules
from gcsched.wiring.meetings import Meetings
from gcsched.wiring.resources import Resources


def build_meeting_methods(
    resources: Resources, meetings: Meetings, factory: JobFactory, quotas: Quotas
) -> MeetingMethods:
    store, reconciler = meetings.store, meetings.reconciler
    rules = MeetingRules(
        context=factory.context, mails=reconciler.rules, zone_version=factory.zone_version
    )
    quota = InvitationQuota(quotas=quotas)
    return MeetingMethods(
        create_meeting=CreateMeeting(
            store=store,
            reconciler=reconciler,
            rules=rules,
            quota=quota,
            now=resources.clock,
            check_admission=reconciler.check_admission,
        ),
        change_meeting=ChangeMeeting(
            store=store,
            reconciler=reconciler,
            rules=rules,
            quota=quota,
            now=resources.clock,
            check_admission=reconciler.check_admission,
        ),
        read=ReadMeetings(store=store, meeting_list=MongoMeetingList(mongo=resources.mongo)),
    )
