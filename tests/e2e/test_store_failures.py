"""Stores that are killed, frozen or flushed under a service; two services on the same stores."""

import time
from pathlib import Path

import grpc
import pytest

from tests.scenarios.cluster import a_cluster
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until


async def test_accepted_jobs_survive_a_kill_of_the_service_and_both_stores(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as cluster:
        due = int(time.time()) + 3
        calls = await cluster.call(a_meet(n, timestamp=due) for n in range(50))

        await cluster.services[0].kill()
        cluster.mongo.kill()
        cluster.valkey.kill()
        await cluster.mongo.start()
        await cluster.valkey.start()
        await cluster.services[0].start()

        await until(lambda: len(cluster.arrivals()) == 50, within=40)
        assert {call.code for call in calls} == {"OK"}
        assert len(cluster.ledger_entries()) == 50


async def test_a_kill_while_sending_loses_no_mail_and_doubles_only_uncertain_ones(
    tmp_path: Path,
) -> None:
    async with a_cluster(tmp_path, services=2, smtp_sessions="4") as cluster:
        await cluster.call(a_meet(n, timestamp=1) for n in range(40))
        due = int(time.time()) + 2
        await cluster.call(a_meet(n, timestamp=due) for n in range(200))
        await until(lambda: len(cluster.arrivals()) >= 60, every=0.002)

        await cluster.services[0].kill()

        await until(lambda: len(cluster.arrivals()) == 240, within=60)
        await until(lambda: {job["state"] for job in cluster.jobs()} == {"SENT"}, within=60)
        double = {email for email, times in cluster.arrivals().items() if len(times) > 1}
        assert double <= cluster.uncertain_recipients()
        assert all(job["attempt"] == 1 for job in cluster.jobs() if job["email"] not in double)


async def test_a_frozen_redis_fails_no_call_and_loses_no_mail(
    tmp_path: Path,
) -> None:
    async with a_cluster(tmp_path) as cluster:
        cluster.valkey.freeze()
        first_due = int(time.time()) + 2
        requests = [a_meet(n, timestamp=first_due + n // 20) for n in range(60)]

        calls = await cluster.call(requests, per_second=30)

        await until(lambda: len(cluster.arrivals()) == 60, within=30)
        cluster.valkey.resume()
        assert {call.code for call in calls} == {"OK"}
        assert max(call.seconds for call in calls) < 1
        assert len(cluster.ledger_entries()) == 60


async def test_a_flushed_redis_loses_no_mail(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as cluster:
        due = int(time.time()) + 3
        await cluster.call(a_meet(n, timestamp=due) for n in range(50))
        await cluster.services[0].kill()  # the timers in its memory are lost with it

        await cluster.flush_redis()
        await cluster.services[0].start()

        await until(lambda: len(cluster.arrivals()) == 50, within=40)
        assert len(cluster.ledger_entries()) == 50


async def test_identical_calls_over_two_services_are_one_job_and_one_mail(tmp_path: Path) -> None:
    async with a_cluster(tmp_path, services=2) as cluster:
        due = int(time.time()) + 2

        calls = await cluster.call(a_meet(1, timestamp=due) for _ in range(200))

        await until(lambda: any(job["state"] == "SENT" for job in cluster.jobs()))
        assert {call.code for call in calls} == {"OK"}
        assert len({call.job_id for call in calls}) == 1
        assert len(cluster.ledger_entries()) == 1


async def test_two_services_share_a_second_and_send_each_mail_once(tmp_path: Path) -> None:
    async with a_cluster(tmp_path, services=2, smtp_sessions="4") as cluster:
        due = int(time.time()) + 4
        await cluster.call(a_meet(n, timestamp=due) for n in range(400))

        await until(lambda: len(cluster.arrivals()) == 400, within=40)

        assert len(cluster.ledger_entries()) == 400
        assert all('"job sent"' in each.log for each in cluster.services)


async def test_calls_fail_with_unavailable_while_mongodb_is_killed(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as cluster:
        cluster.mongo.kill()
        async with scheduler_stub(cluster.services[0].target) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.ScheduleMeet(a_meet(1), timeout=2)
            await cluster.mongo.start()

            reply = await stub.ScheduleMeet(a_meet(1), timeout=20)

        await until(lambda: len(cluster.arrivals()) == 1, within=20)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reply.success
