"""/readyz, GetStatus, metrics and log of a whole service beside its relay, without any mail."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from gcsched.pb import task_pb2
from tests.support.in_process_app import RunningApp, make_settings, running_app
from tests.support.ports import free_port
from tests.support.probes import HttpProbe, probe_http
from tests.support.relay.server import At, Hang, Relay
from tests.support.service_process import scheduler_stub
from tests.support.wait import until

RelayStatus = task_pb2.StatusReport.Relay


async def get_dependency(look: HttpProbe, name: str) -> str:
    status, reported = await look.get_readiness()
    assert status == 200
    assert (reported["status"] == "ready") == (reported["dependencies"][name] == "ok")
    return str(reported["dependencies"][name])


async def stores_are_ok(look: HttpProbe) -> bool:
    _, reported = await look.get_readiness()
    return {reported["dependencies"].get(name) for name in ("mongodb", "redis")} == {"ok"}


async def get_relay_status(app: RunningApp) -> RelayStatus:
    async with scheduler_stub(app.target) as stub:
        report: task_pb2.StatusReport = await stub.GetStatus(task_pb2.GetStatusRequest())
    (relay,) = report.relays
    return relay


async def test_a_missing_relay_is_reported_and_then_its_return(
    mongo_uri: str, redis_url: str, events: list[MutableMapping[str, Any]]
) -> None:
    port = free_port()
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=port)
    name = f"127.0.0.1:{port}"

    async def has_status(text: str) -> bool:
        return (await get_dependency(look, f"relay {name}")).startswith(text)

    async with running_app(settings) as app, probe_http(app.http) as look:
        await until(lambda: stores_are_ok(look))
        await until(lambda: has_status("failed: no session can be opened, since "))
        reported = await get_relay_status(app)
        assert reported.state == RelayStatus.FAILED
        assert reported.last_error.startswith("CONNECT: ")
        assert reported.last_error in await get_dependency(look, f"relay {name}")
        assert (await look.scrape()).value("gcsched_relay_up", relay=name) == 0

        await until(lambda: has_status("down: mails are held back, since "), within=30)
        assert (await get_relay_status(app)).state == RelayStatus.DOWN

        async with Relay(port=port) as relay:
            await until(lambda: has_status("ok"), within=30)
            reported = await get_relay_status(app)
            assert (reported.state, reported.last_error) == (RelayStatus.UP, "")
            assert (await look.scrape()).value("gcsched_relay_up", relay=name) == 1
            assert relay.count_commands("MAIL") == 0

    about = [each["event"] for each in events if each.get("relay") == name]
    assert about == ["relay is down", "relay is back"]


async def test_a_silent_relay_is_unknown_and_delays_neither_start_nor_stop(
    mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        relay.script(At.CONNECT, Hang())
        settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app, probe_http(app.http) as look:
            await until(lambda: stores_are_ok(look))
            await until(lambda: relay.applied_actions)
            name = f"127.0.0.1:{relay.port}"
            assert await get_dependency(look, f"relay {name}") == "unknown: not tried yet"
            assert (await get_relay_status(app)).state == RelayStatus.UNKNOWN
            assert (await look.scrape()).value("gcsched_relay_up", relay=name) is None

        await until(lambda: not relay.open)


async def test_a_wrong_password_is_found_without_a_mail_and_a_corrected_file_is_enough(
    tmp_path: Path, mongo_uri: str, redis_url: str, events: list[MutableMapping[str, Any]]
) -> None:
    password = tmp_path / "gcsched_smtp_password"
    password.write_text("wrong\n")
    async with Relay(users={"anna": "right"}) as relay:
        login = {"smtp_username": "anna", "secrets_dir": str(tmp_path)}
        settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port, **login)
        async with running_app(settings) as app, probe_http(app.http) as look:
            await until(lambda: stores_are_ok(look))
            name = f"relay 127.0.0.1:{relay.port}"
            await until(lambda: is_down(look, name))
            assert "535" in await get_dependency(look, name)
            assert relay.count_commands("AUTH") == 1

            password.write_text("right\n")
            await until(lambda: is_ok(look, name), within=20)

            assert (relay.count_commands("AUTH"), relay.count_commands("MAIL")) == (2, 0)

    shown = [each for each in events if each.get("relay") == name.removeprefix("relay ")]
    assert [each["event"] for each in shown] == ["relay is down", "relay is back"]
    assert "GCSCHED_SMTP_PASSWORD" in shown[0]["advice"]
    assert "wrong" not in str(shown[0]).replace("wrong user or password", "")


async def is_down(look: HttpProbe, name: str) -> bool:
    return (await get_dependency(look, name)).startswith("down: ")


async def is_ok(look: HttpProbe, name: str) -> bool:
    return await get_dependency(look, name) == "ok"
