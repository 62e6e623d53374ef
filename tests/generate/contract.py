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
Where = tuple[int, ...]
# Numbers of fields in descriptor.proto, of which the places of comments are made.
MESSAGES, ENUMS, SERVICES = 4, 5, 6
NESTED_MESSAGES, NESTED_ENUMS = 3, 4
MEMBERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Something of the contract: its full name without the package, and what is said of it."""

    name: str
    says: str
    what: Any
    where: Where


class Contract:
    def __init__(self, file: FileDescriptorProto) -> None:
        self._comments = {
            tuple(each.path): each.leading_comments + each.trailing_comments
            for each in file.source_code_info.location
        }
        self.file = file
        self.package = f".{file.package}."

    def service(self) -> Described:
        return self._described("", self.file.service[0], (SERVICES, 0))

    def methods(self) -> list[Described]:
        service = self.service()
        methods: Sequence[MethodDescriptorProto] = service.what.method
        return [
            self._described("", method, (*service.where, MEMBERS, number))
            for number, method in enumerate(methods)
        ]

    def messages(self) -> dict[str, Described]:
        """Give all messages but those that a map is made of, each before those inside it."""
        found = self._messages("", self.file.message_type, (MESSAGES,))
        return {each.name: each for each in found}

    def enums(self) -> dict[str, Described]:
        found = self._enums("", self.file.enum_type, (ENUMS,))
        for message in self.messages().values():
            within: Sequence[EnumDescriptorProto] = message.what.enum_type
            found += self._enums(f"{message.name}.", within, (*message.where, NESTED_ENUMS))
        return {each.name: each for each in found}

    def members(self, of: Described) -> list[Described]:
        """Give the fields of a message, or the values of an enum."""
        is_message = isinstance(of.what, DescriptorProto)
        members = of.what.field if is_message else of.what.value
        return [
            self._described("", member, (*of.where, MEMBERS, number))
            for number, member in enumerate(members)
        ]

    def _messages(
        self, within: str, messages: Sequence[DescriptorProto], where: Where
    ) -> Iterator[Described]:
        for number, message in enumerate(messages):
            if not message.options.map_entry:
                here = self._described(within, message, (*where, number))
                yield here
                inside = (*here.where, NESTED_MESSAGES)
                yield from self._messages(f"{here.name}.", message.nested_type, inside)

    def _enums(
        self, within: str, enums: Sequence[EnumDescriptorProto], where: Where
    ) -> list[Described]:
        return [
            self._described(within, enum, (*where, number)) for number, enum in enumerate(enums)
        ]

    def _described(self, within: str, what: Any, where: Where) -> Described:
        lines = self._comments.get(where, "").splitlines()
        says = "\n".join(line.removeprefix(" ").rstrip() for line in lines).strip()
        return Described(name=f"{within}{what.name}", says=says, what=what, where=where)


def entry_of_map(field: FieldDescriptorProto, message: DescriptorProto) -> DescriptorProto | None:
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f".{message.name}.{nested.name}"):
            return nested
    return None


def read() -> Contract:
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
