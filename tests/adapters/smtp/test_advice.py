"""Real relays that cannot be used: the advice names the setting to correct."""

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Any

import pytest

from gcsched.adapters.smtp.relay_settings import Security
from gcsched.domain.relay_advice import find_advice
from gcsched.domain.smtp_reply import Answered, Broken
from tests.support.ports import free_port
from tests.support.relay.client import a_pool, deliver
from tests.support.relay.server import Answer, At, Relay

PREFIX = "GCSCHED_SMTP_"


async def get_advice(relay: Relay, **login: Any) -> str:
    async with a_pool(relay, login=login) as pool:
        outcome = await deliver(pool)
    assert isinstance(outcome, Answered | Broken)
    return find_advice(outcome, prefix=PREFIX)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_unknown_authority_leads_to_its_file(security: str) -> None:
    async with Relay(security=security) as relay:
        assert "GCSCHED_SMTP_CA_FILE" in await get_advice(relay, ca_file=None)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_for_another_name_leads_to_the_host(security: str) -> None:
    async with Relay(security=security, certificate_for="elsewhere.example.org") as relay:
        assert "for another name: correct GCSCHED_SMTP_HOST" in await get_advice(relay)


async def test_tls_to_a_plain_port_leads_to_the_security() -> None:
    async with Relay() as relay:
        advice = await get_advice(relay, security=Security.TLS)

    assert "set GCSCHED_SMTP_SECURITY to starttls" in advice


async def test_no_starttls_leads_to_the_security() -> None:
    async with Relay() as relay:
        advice = await get_advice(relay, security=Security.STARTTLS)

    assert "the relay offers no STARTTLS: set GCSCHED_SMTP_SECURITY" in advice


def shake_hands(listening: socket.socket, tls: ssl.SSLContext) -> None:
    """Try one handshake, as asyncio's server would hang up without the alert of real relays."""
    connection, _ = listening.accept()
    with suppress(OSError), connection, tls.wrap_socket(connection, server_side=True):
        """The handshake never succeeds."""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated:DeprecationWarning")
async def test_a_relay_with_tls_1_0_only_is_reported_as_too_old() -> None:
    relay = Relay(security="tls")
    assert relay.tls is not None
    relay.tls.minimum_version = relay.tls.maximum_version = ssl.TLSVersion.TLSv1
    relay.tls.set_ciphers("ALL:@SECLEVEL=0")
    async with relay:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            shaking = asyncio.create_task(asyncio.to_thread(shake_hands, listening, relay.tls))
            advice = await get_advice(relay, port=listening.getsockname()[1])
            await shaking

    assert "TLS is too old" in advice


async def test_a_port_where_nothing_listens_leads_to_host_and_port() -> None:
    async with Relay() as relay:
        advice = await get_advice(relay, port=free_port())

    assert "correct GCSCHED_SMTP_HOST and GCSCHED_SMTP_PORT" in advice


async def test_a_name_that_dns_does_not_know_leads_to_the_host() -> None:
    async with Relay() as relay:
        advice = await get_advice(relay, host="relay.invalid")

    assert advice == "correct GCSCHED_SMTP_HOST, or this machine's DNS"


@pytest.mark.parametrize("at", [At.AUTH, At.MAIL])
async def test_a_relay_that_wants_starttls_first_leads_to_the_security(at: At) -> None:
    async with Relay(users={"ada": "pw"}) as relay:
        relay.script(at, Answer(530, "5.7.0 Must issue a STARTTLS command first"))
        advice = await get_advice(relay, username="ada", password=lambda: "pw")

    assert "set GCSCHED_SMTP_SECURITY to starttls or tls" in advice


async def test_a_relay_that_refuses_our_name_leads_to_it() -> None:
    async with Relay() as relay:
        relay.script(At.EHLO, Answer(504, "5.5.2 need a fully-qualified hostname"))
        assert "GCSCHED_SMTP_HELO_NAME" in await get_advice(relay)


async def test_a_login_without_a_known_mechanism_leads_to_the_security() -> None:
    async with Relay(users={"ada": "pw"}, mechanisms="GSSAPI") as relay:
        advice = await get_advice(relay, username="ada", password=lambda: "pw")

    assert "GCSCHED_SMTP_SECURITY" in advice
