"""The application on a Redis that answers but cannot be used: reported, and no mail is late."""

import logging
import time
from pathlib import Path

import pytest
import redis

from tests.support.in_process_app import (
    RunningApp,
    make_settings,
    read_jobs_if_all_sent,
    running_app,
    schedule_mails,
)
from tests.support.log_events import Events
from tests.support.probes import HttpProbe, has_status, probe_http
from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.stores import own_valkey
from tests.support.unusable_redis import SUFFICIENT_RULES, WAYS, add_user, run_unusable
from tests.support.wait import until

EXPECTED_EVENTS = ("wake-up failed, retrying", "rate limit no longer shared", "arq worker ended")
ONLY_AT_CONNECT = {"no more clients"}  # only a new connection fails: see test_redis_probe


async def schedule_in_two_seconds(app: RunningApp) -> float:
    due = int(time.time()) + 2
    async with scheduler_stub(app.target) as stub:
        assert (await stub.ScheduleMeet(a_meet(9000, timestamp=due))).success
    return due


async def read_redis_status(probe: HttpProbe) -> str:
    _, ready = await probe.get_readiness()
    return str(ready["dependencies"]["redis"])


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ONLY_AT_CONNECT])
async def test_readiness_is_degraded_and_mails_leave_on_time(
    tmp_path: Path, mongo_uri: str, events: Events, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    caplog.set_level(logging.WARNING)
    async with Relay() as relay, run_unusable(tmp_path, way) as url:
        settings = make_settings(
            mongo=mongo_uri, redis=url, relay_port=relay.port, smtp_rate="2000"
        )
        async with running_app(settings) as app, probe_http(app.http) as probe:
            await until(lambda: has_status("degraded", probe))
            assert await probe.request("/servez") == (200, "ok\n")

            await schedule_mails(app, 5)
            due = await schedule_in_two_seconds(app)
            await until(lambda: len(relay.per_recipient) == 6)
            late = time.time() - due
            await until(lambda: read_jobs_if_all_sent(app.resources))

            assert await read_redis_status(probe) != "ok"
    logged = caplog.text + "".join(map(str, events))
    assert late < 1
    assert [each for each in EXPECTED_EVENTS if each in logged], "Redis was not tried"
    assert [word for word in ("\\x", "86400000", "never retrieved") if word in logged] == []
    assert [each for each in events if each["log_level"] in {"error", "critical"}] == []


async def test_a_full_redis_that_has_room_again_makes_the_service_ready_again(
    tmp_path: Path, mongo_uri: str
) -> None:
    async with Relay() as relay, own_valkey(tmp_path) as server:
        settings = make_settings(mongo=mongo_uri, redis=server.uri, relay_port=relay.port)
        async with running_app(settings) as app, probe_http(app.http) as probe:
            with redis.Redis.from_url(server.uri) as control:
                await until(lambda: has_status("ready", probe))
                control.config_set("maxmemory", "1mb")
                await until(lambda: has_status("degraded", probe))

                control.config_set("maxmemory", "0")
                await until(lambda: has_status("ready", probe), within=20)


async def test_failing_sent_markers_degrade_it_although_the_probe_succeeds(
    tmp_path: Path, mongo_uri: str
) -> None:
    only_probes = (
        "~gcsched:sent:probe:*",
        "~gcsched:queue",
        "~gcsched:health",
        *SUFFICIENT_RULES[1:],
    )
    rules = (*only_probes, "~gcsched:rate:*", "~gcsched:reached:*")
    async with Relay() as relay, own_valkey(tmp_path) as server:
        url = add_user(server, *rules)
        settings = make_settings(mongo=mongo_uri, redis=url, relay_port=relay.port)
        async with running_app(settings) as app, probe_http(app.http) as probe:
            await until(lambda: has_status("ready", probe))

            # Many: the outcome of a single mail is stored before its marker would be written.
            await schedule_mails(app, 50)
            await until(lambda: has_status("degraded", probe))

            status = await read_redis_status(probe)
            assert status.startswith("failed while storing sent markers: ")
            assert "give its user the keys" in status


async def test_the_documented_permissions_of_a_redis_user_are_sufficient(
    tmp_path: Path, mongo_uri: str, events: Events
) -> None:
    async with Relay() as relay, own_valkey(tmp_path) as server:
        url = add_user(server, *SUFFICIENT_RULES)
        settings = make_settings(
            mongo=mongo_uri, redis=url, relay_port=relay.port, smtp_rate="2000"
        )
        async with running_app(settings) as app, probe_http(app.http) as probe:
            await schedule_mails(app, 20)
            await schedule_in_two_seconds(app)
            await until(lambda: len(relay.per_recipient) == 21)
            await until(lambda: read_jobs_if_all_sent(app.resources))

            # On a slow machine a check may fail for a moment.
            await until(lambda: has_status("ready", probe))
    assert [each for each in events if "NoPermission" in str(each)] == []
