"""Answer a unary call from octets to octets: when its message is read, and what it may hold.

gRPC itself reads before any code of ours runs, answers nothing to a call without a message, and
logs a traceback for one that it cannot parse. So unary methods are served as client streams.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, cast

from google.protobuf.message import DecodeError

from gcsched.errors import GcschedError, MalformedMessage, RequestTooLarge
from gcsched.rpc.batches import batch_from
from gcsched.rpc.call import LARGEST_REQUEST, Context
from gcsched.rpc.contract import SERVICE, published_text
from gcsched.rpc.memory import (
    BEYOND,
    CALL_OCTETS,
    INVITATIONS,
    SMALL_OCTETS,
    WHOLE,
    Memory,
    share_of,
)
from gcsched.rpc.reads import Reads
from gcsched.rpc.servicer import READ_ONLY
from gcsched.rpc.status import abort
from gcsched.usecases.loop_share import LoopShare

Method: TypeAlias = Callable[[Any, Context], Awaitable[Any]]

LARGEST_BATCH = 4 * 1024 * 1024
OF_A_REQUEST = 8  # octets held for each octet read: itself, its parsed texts, its documents
OF_A_REPLY = 2  # in Python, and in gRPC until the caller has read it
PARSERS = {f"/{SERVICE}/BatchScheduleMeets": batch_from}
ABOUT_HEALTH = "/grpc.health."
INVITING = {f"/{SERVICE}/ScheduleMeet", *PARSERS}
REPEATABLE = {f"/{SERVICE}/{name}" for name in READ_ONLY}


@dataclass(frozen=True, slots=True)
class UnaryMethod:
    """A unary method; *parse* and *serialize* are None where it takes and gives octets.

    Only what *is_repeatable* may be refused when its work is done: it has changed nothing.
    """

    call: Method
    parse: Callable[[bytes], Any] | None
    serialize: Callable[[Any], bytes] | None
    share: float
    largest: int
    is_repeatable: bool = False

    @classmethod
    def of(cls, name: str, handler: Any) -> "UnaryMethod":
        return cls(
            call=handler.unary_unary,
            parse=PARSERS.get(name, handler.request_deserializer),
            serialize=handler.response_serializer,
            share=share_of_method(name),
            largest=LARGEST_BATCH if name in PARSERS else LARGEST_REQUEST,
            is_repeatable=name in REPEATABLE,
        )


class Receiver:
    """Reads, parses and answers; what a call holds is counted until its answer is out."""

    def __init__(self, memory: Memory, reads: Reads | None = None) -> None:
        self._memory = memory
        self._reads = reads or Reads()
        self._share = LoopShare()

    async def answer(self, method: UnaryMethod, context: Context) -> Any:
        """Return the reply to a call, serialized; refuse what cannot be read or held."""
        try:
            self._memory.take(CALL_OCTETS, share=method.share)
            cast("Any", context).add_done_callback(self._memory.end_call)
            raw = await self._reads.only(context)
            if len(raw) > SMALL_OCTETS:
                await self._hold_request(method, len(raw), context)
            request = raw if method.parse is None else parsed(method.parse, raw)
        except GcschedError as error:
            await abort(context, error)
        reply = await method.call(request, context)
        octets = reply if method.serialize is None else method.serialize(reply)
        if len(octets) > SMALL_OCTETS:
            await self._hold_reply(method, len(octets), context)
        return octets

    def beside(self, reads: Reads) -> "Receiver":
        """Return one that shares the memory, and whose calls wait for none of the others' reads."""
        return Receiver(self._memory, reads)

    async def _hold_request(self, method: UnaryMethod, octets: int, context: Context) -> None:
        """Count a request that is not small, and wait for time to parse it."""
        if octets > method.largest:  # parsed, it could take thirty times as much
            raise RequestTooLarge(octets, method.largest)
        self._hold(octets, OF_A_REQUEST, context)
        if self._share.is_used_up():
            await self._share.wait()

    async def _hold_reply(self, method: UnaryMethod, octets: int, context: Context) -> None:
        """Count a reply that is not small; it is the only word of what a call has changed."""
        if not method.is_repeatable:
            self._memory.add(octets * OF_A_REPLY)
            self._give_back_at_end(octets * OF_A_REPLY, context)
            return
        try:
            self._hold(octets, OF_A_REPLY, context)
        except GcschedError as error:
            await abort(context, error)

    def _hold(self, octets: int, times: int, context: Context) -> None:
        """Hold *times* as much as *octets* until the call has ended. Raises MemoryFull."""
        self._memory.take(octets * times, share=share_of(octets))
        self._give_back_at_end(octets * times, context)

    def _give_back_at_end(self, octets: int, context: Context) -> None:
        cast("Any", context).add_done_callback(partial(self._memory.give_back, octets))


def share_of_method(name: str) -> float:
    if name.startswith(ABOUT_HEALTH):
        return BEYOND
    return INVITATIONS if name in INVITING else WHOLE


def parsed(parse: Callable[[bytes], Any], raw: bytes) -> Any:
    """Parse *raw*. Raises MalformedMessage."""
    try:
        return parse(raw)
    except DecodeError as error:
        said = published_text(str(error))
        raise MalformedMessage(f"it cannot be parsed: {said}") from None
