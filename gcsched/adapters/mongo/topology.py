"""Tell by `hello` what a MongoDB is: only a set or a cluster keeps what it confirmed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class DeploymentKind(StrEnum):
    """A cluster is reached by mongos; its shards are sets."""

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
    " this process goes on by itself then"
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
    "it is a standalone mongod, and GCSCHED_MONGO_URI asks for a set: leave replicaSet out of it"
)


def classify_host(hello: Mapping[str, Any]) -> DeploymentKind:
    """Read an answer to `hello`."""
    if hello.get("setName") or hello.get("msg") == "isdbgrid":
        return DeploymentKind.REPLICATED
    return DeploymentKind.UNCONFIGURED if hello.get("isreplicaset") else DeploymentKind.STANDALONE


def classify_hosts(answers: Iterable[Mapping[str, Any] | BaseException]) -> DeploymentKind | None:
    """Return what hosts are that were asked one by one; None: that is not known.

    One of several may be out of its set for a while, so only all together are standalone, or
    uninitiated.
    """
    kinds = [None if isinstance(each, BaseException) else classify_host(each) for each in answers]
    if DeploymentKind.REPLICATED in kinds:
        return DeploymentKind.REPLICATED
    if DeploymentKind.UNCONFIGURED in kinds:
        return (
            DeploymentKind.UNINITIATED
            if set(kinds) == {DeploymentKind.UNCONFIGURED}
            else DeploymentKind.UNCONFIGURED
        )
    return (
        DeploymentKind.STANDALONE if kinds and set(kinds) == {DeploymentKind.STANDALONE} else None
    )


@dataclass(slots=True, eq=False)
class DeploymentCheck:
    """Say of a set that it was never initiated only when two looks in a row find it so.

    One that starts answers the same for a moment, before it has read its configuration.
    """

    _is_uninitiated: bool = False
    _was_uninitiated: bool = False

    def start(self) -> None:
        """Begin a look; one that ends without an answer found nothing."""
        self._was_uninitiated, self._is_uninitiated = self._is_uninitiated, False

    def describe(self, kind: DeploymentKind | None) -> str | None:
        """Say what the look of now found to wait for; None: nothing."""
        self._is_uninitiated = kind is DeploymentKind.UNINITIATED
        if self._is_uninitiated and self._was_uninitiated:
            return NEVER_INITIATED
        return (
            UNCONFIGURED
            if kind in {DeploymentKind.UNINITIATED, DeploymentKind.UNCONFIGURED}
            else None
        )
