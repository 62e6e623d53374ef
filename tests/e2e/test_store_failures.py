"""Stores that are killed, frozen or flushed while it serves; two services on the same stores."""

import time
from pathlib import Path

import grpc
import pytest

from tests.scenarios.cluster import a_cluster
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until


async def test_what_was_answered_survives_a_kill_of_everything(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as stage:
        due = int(time.time()) + 3
        calls = await stage.call(a_meet(n, timestamp=due) for n in range(50))

        await stage.services[0].kill()
        stage.mongo.kill()
        stage.valkey.kill()
        await stage.mongo.start()
        await stage.valkey.start()
        await stage.services[0].start()

        await until(lambda: len(stage.arrivals()) == 50, within=40)
        assert {call.code for call in calls} == {"OK"}
        assert len(stage.ledger_entries()) == 50


async def test_a_kill_while_sending_loses_nothing_and_doubles_only_the_uncertain(
    tmp_path: Path,
) -> None:
    async with a_cluster(tmp_path, services=2, smtp_sessions="4") as stage:
        await stage.call(a_meet(n, timestamp=1) for n in range(40))
        due = int(time.time()) + 2
        await stage.call(a_meet(n, timestamp=due) for n in range(200))
        await until(lambda: len(stage.arrivals()) >= 60, every=0.002)

        await stage.services[0].kill()

        await until(lambda: len(stage.arrivals()) == 240, within=60)
        await until(lambda: {job["state"] for job in stage.jobs()} == {"SENT"}, within=60)
        double = {email for email, times in stage.arrivals().items() if len(times) > 1}
        assert double <= stage.uncertain_recipients()
        assert all(job["attempt"] == 1 for job in stage.jobs() if job["email"] not in double)


async def test_a_frozen_redis_fails_no_call_and_delays_no_mail_of_this_process(
    tmp_path: Path,
) -> None:
    async with a_cluster(tmp_path) as stage:
        stage.valkey.freeze()
        begin = int(time.time()) + 2
        requests = [a_meet(n, timestamp=begin + n // 20) for n in range(60)]

        calls = await stage.call(requests, per_second=30)

        await until(lambda: len(stage.arrivals()) == 60, within=30)
        stage.valkey.resume()
        assert {call.code for call in calls} == {"OK"}
        assert max(call.seconds for call in calls) < 1
        assert len(stage.ledger_entries()) == 60


async def test_a_flushed_redis_loses_no_mail(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as stage:
        due = int(time.time()) + 3
        await stage.call(a_meet(n, timestamp=due) for n in range(50))
        await stage.services[0].kill()  # and with it the timers of this process

        await stage.flush_redis()
        await stage.services[0].start()

        await until(lambda: len(stage.arrivals()) == 50, within=40)
        assert len(stage.ledger_entries()) == 50


async def test_identical_calls_over_two_services_are_one_job_and_one_mail(tmp_path: Path) -> None:
    async with a_cluster(tmp_path, services=2) as stage:
        due = int(time.time()) + 2

        calls = await stage.call(a_meet(1, timestamp=due) for _ in range(200))

        await until(lambda: any(job["state"] == "SENT" for job in stage.jobs()))
        assert {call.code for call in calls} == {"OK"}
        assert len({call.job_id for call in calls}) == 1
        assert len(stage.ledger_entries()) == 1


async def test_two_services_share_a_second_and_send_each_mail_once(tmp_path: Path) -> None:
    async with a_cluster(tmp_path, services=2, smtp_sessions="4") as stage:
        due = int(time.time()) + 4
        await stage.call(a_meet(n, timestamp=due) for n in range(400))

        await until(lambda: len(stage.arrivals()) == 400, within=40)

        assert len(stage.ledger_entries()) == 400
        assert all('"job sent"' in each.log for each in stage.services)


async def test_the_store_being_killed_is_unavailable_until_it_is_back(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as stage:
        stage.mongo.kill()
        async with scheduler_stub(stage.services[0].target) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.ScheduleMeet(a_meet(1), timeout=2)
            await stage.mongo.start()

            reply = await stub.ScheduleMeet(a_meet(1), timeout=20)

        await until(lambda: len(stage.arrivals()) == 1, within=20)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reply.success
