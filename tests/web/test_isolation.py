"""A process that alone does not reach MongoDB reports so at /servez; the others go on."""

from pathlib import Path

import pytest

from gcsched.usecases.monitoring import heartbeat
from tests.support.in_process_app import make_settings, running_app
from tests.support.probes import HttpProbe, has_status, probe_http
from tests.support.proxy import a_proxy
from tests.support.relay.server import Relay
from tests.support.stores import own_mongod
from tests.support.wait import until

OK = (200, "ok\n")
CUT_OFF_AFTER_SECONDS = 5.0  # still longer than a ping and a heartbeat take


async def is_isolated(probe: HttpProbe) -> bool:
    status, text = await probe.request("/servez")
    return status == 503 and "has not reached MongoDB" in text


async def is_serving(probe: HttpProbe) -> bool:
    return await probe.request("/servez") == OK


async def test_an_isolated_process_stops_serving_and_returns_and_a_shared_outage_isolates_none(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One MongoDB, which one process reaches through a proxy: outside of tests both have one URI.
    monkeypatch.setattr("gcsched.wiring.stores.hash_mongo_location", lambda _: "here")
    monkeypatch.setattr(heartbeat, "CUT_OFF_AFTER_SECONDS", CUT_OFF_AFTER_SECONDS)
    async with own_mongod(tmp_path) as mongod, a_proxy(mongod.port) as proxy, Relay() as relay:
        direct_uri = mongod.uri
        proxied_uri = direct_uri.replace(f":{mongod.port}", f":{proxy.port}")
        one = make_settings(mongo=proxied_uri, redis=redis_url, relay_port=relay.port)
        other = make_settings(mongo=direct_uri, redis=redis_url, relay_port=relay.port)
        async with (
            running_app(one) as isolated,
            running_app(other) as connected,
            probe_http(isolated.http) as probe_isolated,
            probe_http(connected.http) as probe_connected,
        ):
            await until(lambda: has_status("ready", probe_isolated))
            proxy.cut()
            await until(lambda: has_status("unavailable", probe_isolated))
            assert await probe_isolated.request("/servez") == OK, "a short outage is not a reason"

            await until(lambda: is_isolated(probe_isolated), within=6 * CUT_OFF_AFTER_SECONDS)
            assert await probe_connected.request("/servez") == OK

            mongod.freeze()
            await until(lambda: is_serving(probe_isolated), within=20)
            assert await probe_connected.request("/servez") == OK
            mongod.resume()
            proxy.heal()
            await until(lambda: has_status("ready", probe_isolated), within=20)
            assert await probe_isolated.request("/servez") == OK
