"""Logins without a store: a signed cookie that holds a token's id and the time of the login."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import msgspec
from itsdangerous import BadData, URLSafeSerializer

from gcsched.domain.access import Client, Token
from gcsched.usecases.access.access_control import AccessControl
from gcsched.usecases.ports import Clock

LONGEST = timedelta(hours=12)
IDLE = timedelta(hours=1)
RENEW_AFTER = timedelta(minutes=1)
SALT = "gcsched console login"
FINGERPRINT_LENGTH = 16


class Session(NamedTuple):
    """One login: by which token, and when; *seen_time* is when a page was last opened.

    *fingerprint* is the beginning of the token's digest: another secret under the same id ends it.
    """

    token_id: str
    fingerprint: str
    login_time: int
    seen_time: int


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """Signs and reads the cookies of logins with *key*. There is no other record of a login.

    So logins work while both stores are away, and at every process that has the same key. What
    ends all logins by a token is its end: it is looked up at each request.
    """

    key: str = field(repr=False)
    now: Clock
    _serializer: URLSafeSerializer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        serializer = URLSafeSerializer(
            self.key, salt=SALT, signer_kwargs={"digest_method": hashlib.sha256}
        )
        object.__setattr__(self, "_serializer", serializer)

    def start(self, token: Token) -> str:
        """Return the cookie of a login by *token*, which was verified."""
        second = self._second()
        return self._sign(Session(token.id, fingerprint_of(token), second, second))

    def read(self, cookie: str) -> Session | None:
        """Return the login in *cookie*; None if we have not signed it, or it is over."""
        try:
            session = msgspec.convert(self._serializer.loads(cookie), Session)
        except (BadData, msgspec.ValidationError):
            return None
        second = self._second()
        is_over = second - session.login_time >= LONGEST.total_seconds()
        is_idle = second - session.seen_time >= IDLE.total_seconds()
        return None if is_over or is_idle else session

    def renew(self, session: Session) -> str | None:
        """Return a new cookie for *session*, in which a page is opened now; None if it is fresh."""
        second = self._second()
        if second - session.seen_time < RENEW_AFTER.total_seconds():
            return None
        return self._sign(session._replace(seen_time=second))

    def _sign(self, session: Session) -> str:
        return str(self._serializer.dumps(session))

    def _second(self) -> int:
        return int(self.now().timestamp())


def fingerprint_of(token: Token) -> str:
    return token.digest.hex()[:FINGERPRINT_LENGTH]


def find_client(session: Session, access: AccessControl) -> Client | None:
    """Return the client that has logged in, if its token is still valid."""
    found = access.find_usable(session.token_id)
    if found is None or fingerprint_of(found[1]) != session.fingerprint:
        return None
    return found[0]
