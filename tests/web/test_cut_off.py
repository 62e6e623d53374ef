"""A process that alone does not reach MongoDB says so at /servez; the others go on."""

from pathlib import Path

import pytest

from gcsched.usecases.monitoring.heartbeat import PATIENCE_SECONDS
from tests.support.app import a_setting, running
from tests.support.probes import Looker, is_, looking_at
from tests.support.proxy import a_proxy
from tests.support.relay.server import Relay
from tests.support.stores import own_mongod
from tests.support.wait import until

OK = (200, "ok\n")


async def is_cut_off(look: Looker) -> bool:
    status, text = await look.ask("/servez")
    return status == 503 and "has not reached MongoDB" in text


async def is_wanted(look: Looker) -> bool:
    return await look.ask("/servez") == OK


async def test_one_that_is_cut_off_leaves_and_comes_back_and_all_together_stay(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One MongoDB, which one of them sees through a proxy: outside tests both have one URI.
    monkeypatch.setattr("gcsched.wiring.stores.place_of", lambda _: "here")
    async with own_mongod(tmp_path) as mongod, a_proxy(mongod.port) as proxy, Relay() as relay:
        near = mongod.uri
        far = near.replace(f":{mongod.port}", f":{proxy.port}")
        one = a_setting(mongo=far, redis=redis_url, relay_port=relay.port)
        other = a_setting(mongo=near, redis=redis_url, relay_port=relay.port)
        async with (
            running(one) as cut,
            running(other) as whole,
            looking_at(cut.http) as look_at_cut,
            looking_at(whole.http) as look_at_whole,
        ):
            await until(lambda: is_("ready", look_at_cut))
            proxy.cut()
            await until(lambda: is_("unavailable", look_at_cut))
            assert await look_at_cut.ask("/servez") == OK, "a blink is no reason"

            await until(lambda: is_cut_off(look_at_cut), within=2 * PATIENCE_SECONDS)
            assert await look_at_whole.ask("/servez") == OK

            mongod.stop_signal()
            await until(lambda: is_wanted(look_at_cut), within=20)
            assert await look_at_whole.ask("/servez") == OK
            mongod.cont()
            proxy.heal()
            await until(lambda: is_("ready", look_at_cut), within=20)
            assert await look_at_cut.ask("/servez") == OK
