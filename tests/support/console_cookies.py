"""Cookies of logins, made without the code of the console: the oracle of what it accepts."""

import hashlib
import time
from http.cookies import SimpleCookie

from itsdangerous import URLSafeSerializer

from tests.support.clients import TestToken

KEY = "a key of the console that only tests have"
HOUR = 3_600


def sign_login(
    token: TestToken,
    *,
    login_age: float = 0,
    seen_age: float = 0,
    key: str = KEY,
    salt: str = "gcsched console login",
) -> str:
    """Return the cookie of a login by *token*, so many seconds ago."""
    now = int(time.time())
    signer = URLSafeSerializer(key, salt=salt, signer_kwargs={"digest_method": hashlib.sha256})
    text = signer.dumps([token.id, token.digest[:16], int(now - login_age), int(now - seen_age)])
    return str(text)


def parse_set_cookie(header: str) -> tuple[str, str, dict[str, str]]:
    """Return the name, the value and the attributes of a Set-Cookie header, in lower case."""
    [(name, morsel)] = SimpleCookie(header).items()
    attributes = dict[str, str]()
    for part in header.split(";")[1:]:
        key, _, value = part.strip().partition("=")
        attributes[key.lower()] = value
    return name, morsel.value, attributes
