"""A MongoDB that answers and confirms no write: shown at /readyz, and callers get answers."""

import asyncio
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.support.in_process_app import make_settings, running_app
from tests.support.probes import has_status, probe_http
from tests.support.relay.server import Relay
from tests.support.stores import own_mongod
from tests.support.wait import until


async def test_a_locked_mongodb_is_unavailable_until_it_takes_writes(
    tmp_path: Path, redis_url: str
) -> None:
    async with own_mongod(tmp_path) as mongod, Relay() as relay:
        settings = make_settings(mongo=mongod.uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app, probe_http(app.http) as look:
            await until(lambda: has_status("ready", look))
            with MongoClient[dict[str, Any]](mongod.uri) as control:
                await asyncio.to_thread(control.admin.command, "fsync", lock=True)
                try:
                    await until(lambda: has_status("unavailable", look), within=20)
                    status, reported = await look.get_readiness()
                    assert status == 503
                    assert reported["dependencies"]["mongodb"].startswith(
                        "writes are not confirmed: failed while "
                    )
                    assert await look.request("/servez") == (200, "ok\n"), "all are as badly off"
                finally:
                    await asyncio.to_thread(control.admin.command, "fsyncUnlock")

            await until(lambda: has_status("ready", look), within=20)
