"""The contract with its comments, as protoc reads it from proto/task.proto."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parents[2] / "proto"
SourcePath = tuple[int, ...]
# Numbers of fields in descriptor.proto, of which the places of comments are made.
MESSAGES, ENUMS, SERVICES = 4, 5, 6
NESTED_MESSAGES, NESTED_ENUMS = 3, 4
MEMBERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractElement:
    """An element of the contract: its full name without the package, and its comment."""

    name: str
    comment: str
    descriptor: Any
    path: SourcePath


class Contract:
    def __init__(self, file: FileDescriptorProto) -> None:
        self._comments = {
            tuple(each.path): each.leading_comments + each.trailing_comments
            for each in file.source_code_info.location
        }
        self.file = file
        self.package = f".{file.package}."

    def service(self) -> ContractElement:
        return self._describe("", self.file.service[0], (SERVICES, 0))

    def methods(self) -> list[ContractElement]:
        service = self.service()
        methods: Sequence[MethodDescriptorProto] = service.descriptor.method
        return [
            self._describe("", method, (*service.path, MEMBERS, number))
            for number, method in enumerate(methods)
        ]

    def messages(self) -> dict[str, ContractElement]:
        """Return all messages but the entries of maps, each before the messages inside it."""
        found = self._messages("", self.file.message_type, (MESSAGES,))
        return {each.name: each for each in found}

    def enums(self) -> dict[str, ContractElement]:
        found = self._enums("", self.file.enum_type, (ENUMS,))
        for message in self.messages().values():
            within: Sequence[EnumDescriptorProto] = message.descriptor.enum_type
            found += self._enums(f"{message.name}.", within, (*message.path, NESTED_ENUMS))
        return {each.name: each for each in found}

    def members(self, of: ContractElement) -> list[ContractElement]:
        """Return the fields of a message, or the values of an enum."""
        is_message = isinstance(of.descriptor, DescriptorProto)
        members = of.descriptor.field if is_message else of.descriptor.value
        return [
            self._describe("", member, (*of.path, MEMBERS, number))
            for number, member in enumerate(members)
        ]

    def _messages(
        self, within: str, messages: Sequence[DescriptorProto], where: SourcePath
    ) -> Iterator[ContractElement]:
        for number, message in enumerate(messages):
            if not message.options.map_entry:
                here = self._describe(within, message, (*where, number))
                yield here
                inside = (*here.path, NESTED_MESSAGES)
                yield from self._messages(f"{here.name}.", message.nested_type, inside)

    def _enums(
        self, within: str, enums: Sequence[EnumDescriptorProto], where: SourcePath
    ) -> list[ContractElement]:
        return [self._describe(within, enum, (*where, number)) for number, enum in enumerate(enums)]

    def _describe(self, within: str, what: Any, where: SourcePath) -> ContractElement:
        lines = self._comments.get(where, "").splitlines()
        comment = "\n".join(line.removeprefix(" ").rstrip() for line in lines).strip()
        return ContractElement(
            name=f"{within}{what.name}", comment=comment, descriptor=what, path=where
        )


def find_map_entry(field: FieldDescriptorProto, message: DescriptorProto) -> DescriptorProto | None:
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f".{message.name}.{nested.name}"):
            return nested
    return None


def read_contract() -> Contract:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "descriptors"
        arguments = [
            "protoc",
            f"-I{PROTO}",
            f"-I{files('grpc_tools') / '_proto'}",
            f"--descriptor_set_out={file}",
            "--include_source_info",
            "task.proto",
        ]
        if protoc.main(arguments) != 0:
            raise SystemExit(1)
        return Contract(FileDescriptorSet.FromString(file.read_bytes()).file[0])
