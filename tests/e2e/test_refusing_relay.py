"""A relay that refuses connections: one warning that says what to do, and no mail lost."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.relay import Relay
from tests.service import ServiceProcess, a_meet, environment, free_port, scheduler, service
from tests.waiting import until


def events(process: ServiceProcess, name: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in process.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]


async def test_a_relay_that_refuses_is_one_warning_and_the_mails_leave_when_it_is_back(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    port = free_port()
    settings = environment(
        mongo=mongo_uri, redis=redis_url, relay_port=port, retry_first_wait_seconds="1"
    )
    async with service(tmp_path, settings) as running, scheduler(running.target) as stub:
        await asyncio.gather(*(stub.ScheduleMeet(a_meet(number)) for number in range(50)))
        await until(lambda: len(events(running, "job postponed")) >= 50)

        [warning] = events(running, "relay refused")
        assert warning["level"] == "warning"
        assert warning["relay"] == f"127.0.0.1:{port}"
        assert "Connection refused" in warning["reason"]
        assert "check GCSCHED_SMTP_*" in warning["what_to_do"]
        assert {line["level"] for line in events(running, "job postponed")} == {"info"}

        async with Relay(port=port):
            await until(lambda: len(events(running, "job sent")) == 50)
            assert len(events(running, "relay answered again")) == 1
