"""The kind of a MongoDB deployment, by its reply to `hello`.

Only a replica set or a cluster keeps what it confirmed (ADR 0021).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class DeploymentKind(StrEnum):
    """What a MongoDB is. A cluster is reached through mongos; its shards are replica sets."""

    REPLICATED = "replica set or cluster"
    STANDALONE = "standalone"
    UNCONFIGURED = "member without the configuration of its set"
    UNINITIATED = "hosts that all are without a configuration"


UNCONFIGURED = (
    "it has no configuration of its replica set (yet): it is starting, was removed from the set, or"
    " the set was never initiated"
)
NEVER_INITIATED = (
    "its replica set was never initiated: run `rs.initiate()` there once, in mongosh;"
    " this process continues then"
)
STANDALONE = (
    "it is a standalone mongod, which can lose jobs that it confirmed: make it a replica set of"
    " one (restart it with `--replSet rs0`, then run `rs.initiate()` in mongosh once), or accept"
    " that with GCSCHED_ALLOW_STANDALONE=1"
)
STANDALONE_RISK = (
    "a crash or a power cut can lose jobs that were confirmed, and nothing can take over from it:"
    " make it a replica set of one"
)
WITHOUT_REPLICA_SET = (
    "it is a standalone mongod, but GCSCHED_MONGO_URI names a replica set: remove replicaSet from"
    " GCSCHED_MONGO_URI"
)


def classify_host(hello: Mapping[str, Any]) -> DeploymentKind:
    """Return the kind that a reply to `hello` shows."""
    # A mongos replies "isdbgrid"; a member without a configuration has `isreplicaset`.
    if hello.get("setName") or hello.get("msg") == "isdbgrid":
        return DeploymentKind.REPLICATED
    return DeploymentKind.UNCONFIGURED if hello.get("isreplicaset") else DeploymentKind.STANDALONE


def classify_hosts(replies: Iterable[Mapping[str, Any] | BaseException]) -> DeploymentKind | None:
    """Return the kind of hosts that were asked one by one; None if it is not known.

    One of several hosts may be out of its replica set for a while, so only all of them together are
    standalone or uninitiated.
    """
    kinds = [None if isinstance(each, BaseException) else classify_host(each) for each in replies]
    if DeploymentKind.REPLICATED in kinds:
        return DeploymentKind.REPLICATED
    if set(kinds) == {DeploymentKind.UNCONFIGURED}:
        return DeploymentKind.UNINITIATED
    if DeploymentKind.UNCONFIGURED in kinds:
        return DeploymentKind.UNCONFIGURED
    return DeploymentKind.STANDALONE if set(kinds) == {DeploymentKind.STANDALONE} else None


@dataclass(slots=True, eq=False)
class DeploymentCheck:
    """A check that reports a replica set as never initiated only if two checks in a row find it so.

    A member that starts gives the same reply for a moment, before it has read its configuration.
    """

    _is_uninitiated: bool = False
    _was_uninitiated: bool = False

    def start(self) -> None:
        """Start a check; one that ends without a reply has found nothing."""
        self._was_uninitiated, self._is_uninitiated = self._is_uninitiated, False

    def describe(self, kind: DeploymentKind | None) -> str | None:
        """Describe what this check found to wait for; None if nothing."""
        self._is_uninitiated = kind is DeploymentKind.UNINITIATED
        if self._is_uninitiated and self._was_uninitiated:
            return NEVER_INITIATED
        return (
            UNCONFIGURED
            if kind in {DeploymentKind.UNINITIATED, DeploymentKind.UNCONFIGURED}
            else None
        )
