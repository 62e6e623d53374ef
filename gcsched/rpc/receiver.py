"""Answer unary calls from octets to octets, with limits on reading and memory.

gRPC itself reads a message before any of our code runs, does not answer a call without a message,
and logs a traceback for one that it cannot parse. So unary methods are served as client streams.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, cast

from google.protobuf.message import DecodeError

from gcsched.errors import GcschedError, MalformedMessage, RequestTooLarge
from gcsched.rpc.batches import parse_batch
from gcsched.rpc.call import MAX_REQUEST, Context
from gcsched.rpc.contract import SERVICE, replace_internal_names
from gcsched.rpc.meeting_parsers import MAX_MEETING_REQUEST, MEETING_PARSERS
from gcsched.rpc.memory import (
    CALL_OCTETS,
    FULL_SHARE,
    HEALTH_SHARE,
    SCHEDULE_SHARE,
    SMALL_OCTETS,
    MemoryBudget,
    share_for_size,
)
from gcsched.rpc.read_limiter import ReadLimiter
from gcsched.rpc.servicer import READ_ONLY
from gcsched.rpc.status import abort
from gcsched.usecases.loop_share import LoopShare

Method: TypeAlias = Callable[[Any, Context], Awaitable[Any]]

MAX_BATCH = 4 * 1024 * 1024
# Octets held for each octet of a request: the message, its parsed texts, the documents to store.
REQUEST_MEMORY_FACTOR = 8
REPLY_MEMORY_FACTOR = 2  # in Python, and in gRPC until the caller has read it
BATCH_PATH = f"/{SERVICE}/BatchScheduleMeets"
PARSERS: Mapping[str, Callable[[bytes], Any]] = {
    BATCH_PATH: parse_batch,
    **{f"/{SERVICE}/{name}": parse for name, parse in MEETING_PARSERS.items()},
}
LARGEST_REQUESTS = {
    BATCH_PATH: MAX_BATCH,
    **dict.fromkeys((f"/{SERVICE}/{name}" for name in MEETING_PARSERS), MAX_MEETING_REQUEST),
}
HEALTH_PREFIX = "/grpc.health."
SCHEDULE_PATHS = {f"/{SERVICE}/ScheduleMeet", BATCH_PATH}
READ_ONLY_PATHS = {f"/{SERVICE}/{name}" for name in READ_ONLY}


@dataclass(frozen=True, slots=True)
class UnaryMethod:
    """A unary method; *parse* and *serialize* are None where it takes and returns octets.

    Only a method that *is_read_only* may be refused after its work: it has changed nothing.
    """

    call: Method
    parse: Callable[[bytes], Any] | None
    serialize: Callable[[Any], bytes] | None
    memory_share: float
    largest_request: int
    is_read_only: bool = False

    @classmethod
    def of(cls, name: str, handler: Any) -> "UnaryMethod":
        return cls(
            call=handler.unary_unary,
            parse=PARSERS.get(name, handler.request_deserializer),
            serialize=handler.response_serializer,
            memory_share=share_for_method(name),
            largest_request=LARGEST_REQUESTS.get(name, MAX_REQUEST),
            is_read_only=name in READ_ONLY_PATHS,
        )


class Receiver:
    """Reads, parses and answers calls, and counts their memory until the answer is sent."""

    def __init__(self, memory: MemoryBudget, reads: ReadLimiter | None = None) -> None:
        self._memory = memory
        self._reads = reads or ReadLimiter()
        self._share = LoopShare()

    async def answer(self, method: UnaryMethod, context: Context) -> Any:
        """Return the serialized reply to a call; abort a call that cannot be read or held."""
        try:
            # Before the read, so that a flood of calls is refused while it is cheap.
            self._memory.reserve(CALL_OCTETS, share=method.memory_share)
            cast("Any", context).add_done_callback(self._memory.release_call)
            raw = await self._reads.read_single(context)
            if len(raw) > SMALL_OCTETS:
                await self._reserve_for_request(method, len(raw), context)
            request = raw if method.parse is None else parse_message(method.parse, raw)
        except GcschedError as error:
            await abort(context, error)
        reply = await method.call(request, context)
        octets = reply if method.serialize is None else method.serialize(reply)
        if len(octets) > SMALL_OCTETS:
            await self._reserve_for_reply(method, len(octets), context)
        return octets

    def with_reads(self, reads: ReadLimiter) -> "Receiver":
        """Return a receiver with the same memory budget, whose limiter of reads is *reads*."""
        return Receiver(self._memory, reads)

    async def _reserve_for_request(
        self, method: UnaryMethod, octets: int, context: Context
    ) -> None:
        """Reserve memory for a request that is not small, and wait for time to parse it."""
        if octets > method.largest_request:  # parsed, it could need thirty times as much
            raise RequestTooLarge(octets, method.largest_request)
        self._reserve(octets, REQUEST_MEMORY_FACTOR, context)
        if not self._share.try_take():
            await self._share.wait()

    async def _reserve_for_reply(self, method: UnaryMethod, octets: int, context: Context) -> None:
        """Reserve memory for a reply that is not small; only a read-only method may fail here."""
        # The reply is the caller's only proof of a change, so it is sent whatever is reserved.
        if not method.is_read_only:
            self._memory.reserve_unchecked(octets * REPLY_MEMORY_FACTOR)
            self._release_at_end(octets * REPLY_MEMORY_FACTOR, context)
            return
        try:
            self._reserve(octets, REPLY_MEMORY_FACTOR, context)
        except GcschedError as error:
            await abort(context, error)

    def _reserve(self, octets: int, factor: int, context: Context) -> None:
        """Reserve *factor* times *octets* until the call has ended. Raises MemoryFull."""
        self._memory.reserve(octets * factor, share=share_for_size(octets))
        self._release_at_end(octets * factor, context)

    def _release_at_end(self, octets: int, context: Context) -> None:
        cast("Any", context).add_done_callback(partial(self._memory.release, octets))


def share_for_method(name: str) -> float:
    if name.startswith(HEALTH_PREFIX):
        return HEALTH_SHARE
    return SCHEDULE_SHARE if name in SCHEDULE_PATHS else FULL_SHARE


def parse_message(parse: Callable[[bytes], Any], raw: bytes) -> Any:
    """Parse *raw*. Raises MalformedMessage."""
    try:
        return parse(raw)
    except DecodeError as error:
        problem = replace_internal_names(str(error))
        raise MalformedMessage(f"it cannot be parsed: {problem}") from None
