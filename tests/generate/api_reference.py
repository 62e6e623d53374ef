"""Write the generated parts of docs/api.md from the contract; `poe api-docs` calls it."""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.rpc import code_pb2

from gcsched.rpc.status import STATUS
from tests.generate import contract
from tests.generate.contract import Contract, ContractElement

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
Field = FieldDescriptorProto
LOCAL = re.compile(r"^ {2,}", re.MULTILINE)


def error_table() -> str:
    """Return the table of the errors that reach a caller."""
    rows = sorted(
        (code_pb2.Code.Name(code), reason, inspect.getdoc(error) or "")
        for error, (code, reason) in STATUS.items()
    )
    lines = [f"| `{code}` | `{reason}` | {cell(meaning)} |" for code, reason, meaning in rows]
    return "\n".join(["| code | reason | what it means |", "|---|---|---|", *lines, ""])


def reference_text() -> str:
    return "\n\n".join(Reference(contract.read_contract()).sections()) + "\n"


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def prose(text: str) -> list[str]:
    """Return a comment as Markdown: its indented lines become a code block."""
    return [LOCAL.sub("    ", text)] if text else []


def anchor(name: str) -> str:
    return f"[{name}](#{name.lower().replace('.', '')})"


class Reference:
    """The methods in their order, each with the messages that it is the first to use."""

    def __init__(self, of: Contract) -> None:
        self._contract = of
        self._messages = of.messages()
        self._enums = of.enums()
        self._written: set[str] = set()

    def sections(self) -> Iterator[str]:
        yield from prose(self._contract.service().comment)
        yield "## Methods"
        for method in self._contract.methods():
            yield from self._method(method)
        yield "## Further messages"
        for message in self._messages.values():
            yield from self._message_once(message)
        yield "## Enumerations"
        for enum in self._enums.values():
            yield f"#### {enum.name}"
            yield from prose(enum.comment)
            yield self._values(enum)

    def _method(self, method: ContractElement) -> Iterator[str]:
        request, response = map(
            self._local_name, (method.descriptor.input_type, method.descriptor.output_type)
        )
        yield f"### {method.name}"
        yield from prose(method.comment)
        yield f"{anchor(request)} → {anchor(response)}"
        yield from self._message_once(self._messages[request])
        yield from self._message_once(self._messages[response])

    def _message_once(self, message: ContractElement) -> Iterator[str]:
        if message.name in self._written:
            return
        self._written.add(message.name)
        yield f"#### {message.name}"
        yield from prose(message.comment)
        yield self._fields(message)

    def _fields(self, message: ContractElement) -> str:
        rows = [
            f"| {member.descriptor.number} | `{member.name}` |"
            f" {self._type(member.descriptor, message)} | {cell(member.comment)} |"
            for member in self._contract.members(message)
        ]
        if not rows:
            return "It has no fields."
        return "\n".join(["| number | field | type | meaning |", "|---|---|---|---|", *rows])

    def _values(self, enum: ContractElement) -> str:
        rows = [
            f"| {value.descriptor.number} | `{value.name}` | {cell(value.comment)} |"
            for value in self._contract.members(enum)
        ]
        return "\n".join(["| number | value | meaning |", "|---|---|---|", *rows])

    def _type(self, field: Field, message: ContractElement) -> str:
        if entry := contract.find_map_entry(field, message.descriptor):
            key, value = (self._single_type(each) for each in entry.field)
            return f"map of {key} to {value}"
        one = self._single_type(field)
        if field.label == Field.LABEL_REPEATED:
            return f"list of {one}"
        if field.HasField("oneof_index"):
            return f"{one} (one of `{message.descriptor.oneof_decl[field.oneof_index].name}`)"
        return one

    def _single_type(self, field: Field) -> str:
        if not field.type_name:
            return Field.Type.Name(field.type).removeprefix("TYPE_").lower()
        name = self._local_name(field.type_name)
        is_in_contract = name in self._messages or name in self._enums
        return anchor(name) if is_in_contract else f"`{name.lstrip('.')}`"

    def _local_name(self, name: str) -> str:
        return name.removeprefix(self._contract.package)


GENERATED_PARTS: Mapping[str, tuple[str, str]] = {
    name: (f"<!-- {name} -->\n", f"<!-- /{name} -->\n") for name in ("errors", "reference")
}


def regenerate_page(page: str) -> str:
    """Return *page* with its generated parts written again."""
    for name, make in (("errors", error_table), ("reference", reference_text)):
        begin, end = GENERATED_PARTS[name]
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{make()}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(regenerate_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
