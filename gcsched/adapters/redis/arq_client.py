"""ARQ's client without pickle, and without its leak of connections after errors."""

from collections.abc import Iterable
from typing import Any

import msgpack
from arq.connections import ArqRedis
from arq.constants import (
    abort_jobs_ss,
    in_progress_key_prefix,
    job_key_prefix,
    result_key_prefix,
    retry_key_prefix,
)
from redis.asyncio.client import Pipeline

from gcsched.adapters.redis.connection import open_pool

QUEUE = "gcsched:queue"
WAKE = "gcsched:wake"
SWEEP = "gcsched:sweep"
DAILY = "gcsched:daily"
ABORTED = abort_jobs_ss


def pack_job(value: Any) -> bytes:
    """Pack *value*; errors, which ARQ puts into results of its own, become their repr."""
    data: bytes = msgpack.packb(value, default=repr)
    return data


class ForeignJob(Exception):
    """The value under a job's key is not a job of this service."""


def unpack_job(data: bytes) -> Any:
    """Unpack a job. Raises ForeignJob unless its function and arguments are this service's.

    ARQ would log the function and the arguments of any other job, which may be personal data.
    """
    job = msgpack.unpackb(data)
    if not isinstance(job, dict) or not is_own_job(job):
        raise ForeignJob("the data is not a job of this service")
    return job


def is_own_job(job: dict[Any, Any]) -> bool:
    seconds = job.get("a")
    return (
        job.get("f") in (WAKE, SWEEP, DAILY)
        and isinstance(seconds, list)
        and all(type(each) is int for each in seconds)
        and job.get("k") == {}
    )


class ReleasingPipeline(Pipeline):
    """A pipeline that always releases its connection: redis-py's keeps it when UNWATCH fails.

    Its errors name the failed command without the arguments, which are a job's packed data.
    """

    def annotate_exception(
        self, exception: Exception, number: int, command: Iterable[object]
    ) -> None:
        name, text = next(iter(command), ""), " ".join(map(str, exception.args))
        exception.args = (f"command {number} of a transaction ({name}): {text}",)

    async def reset(self) -> None:
        connection: Any = self.connection
        base: Any = super()
        try:
            await base.reset()
        except Exception:
            # Without this, each such error would cost the pool one connection. It may still be in
            # a transaction, so it is closed first.
            if self.connection is not None:
                self.connection = None
                await connection.disconnect(nowait=True)
                await self.connection_pool.release(connection)
            raise


class ArqClient(ArqRedis):
    """ARQ's client, where each pipeline is a transaction."""

    def pipeline(self, *_: Any, **__: Any) -> ReleasingPipeline:
        # ARQ's own calls ask for a transaction too, except one that only logs.
        pool, callbacks = self.connection_pool, self.response_callbacks
        return ReleasingPipeline(pool, callbacks, transaction=True, shard_hint=None)


def open_arq(url: str) -> ArqRedis:
    """Make ARQ's client, with msgpack instead of pickle.

    Anyone who can write to Redis could run code here by a pickle.
    """
    return ArqClient(
        open_pool(url),
        job_serializer=pack_job,
        job_deserializer=unpack_job,
        default_queue_name=QUEUE,
    )


def job_keys(job_id: str) -> list[str]:
    """Return the keys that ARQ may keep for a job, its data first."""
    prefixes = (job_key_prefix, in_progress_key_prefix, retry_key_prefix, result_key_prefix)
    return [f"{prefix}{job_id}" for prefix in prefixes]
