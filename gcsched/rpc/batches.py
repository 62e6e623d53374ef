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
from gcsched.rpc.wire_format import split_fields, tag_of

MAX_PARSED_WHOLE = 128 * 1024
MAX_FIELDS = 2_000  # more than MAX_REQUESTS, so that a batch that is too long gets its usual error
REQUESTS_TAG = tag_of(1)


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
    view = memoryview(raw)
    for count, span in enumerate(split_fields(raw), 1):
        if count > MAX_FIELDS:
            problem = f"it has more than {MAX_FIELDS} requests; {MAX_REQUESTS} are accepted"
            raise MalformedMessage(problem)
        if span.tag == REQUESTS_TAG:
            yield view[span.start : span.end]
