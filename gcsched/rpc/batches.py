"""The requests of a batch, parsed one at a time where all of them together could be too much.

A message of 4 MiB can hold two million empty requests, or map entries that take thirty times their
octets once they are parsed. So a large one is cut into its requests first.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, overload

from google.protobuf.message import DecodeError

from gcsched.domain.request import MOST_REQUESTS, MeetRequest
from gcsched.errors import MalformedMessage
from gcsched.pb import task_pb2
from gcsched.rpc.contract import published_text
from gcsched.rpc.requests import request_from

PARSED_WHOLE = 128 * 1024
MOST_FIELDS = 2_000
REQUESTS_TAG = 1 << 3 | 2
FIXED = {1: 8, 5: 4}
VARINT, DELIMITED = 0, 2
LONGEST_VARINT = 10
MORE_FOLLOWS = 0x80


class Requests(Protocol):
    """The requests of a batch, by number."""

    def __len__(self) -> int: ...

    def octets(self, number: int) -> int: ...

    def read(self, number: int) -> task_pb2.MeetRequest: ...


class Parsed:
    """Requests that are parsed already."""

    def __init__(self, batch: task_pb2.BatchScheduleMeetsRequest) -> None:
        self._requests = batch.requests

    def __len__(self) -> int:
        return len(self._requests)

    def octets(self, number: int) -> int:
        return self._requests[number].ByteSize()

    def read(self, number: int) -> task_pb2.MeetRequest:
        return self._requests[number]


class Unparsed:
    """Requests that are parsed when they are looked at, each time anew."""

    def __init__(self, raws: list[memoryview]) -> None:
        self._raws = raws

    def __len__(self) -> int:
        return len(self._raws)

    def octets(self, number: int) -> int:
        return len(self._raws[number])

    def read(self, number: int) -> task_pb2.MeetRequest:
        """Parse a request. Raises MalformedMessage."""
        try:
            return task_pb2.MeetRequest.FromString(bytes(self._raws[number]))
        except DecodeError as error:
            said = published_text(str(error))
            raise MalformedMessage(f"requests[{number}] cannot be parsed: {said}") from None


class Converted(Sequence[MeetRequest]):
    """Some of *requests*, each converted when it is asked for, so that not all are held."""

    def __init__(self, requests: Requests, numbers: Sequence[int]) -> None:
        self._requests = requests
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> MeetRequest: ...
    @overload
    def __getitem__(self, place: slice) -> "Converted": ...
    def __getitem__(self, place: int | slice) -> "MeetRequest | Converted":
        if isinstance(place, slice):
            return Converted(self._requests, self._numbers[place])
        return request_from(self._requests.read(self._numbers[place]))


Batch = task_pb2.BatchScheduleMeetsRequest | Unparsed


def batch_from(raw: bytes) -> Batch:
    """Parse a batch, or cut it up. Raises DecodeError or MalformedMessage."""
    if len(raw) <= PARSED_WHOLE:
        return task_pb2.BatchScheduleMeetsRequest.FromString(raw)
    return Unparsed(list(delimited(raw)))


def requests_of(batch: Batch) -> Requests:
    return batch if isinstance(batch, Unparsed) else Parsed(batch)


def delimited(raw: bytes) -> Iterator[memoryview]:
    """Yield the octets of each request of a BatchScheduleMeetsRequest, without a copy."""
    view, at = memoryview(raw), 0
    for _ in range(MOST_FIELDS):
        if at == len(raw):
            return
        tag, at = varint(raw, at)
        kind = tag & 7
        size, at = varint(raw, at) if kind in {VARINT, DELIMITED} else (FIXED.get(kind, -1), at)
        if kind == VARINT:
            continue
        if not 0 <= size <= len(raw) - at:
            raise MalformedMessage(f"its field at octet {at} is cut off or of unknown type")
        if tag == REQUESTS_TAG:
            yield view[at : at + size]
        at += size
    if at < len(raw):
        problem = f"it has more than {MOST_FIELDS} requests; {MOST_REQUESTS} are accepted"
        raise MalformedMessage(problem)


def varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return the number at *at*, and where it ends."""
    number = 0
    for shift, octet in enumerate(raw[at : at + LONGEST_VARINT]):
        number |= (octet & 0x7F) << (7 * shift)
        if octet < MORE_FOLLOWS:
            return number, at + shift + 1
    raise MalformedMessage(f"its number at octet {at} is cut off or too long")
