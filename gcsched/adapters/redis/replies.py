"""Checks of Redis's replies: their size on the wire, their type, their value."""

import re
from typing import Any

from redis._parsers import _AsyncHiredisParser
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import InvalidResponse, ResponseError

MAX_REPLY_OCTETS = 1024 * 1024  # the longest expected reply has some 200 KiB
# The parser reserves memory for as many items as a reply announces: eight octets for each.
TOO_MANY_ITEMS = re.compile(rb"[*~>%|][0-9]{6}")
MAX_HEADER_OCTETS = 8
# Redis repeats the arguments of an unknown command, and they may be a job's data.
ECHOED_ARGUMENTS = re.compile(r",? with args beginning with:.*", re.DOTALL)


class InvalidReply(Exception):
    """Redis answered something that the command cannot answer."""

    def __init__(self, answer: object, expected: str) -> None:
        super().__init__(f"it answered {describe_reply(answer)} instead of {expected}")


def describe_reply(answer: object) -> str:
    """Describe *answer* without repeating text in it, which may be personal data."""
    if answer is None or isinstance(answer, int | float):
        return repr(answer)[:40]
    if isinstance(answer, bytes | str | list | dict | set):
        return f"{type(answer).__name__} of length {len(answer)}"
    return type(answer).__name__


def expect_integers(answer: object, *bounds: tuple[int, int]) -> list[int]:
    """Return *answer* if it is a list of integers, one for each of *bounds* and within it."""
    if not isinstance(answer, list) or len(answer) != len(bounds):
        raise InvalidReply(answer, f"a list of {len(bounds)} integers")
    return [
        expect_integer(each, least=least, most=most)
        for each, (least, most) in zip(answer, bounds, strict=True)
    ]


def expect_integer(answer: object, *, least: int, most: int) -> int:
    if type(answer) is not int or not least <= answer <= most:  # True is an int, too
        raise InvalidReply(answer, f"an integer from {least} to {most}")
    return answer


def expect_values(answer: object, count: int) -> list[bytes | None]:
    """Return *answer* if it is a reply of MGET for *count* keys."""
    if not isinstance(answer, list) or len(answer) != count:
        raise InvalidReply(answer, f"a list of {count} values")
    for each in answer:
        if each is not None and not isinstance(each, bytes):
            raise InvalidReply(each, "bytes or null")
    return answer


def expect_null(answer: object) -> None:
    if answer is not None:
        raise InvalidReply(answer, "null")


class LimitedParser(_AsyncHiredisParser):
    """A parser that refuses endless replies, which would fill the memory within the time limit.

    A reply that cannot be parsed ends its connection, even if the next user of the connection finds
    it: redis-py would keep that connection and fail on every use.
    """

    _stream: Any
    _reader: Any

    def __init__(self, socket_read_size: int) -> None:
        super().__init__(socket_read_size=socket_read_size)
        self._octets = 0
        self._tail = b""

    @classmethod
    def parse_error(cls, response: str) -> Exception:
        """Return the error for *response*, without the arguments of the command that it repeats."""
        base: Any = super()
        error: Exception = base.parse_error(ECHOED_ARGUMENTS.sub("", response))
        return error

    async def read_response(self, *args: Any, **options: Any) -> Any:
        self._octets, self._tail = 0, b""
        return await super().read_response(*args, **options)

    async def can_read_destructive(self) -> bool:
        self._octets, self._tail = 0, b""
        try:
            base: Any = super()
            return bool(await base.can_read_destructive())
        except (InvalidResponse, ResponseError, MemoryError) as error:
            raise ConnectionLost(str(error)) from error

    async def read_from_socket(self) -> bool:
        buffer = await self._stream.read(self._read_size)
        if not buffer:
            raise ConnectionLost("the connection closed")
        self._octets += len(buffer)
        if self._octets > MAX_REPLY_OCTETS:
            raise InvalidResponse(f"a reply has more than {MAX_REPLY_OCTETS} octets")
        # Search across the seam: the header of an array may arrive in two pieces.
        if TOO_MANY_ITEMS.search(self._tail + buffer):
            raise InvalidResponse("a reply announces more items than any command here returns")
        self._tail = buffer[-MAX_HEADER_OCTETS:]
        self._reader.feed(buffer)
        return True
