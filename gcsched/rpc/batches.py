"""The requests of a batch; those of a large batch are parsed one at a time.

A message of 4 MiB can hold two million empty requests, or map entries that need thirty times their
octets once they are parsed. So a large batch is split into its requests first.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, overload

from google.protobuf.message import DecodeError

from gcsched.domain.request import MAX_REQUESTS, MeetRequest
from gcsched.errors import MalformedMessage
from gcsched.pb import task_pb2
from gcsched.rpc.contract import replace_internal_names
from gcsched.rpc.requests import request_from

MAX_PARSED_WHOLE = 128 * 1024
MAX_FIELDS = 2_000  # more than MAX_REQUESTS, so that a batch that is too long gets its usual error
# The wire format of protobuf: a tag is the field's number and its wire type.
REQUESTS_TAG = 1 << 3 | 2
FIXED_SIZES = {1: 8, 5: 4}
VARINT, DELIMITED = 0, 2
MAX_VARINT_OCTETS = 10
CONTINUATION_BIT = 0x80


class BatchRequests(Protocol):
    """The requests of a batch, by index."""

    def __len__(self) -> int: ...

    def size_of(self, index: int) -> int: ...

    def read(self, index: int) -> task_pb2.MeetRequest: ...


class ParsedBatch:
    """Requests that are parsed already."""

    def __init__(self, batch: task_pb2.BatchScheduleMeetsRequest) -> None:
        self._requests = batch.requests

    def __len__(self) -> int:
        return len(self._requests)

    def size_of(self, index: int) -> int:
        return self._requests[index].ByteSize()

    def read(self, index: int) -> task_pb2.MeetRequest:
        return self._requests[index]


class UnparsedBatch:
    """Requests that are parsed at each access, and not kept."""

    def __init__(self, raws: list[memoryview]) -> None:
        self._raws = raws

    def __len__(self) -> int:
        return len(self._raws)

    def size_of(self, index: int) -> int:
        return len(self._raws[index])

    def read(self, index: int) -> task_pb2.MeetRequest:
        """Parse a request. Raises MalformedMessage."""
        try:
            return task_pb2.MeetRequest.FromString(bytes(self._raws[index]))
        except DecodeError as error:
            problem = replace_internal_names(str(error))
            raise MalformedMessage(f"requests[{index}] cannot be parsed: {problem}") from None


class ConvertedRequests(Sequence[MeetRequest]):
    """Some of *requests*, each converted at its access, so that not all are held at once."""

    def __init__(self, requests: BatchRequests, indexes: Sequence[int]) -> None:
        self._requests = requests
        self._indexes = indexes

    def __len__(self) -> int:
        return len(self._indexes)

    @overload
    def __getitem__(self, index: int) -> MeetRequest: ...
    @overload
    def __getitem__(self, index: slice) -> "ConvertedRequests": ...
    def __getitem__(self, index: int | slice) -> "MeetRequest | ConvertedRequests":
        if isinstance(index, slice):
            return ConvertedRequests(self._requests, self._indexes[index])
        return request_from(self._requests.read(self._indexes[index]))


BatchMessage = task_pb2.BatchScheduleMeetsRequest | UnparsedBatch


def parse_batch(raw: bytes) -> BatchMessage:
    """Parse a batch, or split a large one. Raises DecodeError or MalformedMessage."""
    if len(raw) <= MAX_PARSED_WHOLE:
        return task_pb2.BatchScheduleMeetsRequest.FromString(raw)
    return UnparsedBatch(list(split_batch(raw)))


def as_requests(batch: BatchMessage) -> BatchRequests:
    return batch if isinstance(batch, UnparsedBatch) else ParsedBatch(batch)


def split_batch(raw: bytes) -> Iterator[memoryview]:
    """Yield the octets of each request of a BatchScheduleMeetsRequest, without a copy.

    Unknown fields are skipped, as protobuf does. Raises MalformedMessage.
    """
    view, at = memoryview(raw), 0
    for _ in range(MAX_FIELDS):
        if at == len(raw):
            return
        tag, at = read_varint(raw, at)
        kind = tag & 7
        size, at = (
            read_varint(raw, at) if kind in {VARINT, DELIMITED} else (FIXED_SIZES.get(kind, -1), at)
        )
        if kind == VARINT:
            continue
        if not 0 <= size <= len(raw) - at:
            raise MalformedMessage(f"its field at octet {at} is truncated or of unknown type")
        if tag == REQUESTS_TAG:
            yield view[at : at + size]
        at += size
    if at < len(raw):
        problem = f"it has more than {MAX_FIELDS} requests; {MAX_REQUESTS} are accepted"
        raise MalformedMessage(problem)


def read_varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return the number at *at*, and the offset of its end. Raises MalformedMessage."""
    number = 0
    for shift, octet in enumerate(raw[at : at + MAX_VARINT_OCTETS]):
        number |= (octet & 0x7F) << (7 * shift)
        if octet < CONTINUATION_BIT:
            return number, at + shift + 1
    raise MalformedMessage(f"its number at octet {at} is truncated or too long")
