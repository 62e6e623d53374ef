"""GetStatus: call the use case, convert the report."""

from collections.abc import Iterator
from dataclasses import dataclass

from gcsched.domain.pause import Pause
from gcsched.pb import task_pb2
from gcsched.rpc.call import Context, call_timeout_scope
from gcsched.usecases.monitoring.lateness import LatenessQuantiles
from gcsched.usecases.monitoring.status import (
    AccessReport,
    ReadStatus,
    RelayReport,
    SendingReport,
    StatusReport,
)
from gcsched.usecases.monitoring.store_health import StoreReport
from gcsched.usecases.ports import JobCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusMethods:
    status: ReadStatus

    async def GetStatus(
        self,
        request: task_pb2.GetStatusRequest,
        context: Context,
    ) -> task_pb2.StatusReport:
        async with call_timeout_scope(request, context, "reading the status"):
            return report_message(await self.status.read_with_fresh_counts())


def report_message(report: StatusReport) -> task_pb2.StatusReport:
    counts, service = report.counts, report.service
    oldest_due_lateness = counts.oldest_due_lateness if counts is not None else None
    return task_pb2.StatusReport(
        counts=count_messages(counts) if counts is not None else (),
        count_time=report.count_time,
        oldest_due_lateness=oldest_due_lateness or None,
        lateness=lateness_message(report.lateness),
        relays=[relay_message(each) for each in report.relays],
        pause=pause_message(report.pause) if report.pause is not None else None,
        version=service.version,
        python=service.python,
        start_time=service.start_time,
        unreadable_jobs=counts.unreadable if counts is not None else 0,
        problems=report.problems,
        stores=[store_message(each) for each in report.stores],
        report_time=report.report_time,
        access=access_message(report.access),
        sending=sending_message(report.sending),
        zone_version=service.zones,
    )


def count_messages(counts: JobCounts) -> Iterator[task_pb2.StatusReport.StateCount]:
    for state, count in counts.by_state.items():
        yield task_pb2.StatusReport.StateCount(state=state.value, count=count)


def lateness_message(lateness: LatenessQuantiles) -> task_pb2.StatusReport.Lateness:
    if not lateness.mails:
        return task_pb2.StatusReport.Lateness()
    return task_pb2.StatusReport.Lateness(mails=lateness.mails, p50=lateness.p50, p99=lateness.p99)


def relay_message(relay: RelayReport) -> task_pb2.StatusReport.Relay:
    return task_pb2.StatusReport.Relay(
        name=relay.name,
        is_down=relay.is_down,
        sessions_open=relay.sessions_open,
        sessions_busy=relay.sessions_busy,
        sessions_limit=relay.sessions_limit,
        rate=relay.rate,
        effective_rate=relay.effective_rate,
        state=relay.health.state.value,
        last_error=relay.health.error,
        state_time=relay.health.state_time,
    )


def store_message(store: StoreReport) -> task_pb2.StatusReport.Store:
    return task_pb2.StatusReport.Store(
        name=store.name, problem=store.problem or "", state_time=store.state_time
    )


def access_message(access: AccessReport) -> task_pb2.StatusReport.Access:
    return task_pb2.StatusReport.Access(
        is_controlled=access.is_controlled,
        is_encrypted=access.is_encrypted,
        is_insecure=access.is_insecure,
        clients=access.clients,
        problem=access.problem or "",
    )


def sending_message(sending: SendingReport) -> task_pb2.StatusReport.Sending:
    return task_pb2.StatusReport.Sending(
        redirect_to=sending.redirect_to,
        allowed_recipients=sending.allowed_recipients,
        senders=sending.senders,
    )


def pause_message(pause: Pause) -> task_pb2.Pause:
    return task_pb2.Pause(by=pause.by, reason=pause.reason, start_time=pause.start_time)
