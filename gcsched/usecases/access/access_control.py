"""Finds out who calls: by a token, by a client certificate, or by both."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from typing import NamedTuple

from gcsched.domain.access import Client, Token
from gcsched.domain.access_token import (
    ID_LENGTH,
    PREFIX,
    MalformedToken,
    WrongCheck,
    parse_token,
)
from gcsched.domain.client_registry import ClientRegistry, is_usable
from gcsched.domain.refusal import Refusal, RefusalReason
from gcsched.usecases.access.refusal_log import RefusalLog
from gcsched.usecases.ports import Clock

BEARER = "bearer"
ID_START = len(BEARER) + 1 + len(PREFIX)
ID_PLACE = slice(ID_START, ID_START + ID_LENGTH)
NO_TOKEN = Refusal(RefusalReason.MISSING)
SEVERAL_VALUES = Refusal(RefusalReason.SEVERAL)
MALFORMED_TOKEN = Refusal(RefusalReason.MALFORMED)
WRONG_CHECK = Refusal(RefusalReason.WRONG_CHECK)
NO_CLIENT = Refusal(RefusalReason.CERTIFICATE)


class VerifiedToken(NamedTuple):
    """A token that was found valid: the whole value of its caller, and until when it counts."""

    authorization: str
    client: Client
    until: float


@dataclass(kw_only=True, eq=False)
class AccessControl:
    """Authenticates callers against *registry*, which a reload replaces as a whole.

    A token that was verified is remembered until the next reload, because to parse and to digest it
    costs 8 % of the CPU of an empty call.
    """

    registry: ClientRegistry
    now: Clock
    refusals: Counter[RefusalReason] = field(default_factory=Counter)
    log: RefusalLog = field(default_factory=RefusalLog)
    monotonic: Callable[[], float] = time.monotonic
    _verified: dict[str, VerifiedToken] = field(default_factory=dict, init=False)

    def use(self, registry: ClientRegistry) -> None:
        """Authenticate against *registry* from now on, and verify each token again."""
        self.registry = registry
        self._verified.clear()

    def authenticate(
        self, authorization: Sequence[str], identities: Sequence[str] | None = None
    ) -> Client | Refusal:
        """Return the client of a call, from its `authorization` values and its certificate.

        *identities* are those of the certificate; None: callers here have none.
        """
        if len(authorization) > 1:
            return SEVERAL_VALUES
        found = self._find_by_token(authorization[0]) if authorization else NO_TOKEN
        if identities is None:
            return found
        if authorization and isinstance(found, Refusal):
            return found
        named = self.registry.find_by_identities(identities)
        if named is None:
            return NO_CLIENT
        if isinstance(found, Client) and found.name != named.name:
            # Neither wins: a stolen token must not work with the certificate of its thief.
            return Refusal(RefusalReason.MISMATCH, found.name)
        return named

    def _find_by_token(self, authorization: str) -> Client | Refusal:
        known = self._verified.get(authorization[ID_PLACE])
        if (
            known is not None
            and authorization.isascii()  # compare_digest takes no other text
            and compare_digest(known.authorization, authorization)
            and self.monotonic() < known.until
        ):
            return known.client
        return self._verify(authorization)

    def _verify(self, authorization: str) -> Client | Refusal:
        scheme, _, text = authorization.partition(" ")
        try:
            token_id, digest = parse_token(text if scheme.lower() == BEARER else "")
        except MalformedToken:
            return MALFORMED_TOKEN
        except WrongCheck:
            return WRONG_CHECK
        found = self.registry.tokens.get(token_id)
        if found is None or not compare_digest(digest, found[1].digest):
            return Refusal(RefusalReason.UNKNOWN, token=token_id)
        client, token = found
        if (reason := find_end(token, self.now())) is not None:
            return Refusal(reason, client.name, token_id)
        until = math.inf
        if token.expire_time is not None:
            until = self.monotonic() + (token.expire_time - self.now()).total_seconds()
        self._verified[token_id] = VerifiedToken(authorization, client, until)
        return client

    def find_usable(self, token_id: str) -> tuple[Client, Token] | None:
        """Return the token of that id and its client, if it authenticates the client now."""
        found = self.registry.tokens.get(token_id)
        return found if found is not None and is_usable(found[1], now=self.now()) else None

    def record_refusal(self, refusal: Refusal, *, method: str, peer: Callable[[], str]) -> None:
        """Count a refused call of *method*, and log it unless the like was logged lately."""
        self.refusals[refusal.reason] += 1
        self.log.record(refusal, method=method, peer=peer)


def find_end(token: Token, now: datetime) -> RefusalReason | None:
    """Return why *token* is over at *now*, or None."""
    # At once, whatever its time is: the clock of the operator may be ahead of this one.
    if token.revoke_time is not None:
        return RefusalReason.REVOKED
    is_over = token.expire_time is not None and token.expire_time <= now
    return RefusalReason.EXPIRED if is_over else None
