"""The cookie of a login: signed, over after a time, and bound to its token."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import URLSafeSerializer

from gcsched.domain.access import Client, Scope, Token
from gcsched.domain.client_registry import ClientRegistry
from gcsched.usecases.access.access_control import AccessControl
from gcsched.web.console.session import Session, Sessions, find_client
from tests.support.builders import FixedClock

START = datetime(2026, 11, 30, 12, tzinfo=UTC)
KEY = "k" * 32
TOKEN = Token(id="abcd2345", digest=bytes(range(32)))
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
def sessions(clock: FixedClock) -> Sessions:
    return Sessions(key=KEY, now=clock)


def control(clock: FixedClock, *tokens: Token) -> AccessControl:
    client = Client(name="eva", scopes=frozenset({Scope.READ}), tokens=tokens)
    return AccessControl(registry=ClientRegistry.of([client]), now=clock)


def test_a_login_is_read_again(sessions: Sessions) -> None:
    session = sessions.read(sessions.start(TOKEN))

    second = int(START.timestamp())
    assert session == Session("abcd2345", "0001020304050607", second, second)


def test_it_ends_an_hour_after_the_last_page(sessions: Sessions, clock: FixedClock) -> None:
    cookie = sessions.start(TOKEN)

    clock.advance(HOUR - SECOND)
    assert sessions.read(cookie) is not None
    clock.advance(SECOND)
    assert sessions.read(cookie) is None


def test_pages_prolong_it_up_to_twelve_hours(sessions: Sessions, clock: FixedClock) -> None:
    cookie = sessions.start(TOKEN)
    for _ in range(24):
        clock.advance(30 * MINUTE - SECOND)
        session = sessions.read(cookie)
        assert session is not None
        cookie = sessions.renew(session) or cookie

    clock.advance(25 * SECOND)
    assert sessions.read(cookie) is None


def test_it_is_signed_anew_once_a_minute_only(sessions: Sessions, clock: FixedClock) -> None:
    session = sessions.read(sessions.start(TOKEN))
    assert session is not None

    clock.advance(MINUTE - SECOND)
    assert sessions.renew(session) is None
    clock.advance(SECOND)
    assert sessions.renew(session) is not None


@pytest.mark.parametrize(
    "payload",
    [[], ["a"], "text", {}, None, ["a", "b", "c", "d"], ["a", "b", 1, 2, 3], [1, "b", 1, 1]],
)
def test_what_has_another_form_is_no_login(sessions: Sessions, payload: object) -> None:
    signer = URLSafeSerializer(
        KEY, salt="gcsched console login", signer_kwargs={"digest_method": hashlib.sha256}
    )
    assert sessions.read(str(signer.dumps(payload))) is None


def test_a_cookie_of_another_key_or_with_one_character_changed_is_none(
    sessions: Sessions, clock: FixedClock
) -> None:
    cookie = sessions.start(TOKEN)

    assert Sessions(key="x" * 32, now=clock).read(cookie) is None
    for place, character in enumerate(cookie):
        other = "A" if character != "A" else "B"
        # The last character of base64 has bits that mean nothing.
        if place < len(cookie) - 1:
            assert sessions.read(cookie[:place] + other + cookie[place + 1 :]) is None


def test_neither_the_cookie_nor_the_log_has_the_key_or_the_secret(sessions: Sessions) -> None:
    assert KEY not in repr(sessions)
    assert TOKEN.digest.hex() not in sessions.start(TOKEN)


def test_the_end_of_the_token_ends_the_login(sessions: Sessions, clock: FixedClock) -> None:
    session = sessions.read(sessions.start(TOKEN))
    assert session is not None
    other_secret = Token(id=TOKEN.id, digest=bytes(32))
    revoked = Token(id=TOKEN.id, digest=TOKEN.digest, revoke_time=START + HOUR)
    expires = Token(id=TOKEN.id, digest=TOKEN.digest, expire_time=START + SECOND)

    known = find_client(session, control(clock, TOKEN))
    assert known is not None
    assert known.name == "eva"
    for gone in ([], [other_secret], [revoked]):
        assert find_client(session, control(clock, *gone)) is None
    assert find_client(session, control(clock, expires)) is not None
    clock.advance(SECOND)
    assert find_client(session, control(clock, expires)) is None
