"""A large batch is split into the same requests that protobuf parses."""

import pytest
from google.protobuf.message import DecodeError

from gcsched.errors import MalformedMessage
from gcsched.pb import task_pb2
from gcsched.rpc.batches import (
    MAX_PARSED_WHOLE,
    ConvertedRequests,
    as_requests,
    parse_batch,
    split_batch,
)
from gcsched.rpc.requests import request_from
from tests.support.service_process import a_meet


def a_large_batch(count: int = 40) -> task_pb2.BatchScheduleMeetsRequest:
    texts = {"text": "äx" * 2_000}
    requests = [a_meet(number, variables=texts, labels={"n": "1"}) for number in range(count)]
    return task_pb2.BatchScheduleMeetsRequest(requests=[*requests, task_pb2.MeetRequest()])


def test_the_requests_are_those_that_protobuf_reads() -> None:
    batch = a_large_batch()
    raw = batch.SerializeToString()
    found = as_requests(parse_batch(raw))

    assert len(raw) > MAX_PARSED_WHOLE
    assert [found.read(number) for number in range(len(found))] == list(batch.requests)
    assert [found.size_of(n) for n in range(len(found))] == [r.ByteSize() for r in batch.requests]


def test_both_kinds_are_converted_alike() -> None:
    batch = a_large_batch()
    numbers = range(3, 20)
    expected = [request_from(batch.requests[number]) for number in numbers]

    for each in (batch, parse_batch(batch.SerializeToString())):
        converted = ConvertedRequests(as_requests(each), numbers)
        assert list(converted) == expected
        assert list(converted[2:5]) == expected[2:5]


def test_fields_of_a_later_contract_are_passed_over() -> None:
    unknown = b"\x10\x96\x01" + b"\x19" + b"12345678" + b"\x25" + b"1234" + b"\x2a\x02ab"
    one = a_meet(1).SerializeToString()

    assert [bytes(each) for each in split_batch(unknown + b"\n" + bytes([len(one)]) + one)] == [one]


@pytest.mark.parametrize(
    "raw",
    [
        b"\n\x05ab",
        b"\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\n",
        b"\x0b",
        b"\n\0" * 2_001,
    ],
    ids=["cut off", "an endless length", "no length", "a group", "too many"],
)
def test_octets_that_are_not_a_batch_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        list(split_batch(raw))


def test_a_request_whose_text_is_not_utf_8_is_named() -> None:
    raw = a_large_batch().SerializeToString() + b"\x0a\x04\x0a\x02\xff\xfe"
    found = as_requests(parse_batch(raw))

    with pytest.raises(MalformedMessage, match=r"requests\[41\] .*UTF-8"):
        found.read(41)
    with pytest.raises(DecodeError):
        parse_batch(b"\x0a\x04\x0a\x02\xff\xfe")
