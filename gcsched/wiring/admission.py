"""Build what accepts requests: each in a group that shares one write."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gcsched.adapters.mail.template_variables import RESERVED
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.config.settings import Settings
from gcsched.domain.request import Offer
from gcsched.rpc.methods.schedule import ScheduleMethods
from gcsched.rpc.methods.templates import TemplateMethods
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from gcsched.usecases.admission.preview import PreviewTemplate, Rehearse
from gcsched.usecases.admission.recipient_writer import RecipientNotes
from gcsched.usecases.admission.submit import AdmissionWrite, Stored, Submit
from gcsched.usecases.batching import Group
from gcsched.usecases.ports import MayAdmit, Step
from gcsched.usecases.wakeups import Ringer
from gcsched.wiring import policies
from gcsched.wiring.delivery import composer
from gcsched.wiring.resources import Resources

MOST_TOGETHER = 1_000  # a whole batch
LINGER = timedelta(milliseconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """*group* writes the requests that *submit* takes; *recipients* what they say of employees."""

    submit: Submit
    group: Group[Submission, Stored]
    recipients: RecipientNotes


def build_admission(
    settings: Settings, resources: Resources, ringer: Ringer, may_admit: MayAdmit
) -> Admission:
    recipients = RecipientNotes(store=MongoRecipients(mongo=resources.mongo))
    admissions = MongoAdmissions(mongo=resources.mongo)
    write = AdmissionWrite(
        admissions=admissions, ringer=ringer, recipients=recipients, may_admit=may_admit
    )
    group: Group[Submission, Stored] = Group(
        write,
        most=MOST_TOGETHER,
        linger=LINGER,
        waiting=settings.admission_waiting,
        on_batch=partial(resources.metrics.batch, Step.ADMISSION),
    )
    factory = job_factory(settings, resources.templates)
    submit = Submit(make_job=factory, group=group, now=resources.clock, observer=resources.metrics)
    return Admission(submit=submit, group=group, recipients=recipients)


def job_factory(settings: Settings, templates: TemplateSet) -> JobFactory:
    offer = Offer(
        templates=templates.needs,
        given=RESERVED,
        daily=policies.daily_plan(settings),
        addresses=settings.internal_domains,
    )
    return JobFactory(
        offer=offer,
        dedup=policies.dedup(settings),
        message_id_domain=policies.message_id_domain(settings),
        keep_trying=policies.keep_trying(settings),
    )


def schedule_methods(settings: Settings, resources: Resources, submit: Submit) -> ScheduleMethods:
    rehearse = Rehearse(
        make_job=submit.make_job,
        drafter=composer(settings, resources.templates),
        admissions=MongoAdmissions(mongo=resources.mongo),
        suppressions=MongoSuppressions(mongo=resources.mongo),
        now=resources.clock,
    )
    return ScheduleMethods(submit=submit, rehearse=rehearse)


def template_methods(settings: Settings, resources: Resources, submit: Submit) -> TemplateMethods:
    preview = PreviewTemplate(
        make_job=submit.make_job,
        drafter=composer(settings, resources.templates),
        now=resources.clock,
    )
    return TemplateMethods(templates=resources.templates.facts, preview=preview)
