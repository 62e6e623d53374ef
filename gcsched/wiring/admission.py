"""Build what accepts requests: each in a group that shares one write."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gcsched.adapters.mail.template_variables import RESERVED_NAMES
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.config.settings import Settings
from gcsched.domain.request import RequestContext
from gcsched.rpc.methods.schedule import ScheduleMethods
from gcsched.rpc.methods.templates import TemplateMethods
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from gcsched.usecases.admission.preview import DryRun, PreviewTemplate
from gcsched.usecases.admission.recipient_writer import RecipientWriter
from gcsched.usecases.admission.submit import AdmissionWriter, SubmissionResult, Submit
from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.ports import AdmissionCheck, BatchStep
from gcsched.usecases.wakeups import WakeUps
from gcsched.wiring import policies
from gcsched.wiring.delivery import build_composer
from gcsched.wiring.resources import Resources

MAX_BATCH_SIZE = 1_000  # a whole batch
LINGER = timedelta(milliseconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """*group* writes the requests that *submit* takes; *recipients* what they say of employees."""

    submit: Submit
    group: GroupCommit[Submission, SubmissionResult]
    recipients: RecipientWriter


def build_admission(
    settings: Settings, resources: Resources, ringer: WakeUps, may_admit: AdmissionCheck
) -> Admission:
    recipients = RecipientWriter(store=MongoRecipients(mongo=resources.mongo))
    admissions = MongoAdmissions(mongo=resources.mongo)
    write = AdmissionWriter(
        admissions=admissions, wake_ups=ringer, recipients=recipients, check_admission=may_admit
    )
    group: GroupCommit[Submission, SubmissionResult] = GroupCommit(
        write.write,
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
    offer = RequestContext(
        templates=templates.variables_by_template,
        reserved_names=RESERVED_NAMES,
        daily_plan=policies.daily_plan(settings),
        address_rules=settings.internal_domains,
    )
    return JobFactory(
        context=offer,
        dedup=policies.dedup_rule(settings),
        message_id_domain=policies.message_id_domain(settings),
        keep_trying=policies.keep_trying(settings),
    )


def schedule_methods(settings: Settings, resources: Resources, submit: Submit) -> ScheduleMethods:
    rehearse = DryRun(
        job_factory=submit.job_factory,
        drafter=build_composer(settings, resources.templates),
        admissions=MongoAdmissions(mongo=resources.mongo),
        suppressions=MongoSuppressions(mongo=resources.mongo),
        now=resources.clock,
    )
    return ScheduleMethods(submit=submit, dry_run=rehearse)


def template_methods(settings: Settings, resources: Resources, submit: Submit) -> TemplateMethods:
    preview = PreviewTemplate(
        job_factory=submit.job_factory,
        drafter=build_composer(settings, resources.templates),
        now=resources.clock,
    )
    return TemplateMethods(templates=resources.templates.list_info, preview=preview)
