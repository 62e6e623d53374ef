"""The new contract contains the old one: names, numbers and types, as protoc reads both."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError
from grpc_tools import protoc

from gcsched.pb import task_pb2
from gcsched.rpc.contract import build_published_file, replace_internal_names
from tests.generate import contract

OLD = Path(__file__).parents[1] / "e2e" / "old_client"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> descriptor_pb2.FileDescriptorProto:
    """The contract that existing clients were generated from, read by protoc."""
    descriptors = tmp_path_factory.mktemp("old") / "old.bin"
    code = protoc.main(["protoc", f"-I{OLD}", f"--descriptor_set_out={descriptors}", "task.proto"])
    assert code == 0
    [file] = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file
    return file


@pytest.fixture(scope="module")
def new() -> descriptor_pb2.FileDescriptorProto:
    return contract.read_contract().file


def fields(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[object, ...]]:
    """Yield the properties of each field that the wire and generated clients depend on."""
    for message in file.message_type:
        for field in message.field:
            yield (
                *(file.package, message.name, field.name, field.number),
                *(field.type, field.label, field.type_name),
                *(field.proto3_optional, field.HasField("oneof_index")),
            )


def methods(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[object, ...]]:
    for service in file.service:
        for method in service.method:
            yield (
                *(file.package, service.name, method.name, method.input_type, method.output_type),
                *(method.client_streaming, method.server_streaming),
            )


def test_every_old_field_keeps_its_name_number_and_type(
    old: descriptor_pb2.FileDescriptorProto, new: descriptor_pb2.FileDescriptorProto
) -> None:
    assert len(list(fields(old))) == 7
    assert set(fields(old)) <= set(fields(new))
    assert old.syntax == new.syntax == "proto3"


def test_every_old_method_keeps_its_path_and_messages(
    old: descriptor_pb2.FileDescriptorProto, new: descriptor_pb2.FileDescriptorProto
) -> None:
    assert len(list(methods(old))) == 1
    assert set(methods(old)) <= set(methods(new))


def test_an_old_response_is_a_prefix_of_the_new_one() -> None:
    answer = task_pb2.MeetResponse(success=True, job_id="j", outcome=task_pb2.MeetResponse.REPLAYED)

    octets = answer.SerializeToString()

    assert octets.startswith(b"\x08\x01\x12\x01j")


def test_no_number_is_used_twice(new: descriptor_pb2.FileDescriptorProto) -> None:
    for message in new.message_type:
        numbers = [field.number for field in message.field]
        assert len(numbers) == len(set(numbers)), message.name


def test_the_published_contract_is_the_one_that_protoc_reads(
    new: descriptor_pb2.FileDescriptorProto,
) -> None:
    as_read = descriptor_pb2.FileDescriptorProto()
    as_read.CopyFrom(new)
    as_read.ClearField("source_code_info")
    for message in as_read.message_type:
        remove_json_names(message)

    assert build_published_file() == as_read


def remove_json_names(message: descriptor_pb2.DescriptorProto) -> None:
    """Remove the names that protoc adds for its plugins and that generated code does not keep."""
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        remove_json_names(nested)


def test_an_error_of_protobuf_names_the_published_message() -> None:
    with pytest.raises(DecodeError) as caught:
        task_pb2.MeetRequest.FromString(b"\xff")

    assert "'scheduler.MeetRequest'" in replace_internal_names(str(caught.value))
