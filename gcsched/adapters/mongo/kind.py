"""Tell by `hello` what a MongoDB is: only a set or a cluster keeps what it confirmed."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """A cluster is reached by mongos; its shards are sets."""

    KEEPS = "replica set or cluster"
    STANDALONE = "standalone"
    UNINITIATED = "replica set that was never initiated"


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
    return Kind.UNINITIATED if hello.get("isreplicaset") else Kind.STANDALONE


def kind_of_seeds(answers: Iterable[Mapping[str, Any] | BaseException]) -> Kind | None:
    """Return what hosts are that were asked one by one; None: that is not known.

    One of several may be out of its set for a while, so only all together are standalone.
    """
    kinds = [None if isinstance(each, BaseException) else kind_of(each) for each in answers]
    if Kind.KEEPS in kinds:
        return Kind.KEEPS
    if Kind.UNINITIATED in kinds:
        return Kind.UNINITIATED
    return Kind.STANDALONE if kinds and set(kinds) == {Kind.STANDALONE} else None
