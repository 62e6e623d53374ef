"""Tell by `hello` what a MongoDB is: only a set or a cluster keeps what it confirmed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """A cluster is reached by mongos; its shards are sets."""

    KEEPS = "replica set or cluster"
    STANDALONE = "standalone"
    UNCONFIGURED = "member without the configuration of its set"
    UNINITIATED = "hosts that all are without a configuration"


UNCONFIGURED = (
    "it has no configuration of its replica set (yet): it is starting, was removed from the set, or"
    " the set was never initiated"
)
INITIATE = (
    "its replica set was never initiated: run `rs.initiate()` there once, in mongosh;"
    " this process goes on by itself then"
)
STANDALONE = (
    "it is a standalone mongod, which can lose jobs that it confirmed: make it a replica set of"
    " one (restart it with `--replSet rs0`, then run `rs.initiate()` in mongosh once), or accept"
    " that with GCSCHED_ALLOW_STANDALONE=1"
)
ALLOWED = (
    "a crash or a power cut can lose jobs that were confirmed, and nothing can take over from it:"
    " make it a replica set of one"
)
WITHOUT_REPLICA_SET = (
    "it is a standalone mongod, and GCSCHED_MONGO_URI asks for a set: leave replicaSet out of it"
)


def kind_of(hello: Mapping[str, Any]) -> Kind:
    """Read an answer to `hello`."""
    if hello.get("setName") or hello.get("msg") == "isdbgrid":
        return Kind.KEEPS
    return Kind.UNCONFIGURED if hello.get("isreplicaset") else Kind.STANDALONE


def kind_of_seeds(answers: Iterable[Mapping[str, Any] | BaseException]) -> Kind | None:
    """Return what hosts are that were asked one by one; None: that is not known.

    One of several may be out of its set for a while, so only all together are standalone, or
    uninitiated.
    """
    kinds = [None if isinstance(each, BaseException) else kind_of(each) for each in answers]
    if Kind.KEEPS in kinds:
        return Kind.KEEPS
    if Kind.UNCONFIGURED in kinds:
        return Kind.UNINITIATED if set(kinds) == {Kind.UNCONFIGURED} else Kind.UNCONFIGURED
    return Kind.STANDALONE if kinds and set(kinds) == {Kind.STANDALONE} else None


@dataclass(slots=True, eq=False)
class Looks:
    """Say of a set that it was never initiated only when two looks in a row find it so.

    One that starts answers the same for a moment, before it has read its configuration.
    """

    _found: bool = False
    _found_before: bool = False

    def begin(self) -> None:
        """Begin a look; one that ends without an answer found nothing."""
        self._found_before, self._found = self._found, False

    def words(self, kind: Kind | None) -> str | None:
        """Say what the look of now found to wait for; None: nothing."""
        self._found = kind is Kind.UNINITIATED
        if self._found and self._found_before:
            return INITIATE
        return UNCONFIGURED if kind in {Kind.UNINITIATED, Kind.UNCONFIGURED} else None
