"""Temporary."""

from gcsched.adapters.mongo.meetings.meeting_jobs import MongoMeetingJobs
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.config.settings import Settings
from gcsched.domain.meetings.mails import MailRules
from gcsched.usecases.meetings.reconcile import Reconciler
from gcsched.usecases.ports import AdmissionCheck
from gcsched.usecases.wakeups import WakeUps
from gcsched.wiring import policies
from gcsched.wiring.resources import Resources


def build_reconciler(
    settings: Settings, resources: Resources, wake_ups: WakeUps, check_admission: AdmissionCheck
) -> Reconciler:
    retention = policies.retention(settings)
    return Reconciler(
        meetings=MongoMeetings(mongo=resources.mongo, retention=retention),
        jobs=MongoMeetingJobs(mongo=resources.mongo, retention=retention),
        rules=MailRules(
            message_id_domain=policies.message_id_domain(settings),
            sender_domains=policies.sender_domains(settings),
        ),
        wake_ups=wake_ups,
        now=resources.clock,
        check_admission=check_admission,
    )
