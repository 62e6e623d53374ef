"""Write the generated parts of docs/api.md from the contract; `poe api-docs` calls it."""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.rpc import code_pb2

from gcsched.rpc.status import STATUS
from tests.generate import contract
from tests.generate.contract import Contract, Described

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
Field = FieldDescriptorProto
LOCAL = re.compile(r"^ {2,}", re.MULTILINE)


def errors() -> str:
    """Give the table of all errors that reach a caller."""
    rows = sorted(
        (code_pb2.Code.Name(code), reason, inspect.getdoc(error) or "")
        for error, (code, reason) in STATUS.items()
    )
    lines = [f"| `{code}` | `{reason}` | {cell(says)} |" for code, reason, says in rows]
    return "\n".join(["| code | reason | what it means |", "|---|---|---|", *lines, ""])


def reference() -> str:
    return "\n\n".join(Reference(contract.read()).sections()) + "\n"


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def prose(text: str) -> list[str]:
    """Give a comment as Markdown: what it indents is a table of its own."""
    return [LOCAL.sub("    ", text)] if text else []


def anchor(name: str) -> str:
    return f"[{name}](#{name.lower().replace('.', '')})"


class Reference:
    """The methods in their order, each with the messages that come up there first."""

    def __init__(self, of: Contract) -> None:
        self._contract = of
        self._messages = of.messages()
        self._enums = of.enums()
        self._told: set[str] = set()

    def sections(self) -> Iterator[str]:
        yield from prose(self._contract.service().says)
        yield "## Methods"
        for method in self._contract.methods():
            yield from self._method(method)
        yield "## Further messages"
        for message in self._messages.values():
            yield from self._once(message)
        yield "## Enumerations"
        for enum in self._enums.values():
            yield f"#### {enum.name}"
            yield from prose(enum.says)
            yield self._values(enum)

    def _method(self, method: Described) -> Iterator[str]:
        asks, answers = map(self._local, (method.what.input_type, method.what.output_type))
        yield f"### {method.name}"
        yield from prose(method.says)
        yield f"{anchor(asks)} → {anchor(answers)}"
        yield from self._once(self._messages[asks])
        yield from self._once(self._messages[answers])

    def _once(self, message: Described) -> Iterator[str]:
        if message.name in self._told:
            return
        self._told.add(message.name)
        yield f"#### {message.name}"
        yield from prose(message.says)
        yield self._fields(message)

    def _fields(self, message: Described) -> str:
        rows = [
            f"| {member.what.number} | `{member.name}` | {self._type(member.what, message)} |"
            f" {cell(member.says)} |"
            for member in self._contract.members(message)
        ]
        if not rows:
            return "It has no fields."
        return "\n".join(["| number | field | type | meaning |", "|---|---|---|---|", *rows])

    def _values(self, enum: Described) -> str:
        rows = [
            f"| {value.what.number} | `{value.name}` | {cell(value.says)} |"
            for value in self._contract.members(enum)
        ]
        return "\n".join(["| number | value | meaning |", "|---|---|---|", *rows])

    def _type(self, field: Field, message: Described) -> str:
        if entry := contract.entry_of_map(field, message.what):
            key, value = (self._one(each) for each in entry.field)
            return f"map of {key} to {value}"
        one = self._one(field)
        if field.label == Field.LABEL_REPEATED:
            return f"list of {one}"
        if field.HasField("oneof_index"):
            return f"{one} (one of `{message.what.oneof_decl[field.oneof_index].name}`)"
        return one

    def _one(self, field: Field) -> str:
        if not field.type_name:
            return Field.Type.Name(field.type).removeprefix("TYPE_").lower()
        name = self._local(field.type_name)
        is_ours = name in self._messages or name in self._enums
        return anchor(name) if is_ours else f"`{name.lstrip('.')}`"

    def _local(self, name: str) -> str:
        return name.removeprefix(self._contract.package)


PARTS: Mapping[str, tuple[str, str]] = {
    name: (f"<!-- {name} -->\n", f"<!-- /{name} -->\n") for name in ("errors", "reference")
}


def fresh(page: str) -> str:
    """Give *page* with its generated parts made anew."""
    for name, make in (("errors", errors), ("reference", reference)):
        begin, end = PARTS[name]
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{make()}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(fresh(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
