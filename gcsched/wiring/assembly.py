"""Build the service's objects from settings and open resources: plain constructor calls."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gcsched.adapters.mail.template_variables import RESERVED
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.indexes import MongoIndexes
from gcsched.adapters.mongo.jobs import MongoJobs
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.adapters.redis.arq import ArqBell
from gcsched.config.settings import Settings
from gcsched.domain.request import Offer
from gcsched.rpc.methods.schedule import Scheduling
from gcsched.rpc.methods.sending import SteeringSending
from gcsched.rpc.methods.status import TellingStatus
from gcsched.rpc.methods.templates import Templating
from gcsched.usecases.admission.job_factory import JobFactory
from gcsched.usecases.admission.preview import PreviewTemplate, Rehearse
from gcsched.usecases.admission.recipient_writer import RecipientNotes
from gcsched.usecases.admission.submit import AdmissionWrite, Asked, Stored, Submit
from gcsched.usecases.batching import Group
from gcsched.usecases.delivery.engine import Engine
from gcsched.usecases.ports import Step
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.recovery.indexes import IndexCare, MayAdmit
from gcsched.usecases.wakeups import Ringer
from gcsched.wiring import policies
from gcsched.wiring.background import NamedLoop
from gcsched.wiring.delivery import Delivery, build_delivery, composer
from gcsched.wiring.management import build_readers, build_status
from gcsched.wiring.monitoring import build_visibility
from gcsched.wiring.recovery import build_upkeep
from gcsched.wiring.resources import Resources
from gcsched.wiring.steering import build_steering
from gcsched.wiring.stores import build_store_watch

MOST_TOGETHER = 1_000  # a whole batch
LINGER = timedelta(milliseconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What answers calls, and the loops in the order to start them.

    They are to be stopped in reverse; the engine is the last.
    """

    handlers: tuple[object, ...]
    submit: Submit
    daily_run: DailyRun
    jobs: MongoJobs
    loops: tuple[NamedLoop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What accepts requests; *waiting* counts those that are in no write yet."""

    submit: Submit
    waiting: Callable[[], int]
    loops: tuple[NamedLoop, ...]


def assemble(settings: Settings, resources: Resources) -> Service:
    nudged = asyncio.Event()
    ringer = Ringer(
        bell=ArqBell(redis=resources.arq, now=resources.clock),
        nudge=nudged.set,
        now=resources.clock,
    )
    delivery = build_delivery(settings, resources, ringer)
    indexes = IndexCare(indexes=MongoIndexes(mongo=resources.mongo))
    resources.mongo.refusals.on_index = indexes.nudged.set
    admission = build_admission(settings, resources, ringer, indexes.may_admit)
    upkeep = build_upkeep(settings, resources, ringer, delivery.claims)
    engine = build_engine(settings, resources, ringer, delivery, nudged)
    stores = build_store_watch(settings, resources, upkeep, indexes)
    visibility = build_visibility(resources, delivery, stores, admissions_waiting=admission.waiting)
    status = build_status(resources, delivery, visibility.census, indexes, stores.healths)
    loops = (
        *visibility.loops,
        ("indexes", indexes.run),
        ("ringer", ringer.run),
        *upkeep.loops,
        *admission.loops,
        *delivery.loops,  # right before the engine: at a stop the grace is theirs
        ("engine", engine.run),
    )
    return Service(
        handlers=(
            build_scheduling(settings, resources, admission.submit),
            build_templating(settings, resources, admission.submit),
            TellingStatus(status=status),
            *build_readers(settings, resources),
            build_steering(settings, resources, ringer, indexes.may_admit),
            SteeringSending(
                daily_run=upkeep.daily_run, pausing=delivery.pausing, now=resources.clock
            ),
        ),
        submit=admission.submit,
        daily_run=upkeep.daily_run,
        jobs=MongoJobs(),
        loops=loops,
    )


def build_engine(
    settings: Settings,
    resources: Resources,
    ringer: Ringer,
    delivery: Delivery,
    nudged: asyncio.Event,
) -> Engine:
    return Engine(
        claims=delivery.claims,
        suppressions=MongoSuppressions(mongo=resources.mongo),
        leases=delivery.leases,
        crew=delivery.crew,
        gate=delivery.pausing,
        bite=policies.bite(settings),
        ring_for_others=ringer.ring_for_others,
        now=resources.clock,
        nudged=nudged,
        observer=resources.metrics,
    )


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


def build_scheduling(settings: Settings, resources: Resources, submit: Submit) -> Scheduling:
    rehearse = Rehearse(
        make_job=submit.make_job,
        drafter=composer(settings, resources.templates),
        admissions=MongoAdmissions(mongo=resources.mongo),
        suppressions=MongoSuppressions(mongo=resources.mongo),
        now=resources.clock,
    )
    return Scheduling(submit=submit, rehearse=rehearse)


def build_templating(settings: Settings, resources: Resources, submit: Submit) -> Templating:
    preview = PreviewTemplate(
        make_job=submit.make_job,
        drafter=composer(settings, resources.templates),
        now=resources.clock,
    )
    return Templating(templates=resources.templates.facts, preview=preview)


def build_admission(
    settings: Settings, resources: Resources, ringer: Ringer, may_admit: MayAdmit
) -> Admission:
    recipients = RecipientNotes(store=MongoRecipients(mongo=resources.mongo))
    admissions = MongoAdmissions(mongo=resources.mongo)
    write = AdmissionWrite(
        admissions=admissions, ringer=ringer, recipients=recipients, may_admit=may_admit
    )
    group: Group[Asked, Stored] = Group(
        write,
        most=MOST_TOGETHER,
        linger=LINGER,
        waiting=settings.admission_waiting,
        on_batch=partial(resources.metrics.batch, Step.ADMISSION),
    )
    factory = job_factory(settings, resources.templates)
    submit = Submit(make_job=factory, group=group, now=resources.clock, observer=resources.metrics)
    loops: tuple[NamedLoop, ...] = (("recipients", recipients.run), ("admission", group.run))
    return Admission(submit=submit, waiting=lambda: group.waiting, loops=loops)
