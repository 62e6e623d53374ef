"""The limits of a client, as its calls meet them. Oracle: what the contract says, and metrics."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gcsched.domain.access import Client
from gcsched.pb import task_pb2
from gcsched.rpc import interceptor
from gcsched.rpc.methods import schedule, templates
from tests.support.builders import a_client
from tests.support.in_process_app import RunningApp
from tests.support.probes import probe_http
from tests.support.service_process import Stub, a_meet
from tests.support.status_details import details, error_reason, status_of, violations


def retry_delay(status: status_pb2.Status) -> timedelta:
    [info] = details(status, error_details_pb2.RetryInfo)
    delay: timedelta = info.retry_delay.ToTimedelta()
    return delay


SetCaller = Callable[[Client], None]


@pytest.fixture
def set_caller(monkeypatch: pytest.MonkeyPatch) -> SetCaller:
    """Return a function that makes all later calls those of a client."""

    def set_caller(client: Client) -> None:
        for module in (interceptor, schedule, templates):
            monkeypatch.setattr(module, "current_caller", lambda: client)

    return set_caller


async def refuse(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_calls_beyond_the_rate_are_refused_on_every_method(
    stub: Stub, app: RunningApp, set_caller: SetCaller
) -> None:
    set_caller(a_client(calls_per_second=0.01, burst=2))
    await stub.ListTemplates(task_pb2.ListTemplatesRequest())
    await stub.GetStatus(task_pb2.GetStatusRequest())

    for call in (
        stub.ScheduleMeet(a_meet()),
        stub.BatchScheduleMeets(task_pb2.BatchScheduleMeetsRequest(requests=[a_meet()])),
        stub.ListTemplates(task_pb2.ListTemplatesRequest()),
    ):
        error = await refuse(call)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        reason, metadata = error_reason(status_of(error))
        assert reason == "CLIENT_LIMIT"
        assert metadata == {"client": "payroll", "limit": "calls_per_second"}
        assert timedelta(seconds=90) < retry_delay(status_of(error)) <= timedelta(seconds=100)
    async with grpc.aio.insecure_channel(app.target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        await health.Check(health_pb2.HealthCheckRequest())
    async with probe_http(app.http) as probe:
        scrape = await probe.scrape()
    refused = scrape.by("client", "gcsched_client_limit_refusals_total", limit="calls_per_second")
    assert refused == {"payroll": 3}
    calls = scrape.by("code", "gcsched_rpc_calls_total", method="scheduler.Scheduler/ScheduleMeet")
    assert calls == {"RESOURCE_EXHAUSTED": 1}


async def test_jobs_of_a_day_are_refused_each_for_itself(
    stub: Stub, app: RunningApp, set_caller: SetCaller
) -> None:
    set_caller(a_client(jobs_per_day=3))
    first = await stub.ScheduleMeet(a_meet(1))

    batch = task_pb2.BatchScheduleMeetsRequest(requests=[a_meet(n) for n in (1, 2, 3, 4, 5)])
    answers = (await stub.BatchScheduleMeets(batch)).answers

    assert [each.WhichOneof("answer") for each in answers] == ["response"] * 3 + ["error"] * 2
    assert answers[0].response.job_id == first.job_id
    errors = [each.error for each in answers[3:]]
    assert [error_reason(each)[0] for each in errors] == ["CLIENT_LIMIT"] * 2
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert abs(retry_delay(errors[0]) - (midnight - now)) < timedelta(minutes=1)

    # Repeated calls go on being answered, and previews say what would happen.
    assert (await stub.ScheduleMeet(a_meet(2))).job_id == answers[1].response.job_id
    known = await stub.ScheduleMeet(a_meet(3, validate_only=True))
    assert known.success
    assert known.preview.subject
    error = await refuse(stub.ScheduleMeet(a_meet(4, validate_only=True)))
    assert error_reason(status_of(error))[1]["limit"] == "jobs_per_day"
    assert await app.resources.mongo.jobs.count_documents({}) == 3
    async with probe_http(app.http) as probe:
        scrape = await probe.scrape()
    assert scrape.value("gcsched_client_usage_ratio", client="payroll", limit="jobs_per_day") == 1
    assert scrape.by("outcome", "gcsched_admissions_total")["limited"] == 2


async def test_recipients_and_templates_are_violations_also_of_previews(
    stub: Stub, set_caller: SetCaller
) -> None:
    set_caller(a_client(recipient_domains=("example.org",), templates=("party",)))
    both = {"emailID", "template"}

    for request in (a_meet(), a_meet(validate_only=True)):
        error = await refuse(stub.ScheduleMeet(request))
        assert set(dict(violations(status_of(error)))) == both
    preview = await refuse(stub.PreviewTemplate(task_pb2.PreviewTemplateRequest()))
    assert set(dict(violations(status_of(preview)))) == {"template"}


async def test_a_preview_of_a_template_is_for_any_recipient(
    stub: Stub, set_caller: SetCaller
) -> None:
    set_caller(a_client(recipient_domains=("example.com",), templates=("doc",)))

    assert (await stub.PreviewTemplate(task_pb2.PreviewTemplateRequest())).subject
