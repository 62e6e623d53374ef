"""Builds the methods that read and change jobs, suppressions and recipients."""

from gcsched.adapters.mongo.audit import MongoAudit
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList, MongoJobReader
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.config.settings import Settings
from gcsched.rpc.methods.jobs import ChangeJobMethods, ReadJobMethods
from gcsched.rpc.methods.recipients import RecipientMethods
from gcsched.rpc.methods.suppressions import SuppressionMethods
from gcsched.rpc.status import reason_of
from gcsched.usecases.audit import Audit
from gcsched.usecases.audited_acts import (
    AuditedBulkChange,
    AuditedRecipients,
    AuditedSuppressions,
)
from gcsched.usecases.management.bulk_change import ApplyBulkChange
from gcsched.usecases.management.change_job import ChangeJob
from gcsched.usecases.management.read_jobs import ReadJobs
from gcsched.usecases.management.recipients import ManageRecipients
from gcsched.usecases.management.suppressions import ManageSuppressions
from gcsched.usecases.ports import AdmissionCheck
from gcsched.wiring import policies
from gcsched.wiring.resources import Resources
from gcsched.wiring.subsystems import Subsystems


def build_read_job_methods(resources: Resources) -> ReadJobMethods:
    reader, jobs = MongoJobReader(), MongoJobList(mongo=resources.mongo)
    return ReadJobMethods(read=ReadJobs(reader=reader, job_list=jobs))


def build_change_job_methods(
    settings: Settings,
    resources: Resources,
    built: Subsystems,
    check_admission: AdmissionCheck,
) -> ChangeJobMethods:
    mongo, now = resources.mongo, resources.clock
    wake_ups, meetings = built.wake_ups, built.meetings.of_jobs
    store = MongoJobChanges(mongo=mongo, retention=policies.retention(settings))
    suppressions = MongoSuppressions(mongo=mongo)
    return ChangeJobMethods(
        change_job=ChangeJob(
            store=store,
            suppressions=suppressions,
            wake_ups=wake_ups,
            now=now,
            check_admission=check_admission,
            meetings=meetings,
        ),
        change_jobs=AuditedBulkChange(
            audit=built.audit,
            change_jobs=ApplyBulkChange(
                job_list=MongoJobList(mongo=mongo),
                majority_list=MongoJobList(mongo=mongo, is_majority_read=True),
                store=store,
                suppressions=suppressions,
                wake_ups=wake_ups,
                now=now,
                check_admission=check_admission,
                meetings=meetings,
            ),
        ),
        daily_plan=policies.daily_plan(settings),
        keep_trying=policies.keep_trying(settings),
        window=policies.dedup_rule(settings).window,
        now=now,
    )


def build_suppression_methods(
    settings: Settings, resources: Resources, audit: Audit
) -> SuppressionMethods:
    suppressions = ManageSuppressions(
        store=MongoSuppressions(mongo=resources.mongo),
        jobs=MongoJobChanges(mongo=resources.mongo, retention=policies.retention(settings)),
        default_duration=policies.suppression_duration(settings),
        now=resources.clock,
    )
    return SuppressionMethods(
        suppressions=suppressions,
        changing=AuditedSuppressions(audit=audit, suppressions=suppressions),
        now=resources.clock,
        addresses=settings.internal_domains,
    )


def build_recipient_methods(resources: Resources, audit: Audit) -> RecipientMethods:
    data = MongoPersonalData(mongo=resources.mongo)
    recipients = ManageRecipients(data=data, now=resources.clock)
    return RecipientMethods(
        recipients=recipients, erasing=AuditedRecipients(audit=audit, recipients=recipients)
    )


def build_audit(resources: Resources) -> Audit:
    return Audit(store=MongoAudit(mongo=resources.mongo), reason_of=reason_of, now=resources.clock)
