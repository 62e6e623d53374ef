"""Opening a session: TCP, greeting, TLS, EHLO, AUTH."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from aiohappyeyeballs import AddrInfoType

from gcsched.adapters.smtp.connect import RelayUnusable, connect_to_first, make_tls_context
from gcsched.adapters.smtp.relay_settings import RelaySettings, Security, Timeouts
from gcsched.adapters.smtp.session import Session
from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage
from tests.support.ports import free_port
from tests.support.relay.connects import PASSWORD, SOON, can_send_mail, open_session
from tests.support.relay.server import Action, Answer, At, Drop, Hang, Raw, Relay, Trickle
from tests.support.wait import until


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_each_kind_of_security_carries_a_mail(security: str) -> None:
    async with Relay(security=security) as relay:
        assert await can_send_mail(await open_session(relay))

        assert len(relay.ledger) == 1
        assert relay.violations == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_an_unknown_authority_is_refused(security: str) -> None:
    async with Relay(security=security) as relay:
        outcome = await open_session(relay, ca_file=None)

        assert isinstance(outcome, Broken)
        assert outcome.stage is Stage.TLS
        assert "certificate" in outcome.reason
        assert relay.count_commands("AUTH") == relay.count_commands("MAIL") == 0


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_for_another_name_is_refused(security: str) -> None:
    async with Relay(security=security, certificate_for="relay.example.org") as relay:
        outcome = await open_session(relay)

        assert isinstance(outcome, Broken)
        assert outcome.stage is Stage.TLS


async def test_without_starttls_nothing_is_sent_in_the_clear() -> None:
    async with Relay(security="none", users={"ada": PASSWORD}) as relay:
        login = {"username": "ada", "password": lambda: PASSWORD}

        outcome = await open_session(relay, security=Security.STARTTLS, **login)

        assert isinstance(outcome, Broken)
        assert outcome.stage is Stage.TLS
        assert "does not offer STARTTLS" in outcome.reason
        assert [verb for _, verb in relay.commands] == ["EHLO"]


async def test_a_refused_starttls_is_reported() -> None:
    async with Relay(security="starttls") as relay:
        relay.script(At.TLS, Answer(454, "4.7.0 no TLS today"))

        outcome = await open_session(relay)

        assert outcome == Answered(
            Reply(stage=Stage.TLS, code=454, enhanced_code="4.7.0", text="no TLS today")
        )


async def test_replies_injected_before_the_handshake_are_ignored() -> None:
    async with Relay(security="starttls", offers=frozenset({"8BITMIME"})) as relay:
        relay.script(At.TLS, Raw(b"220 go ahead\r\n250-evil\r\n250-PIPELINING\r\n250 SIZE 1\r\n"))

        assert await can_send_mail(await open_session(relay))

        assert relay.violations == []


async def test_old_tls_is_not_spoken() -> None:
    context = make_tls_context(RelaySettings(host="relay.test", port=25, security=Security.TLS))

    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("code", [421, 554])
@pytest.mark.parametrize("at", [At.CONNECT, At.EHLO])
async def test_a_refusal_before_the_first_mail_is_reported(at: At, code: int) -> None:
    async with Relay() as relay:
        relay.script(at, Answer(code, "5.7.1 not you" if code == 554 else "4.3.2 not now"))

        outcome = await open_session(relay)

        assert isinstance(outcome, Answered)
        assert (outcome.reply.stage, outcome.reply.code) == (Stage.CONNECT, code)


AT_EACH_STAGE = pytest.mark.parametrize(
    ("at", "stage"),
    [
        (At.CONNECT, Stage.CONNECT),
        (At.EHLO, Stage.CONNECT),
        (At.TLS, Stage.TLS),
        (At.AUTH, Stage.AUTH),
    ],
)


@AT_EACH_STAGE
@pytest.mark.parametrize(
    "action",
    [Drop(), Hang(), Trickle(0.1), Raw(b"nonsense\r\n"), Raw(b"250-" + b"x" * 40_000)],
    ids=["hang-up", "silence", "dripping", "nonsense", "flood"],
)
async def test_a_failure_on_the_way_is_an_outcome_with_its_stage(
    at: At, stage: Stage, action: Action
) -> None:
    async with Relay(security="starttls", users={"ada": PASSWORD}) as relay:
        relay.script(at, action)

        outcome = await open_session(relay, username="ada", password=lambda: PASSWORD, hurry=True)

        assert isinstance(outcome, Broken)
        assert outcome.stage is stage
        assert PASSWORD not in outcome.reason
        await until(lambda: not relay.open)


async def test_silence_in_the_handshake_is_an_outcome() -> None:
    async with Relay() as relay:
        relay.script(At.CONNECT, Hang())

        outcome = await open_session(relay, security=Security.TLS, hurry=True)

        assert outcome == Broken(Stage.TLS, "the relay did not answer in time")


@pytest.fixture
def port_without_answers() -> Iterator[int]:
    """Yield a port whose backlog is full, so that SYNs get no answer."""
    with closing(socket.socket()) as listener, closing(socket.socket()) as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        with closing(socket.socket()) as second:
            second.settimeout(0)
            second.connect_ex(listener.getsockname())
            yield listener.getsockname()[1]


async def test_a_host_that_does_not_answer_has_its_own_limit(port_without_answers: int) -> None:
    async with Relay() as relay:
        outcome = await open_session(relay, port=port_without_answers, hurry=True)

        assert outcome == Broken(Stage.CONNECT, "the relay did not answer in time")


async def test_a_closed_port_is_an_outcome() -> None:
    async with Relay() as relay:
        outcome = await open_session(relay, port=free_port())

    assert outcome == Broken(Stage.CONNECT, "the connection failed: Connection refused")


async def test_a_name_that_does_not_exist_is_an_outcome() -> None:
    async with Relay() as relay:
        outcome = await open_session(relay, host="x" * 70)

        assert outcome == Broken(Stage.CONNECT, "the relay's name is not a host name")


async def test_each_address_of_a_name_is_tried() -> None:
    """The relay listens on 127.0.0.1 only, and localhost may be ::1 first."""
    async with Relay() as relay:
        assert await can_send_mail(await open_session(relay, host="localhost"))


async def test_a_relay_that_knows_no_ehlo_is_greeted_the_old_way() -> None:
    async with Relay() as relay:
        relay.script(At.EHLO, Answer(502, "5.5.1 what"))

        assert await can_send_mail(await open_session(relay))

        assert [verb for _, verb in relay.commands][:3] == ["EHLO", "HELO", "MAIL"]


@pytest.mark.parametrize("code", [421, 504, 550])
async def test_a_relay_that_refuses_literals_is_reached_under_a_name(code: int) -> None:
    async with Relay(refuses_literals=code) as relay:
        nameless = await open_session(relay)
        named = await open_session(relay, local_hostname="mail.example.org")

        assert not isinstance(nameless, Session)
        assert await can_send_mail(named)
        assert relay.ehlo_names[0] == "[127.0.0.1]"
        assert relay.ehlo_names[-1] == "mail.example.org"


async def test_the_name_is_the_same_after_starttls() -> None:
    async with Relay(security="starttls", refuses_literals=504) as relay:
        assert await can_send_mail(await open_session(relay, local_hostname="mail.example.org"))

        assert relay.ehlo_names == ["mail.example.org"] * 2


@pytest.mark.parametrize("name", ["a b", "a\r\nMAIL", "", "ä"])
def test_an_invalid_host_name_is_a_mistake(name: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        RelaySettings(host=name, port=25, security=Security.NONE)
    with pytest.raises(ValueError, match="host name"):
        RelaySettings(host="x", port=25, security=Security.NONE, local_hostname=name)


def address(port: int) -> AddrInfoType:
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))


@contextmanager
def a_silent_port() -> Iterator[int]:
    """Yield a port where the kernel drops each attempt, as its full queue is never emptied."""
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(silent.getsockname())
        yield silent.getsockname()[1]


async def test_a_silent_address_does_not_delay_the_next_one() -> None:
    async with Relay() as relay:
        with a_silent_port() as silent:
            async with asyncio.timeout(Timeouts().connect.total_seconds() / 2):
                sock = await connect_to_first([address(silent), address(relay.port)])

        with sock:
            assert sock.getpeername() == ("127.0.0.1", relay.port)


async def test_where_every_address_is_silent_the_limit_holds() -> None:
    with a_silent_port() as silent, pytest.raises(TimeoutError):
        async with asyncio.timeout(SOON.total_seconds()):
            await connect_to_first([address(silent), address(silent)])


async def test_addresses_that_fail_each_in_its_own_way_are_reported_in_one_sentence() -> None:
    nowhere = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("255.255.255.255", 25))

    with pytest.raises(RelayUnusable, match="no address of the relay"):
        await connect_to_first([address(free_port()), nowhere])
