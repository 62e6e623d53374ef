"""Builds the service from settings and open resources."""

from dataclasses import dataclass

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mongo.index_repair import MongoIndexes
from gcsched.adapters.mongo.job_reader import MongoJobReader
from gcsched.config.settings import Settings
from gcsched.rpc.concurrency import CallLimits
from gcsched.rpc.interceptor import CallCheck
from gcsched.rpc.methods.audit import AuditMethods
from gcsched.rpc.methods.sending import SendingMethods
from gcsched.rpc.servicer import Handlers
from gcsched.usecases.admission.submit import Submit
from gcsched.usecases.audited_acts import AuditedSending
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.recovery.index_keeper import IndexKeeper
from gcsched.wiring import management
from gcsched.wiring.access import Access, build_access, make_access_reporter
from gcsched.wiring.admission import (
    build_admission,
    build_schedule_methods,
    build_template_methods,
)
from gcsched.wiring.background import NamedLoop
from gcsched.wiring.delivery import build_composer, build_delivery
from gcsched.wiring.limits import build_limits
from gcsched.wiring.meeting_methods import build_meeting_methods
from gcsched.wiring.meetings import build_meetings
from gcsched.wiring.monitoring import Monitored, build_monitoring, build_status_methods
from gcsched.wiring.recipients import build_sending_report
from gcsched.wiring.recovery import build_recovery
from gcsched.wiring.relays import build_relays
from gcsched.wiring.resources import Resources
from gcsched.wiring.start_order import start_order
from gcsched.wiring.stores import build_store_monitoring
from gcsched.wiring.subsystems import Subsystems
from gcsched.wiring.waking import build_waking


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The handlers of calls, and the loops in the order in which to start them.

    *resources* and *built* are what they are built of, for the console.
    """

    resources: Resources
    built: Subsystems
    handlers: Handlers
    submit: Submit
    mails: Composer
    call_limits: CallLimits
    check_call: CallCheck
    daily_run: DailyRun
    jobs: MongoJobReader
    loops: tuple[NamedLoop, ...]
    access: Access | None


def assemble(settings: Settings, resources: Resources) -> Service:
    """Build all objects by plain constructor calls, which neither wait nor start anything."""
    built = build_subsystems(settings, resources)
    return Service(
        resources=resources,
        built=built,
        handlers=build_handlers(settings, resources, built),
        submit=built.admission.submit,
        mails=build_composer(settings, resources.templates),
        call_limits=CallLimits(),
        check_call=built.limits.calls.check_call,
        daily_run=built.recovery.daily_run,
        jobs=MongoJobReader(),
        loops=start_order(settings, resources, built),
        access=built.monitored.access,
    )


def build_subsystems(settings: Settings, resources: Resources) -> Subsystems:
    waking = build_waking(resources)
    wake_ups = waking.wake_ups
    indexes = IndexKeeper(indexes=MongoIndexes(mongo=resources.mongo))
    # A statement that fails for a missing index has the indexes checked at once.
    resources.mongo.refusals.on_missing_index = indexes.nudged.set
    relays = build_relays(settings, resources)
    limits = build_limits(settings, resources)
    admission = build_admission(
        settings, resources, wake_ups, indexes.check_admission, limits.quotas
    )
    meetings = build_meetings(
        settings, resources, wake_ups, indexes.check_admission, admission.recipients.add
    )
    delivery = build_delivery(settings, resources, waking, relays, meetings)
    recovery = build_recovery(settings, resources, wake_ups, delivery.claims, meetings.sweep)
    stores = build_store_monitoring(settings, resources, recovery, indexes)
    access = build_access(settings, resources)
    monitored = Monitored(
        delivery=delivery,
        relays=relays,
        stores=stores,
        access=access,
        report_access=make_access_reporter(settings, access, resources.tls),
        sending=build_sending_report(settings),
    )
    monitoring = build_monitoring(
        resources, monitored, admissions_waiting=lambda: admission.group.waiting
    )
    return Subsystems(
        audit=management.build_audit(resources),
        wake_ups=wake_ups,
        indexes=indexes,
        relays=relays,
        limits=limits,
        admission=admission,
        meetings=meetings,
        delivery=delivery,
        recovery=recovery,
        stores=stores,
        monitored=monitored,
        monitoring=monitoring,
    )


def build_handlers(settings: Settings, resources: Resources, built: Subsystems) -> Handlers:
    """Build the handlers of the methods of the contract."""
    check_admission, submit = built.indexes.check_admission, built.admission.submit
    return Handlers(
        schedule=build_schedule_methods(settings, resources, submit, built.limits.quotas),
        read_jobs=management.build_read_job_methods(resources),
        change_jobs=management.build_change_job_methods(
            settings, resources, built, check_admission
        ),
        sending=SendingMethods(
            sending=AuditedSending(
                audit=built.audit,
                daily_run=built.recovery.daily_run,
                pausing=built.relays.transport,
            ),
            now=resources.clock,
        ),
        status=build_status_methods(resources, built.monitored, built.monitoring.job_counts),
        suppressions=management.build_suppression_methods(settings, resources, built.audit),
        recipients=management.build_recipient_methods(resources, built.audit),
        templates=build_template_methods(settings, resources, submit),
        meetings=build_meeting_methods(
            resources, built.meetings, submit.job_factory, built.limits.quotas
        ),
        audit=AuditMethods(audit=built.audit),
    )
