"""The clients that may call, by their tokens and by the identities of certificates. Pure."""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from gcsched.domain.access import Client, Token


class ClientRegistry(Struct, frozen=True, kw_only=True):
    """All clients of one version of the clients file; *tokens* are by id."""

    clients: Mapping[str, Client]
    tokens: Mapping[str, tuple[Client, Token]]
    identities: Mapping[str, Client]

    @classmethod
    def of(cls, clients: Iterable[Client]) -> "ClientRegistry":
        """Return the registry of *clients*, whose token ids and identities are unique."""
        by_name = {each.name: each for each in clients}
        return cls(
            clients=by_name,
            tokens={
                token.id: (client, token) for client in by_name.values() for token in client.tokens
            },
            identities={
                identity: client for client in by_name.values() for identity in client.identities
            },
        )

    def find_by_identities(self, identities: Sequence[str]) -> Client | None:
        """Return the one client that a certificate with *identities* names, if it names one."""
        found = {
            client.name: client
            for identity in identities
            if (client := self.identities.get(identity)) is not None
        }
        return next(iter(found.values())) if len(found) == 1 else None


def is_usable(token: Token, *, now: datetime) -> bool:
    """Return whether *token* authenticates its client at *now*."""
    return token.revoke_time is None and (token.expire_time is None or now < token.expire_time)


def find_unknown_senders(
    registry: ClientRegistry, known: Container[str]
) -> Mapping[str, Sequence[str]]:
    """Return for each client those of its senders that the service does not have, if any."""
    found = {
        client.name: [each for each in client.limits.senders if each not in known]
        for client in registry.clients.values()
    }
    return {name: senders for name, senders in found.items() if senders}


def find_expiries(registry: ClientRegistry, *, now: datetime) -> Mapping[str, datetime]:
    """Return when each client loses its last token; clients with an endless token are absent."""
    ends: dict[str, datetime] = {}
    for client in registry.clients.values():
        usable = [token.expire_time for token in client.tokens if is_usable(token, now=now)]
        known = [each for each in usable if each is not None]
        if known and len(known) == len(usable):
            ends[client.name] = max(known)
    return ends
