"""Builds admission: requests are written in groups."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gcsched.adapters.mail.template_variables import RESERVED_NAMES
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.config.settings import Settings
from gcsched.domain.meeting import Person
from gcsched.domain.organizer import OrganizerRule
from gcsched.domain.request import RequestContext
from gcsched.process.zone_data import find_zone_version
from gcsched.rpc.methods.schedule import ScheduleMethods
from gcsched.rpc.methods.templates import TemplateMethods
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from gcsched.usecases.admission.meeting_writer import MeetingWriter
from gcsched.usecases.admission.preview import DryRun, PreviewTemplate
from gcsched.usecases.admission.quotas import Quotas
from gcsched.usecases.admission.recipient_writer import RecipientWriter
from gcsched.usecases.admission.send_test import SendTestMail
from gcsched.usecases.admission.submit import AdmissionWriter, SubmissionResult, Submit
from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.ports import AdmissionCheck, BatchStep
from gcsched.usecases.wakeups import WakeUps
from gcsched.wiring import policies
from gcsched.wiring.delivery import build_composer
from gcsched.wiring.resources import Resources

MAX_BATCH_SIZE = 1_000  # the largest batch of one call fits into one write
# For larger writes under load, 21 ms at most; a single caller does not wait.
LINGER = timedelta(milliseconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The use cases of admission, and the loops behind them.

    *group* writes the requests that *submit* accepts, *recipients* the user details in them.
    """

    submit: Submit
    group: GroupCommit[Submission, SubmissionResult]
    recipients: RecipientWriter


def build_admission(
    settings: Settings,
    resources: Resources,
    wake_ups: WakeUps,
    check_admission: AdmissionCheck,
    quotas: Quotas,
) -> Admission:
    recipients = RecipientWriter(store=MongoRecipients(mongo=resources.mongo))
    meetings = MeetingWriter(
        store=MongoEventMeetings(mongo=resources.mongo, retention=policies.retention(settings))
    )
    admissions = MongoAdmissions(mongo=resources.mongo)
    writer = AdmissionWriter(
        admissions=admissions,
        wake_ups=wake_ups,
        recipients=recipients,
        check_admission=check_admission,
        quotas=quotas,
        meetings=meetings,
    )
    group: GroupCommit[Submission, SubmissionResult] = GroupCommit(
        writer.write,
        max_batch_size=MAX_BATCH_SIZE,
        linger=LINGER,
        max_waiting=settings.admission_waiting,
        on_batch=partial(resources.metrics.on_batch, BatchStep.ADMISSION),
    )
    factory = build_job_factory(settings, resources.templates)
    submit = Submit(
        job_factory=factory, group=group, now=resources.clock, observer=resources.metrics
    )
    return Admission(submit=submit, group=group, recipients=recipients)


def build_job_factory(settings: Settings, templates: TemplateSet) -> JobFactory:
    context = RequestContext(
        templates=templates.variables_by_template,
        reserved_names=RESERVED_NAMES,
        daily_plan=policies.daily_plan(settings),
        address_rules=settings.internal_domains,
        allowed_recipients=settings.allowed_recipients,
        senders=policies.senders(settings),
        organizers=OrganizerRule(
            sender=Person(email=settings.sender_email, name=settings.sender_name),
            domains=settings.organizer_domains,
            others={
                each.key: Person(email=each.address, name=each.name) for each in settings.senders
            },
        ),
    )
    return JobFactory(
        context=context,
        dedup=policies.dedup_rule(settings),
        message_id_domain=policies.message_id_domain(settings),
        keep_trying=policies.keep_trying(settings),
        sender_domains=policies.sender_domains(settings),
        zone_version=find_zone_version(),
    )


def build_schedule_methods(
    settings: Settings, resources: Resources, submit: Submit, quotas: Quotas
) -> ScheduleMethods:
    dry_run = DryRun(
        job_factory=submit.job_factory,
        drafter=build_composer(settings, resources.templates),
        admissions=MongoAdmissions(mongo=resources.mongo),
        suppressions=MongoSuppressions(mongo=resources.mongo),
        now=resources.clock,
        quotas=quotas,
    )
    return ScheduleMethods(submit=submit, dry_run=dry_run)


def build_template_methods(
    settings: Settings, resources: Resources, submit: Submit
) -> TemplateMethods:
    preview = PreviewTemplate(
        job_factory=submit.job_factory.for_previews(),
        drafter=build_composer(settings, resources.templates),
        now=resources.clock,
    )
    test = SendTestMail(
        submit=submit, test_recipients=settings.test_recipients, now=resources.clock
    )
    return TemplateMethods(templates=resources.templates.list_info, preview=preview, test=test)
