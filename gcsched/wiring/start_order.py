"""The order in which background tasks start and stop, with the reason for each position."""

from functools import partial

from gcsched.config.settings import Settings
from gcsched.wiring import policies
from gcsched.wiring.background import NamedLoop
from gcsched.wiring.resources import Resources
from gcsched.wiring.subsystems import Subsystems


def start_order(
    settings: Settings, resources: Resources, built: Subsystems
) -> tuple[NamedLoop, ...]:
    """Return all loops: they start from first to last and stop one by one from last to first."""
    delivery, recovery, stores = built.delivery, built.recovery, built.stores
    access = built.monitored.access
    mailers, checks = resources.mailers, built.relays.checks
    workers = partial(delivery.workers.run, grace=policies.stop_grace(settings))
    return (
        # Checks stop last: operators see the state of the stores until all other loops have ended.
        ("mongodb check", stores.mongodb.run),
        ("mongodb write probe", stores.writes.run),
        ("redis check", stores.redis.run),
        *([("tls files", resources.tls.run)] if resources.tls.watches else ()),
        ("mongodb health", stores.mongodb_health.run),
        ("redis health", stores.redis_health.run),
        ("heartbeat", stores.heartbeat.run),
        ("job counts", built.monitoring.job_counts.run),
        ("event loop lag", built.monitoring.loop_lag.run),
        # A token that is revoked while calls end here stops working here as well.
        *([] if access is None else [("clients", access.reload.run)]),
        ("indexes", built.indexes.run),  # admission checks them before each write
        # All loops below schedule wake-ups, some of them as they end.
        ("wake-ups", built.wake_ups.run),
        ("sweep", recovery.sweep.run),  # the ARQ workers call it
        ("address folding", recovery.folding.run),  # repairs stored addresses
        # They receive wake-ups, which the engine does not need once it has stopped.
        ("arq workers", recovery.workers.run),
        ("clock", resources.clock.run),  # all others go on with the last offset
        ("redis clock", recovery.redis_clock.run),  # only compares the two clocks
        # The outcome recorder gives it what was sent, and it schedules wake-ups.
        ("meetings", built.meetings.notices.run),
        ("history", built.monitoring.history.run),  # its last share has what the loops below count
        ("audit", built.audit.run),  # completes the entries of calls; these have ended before
        ("recipients", built.admission.recipients.run),  # each write of admission adds user details
        ("quotas", built.limits.quotas.run),  # gives its reserve back once admission has ended
        # Calls have ended before: see app.py. The meetings follow from the jobs.
        ("new meetings", built.admission.meetings.group.run),
        ("admission", built.admission.group.run),
        ("sending pause", built.relays.transport.run),  # the gate of the engine and the workers
        ("calls of clients", built.limits.calls.run),  # only tells other processes
        # The workers add markers, the recorder removes them.
        ("sent markers", delivery.sent_markers.run),
        ("leases", delivery.leases.run),  # renewed until the outcomes are written
        ("outcome recorder", delivery.recorder.run),  # writes the last outcomes of the workers
        ("fence", delivery.fence.run),  # the workers pass it before each body
        # The workers and the checks use the sessions; these loops close idle ones.
        *[(f"sessions with {mailer.name}", mailer.run) for mailer in mailers],
        ("workers", workers),  # gets the whole grace: the loops below end at once
        *[(f"checks of {name}", check.run) for name, check in checks.items()],
        ("engine", delivery.engine.run),  # stops first, together with the calls: no more claims
    )
