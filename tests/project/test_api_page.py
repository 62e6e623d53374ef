"""Compare docs/api.md with the contract."""

import re
from dataclasses import replace

from gcsched.pb import task_pb2
from gcsched.rpc.status import STATUS
from tests.generate import contract
from tests.generate.api_reference import PAGE, cell, regenerate_page

TEXT = PAGE.read_text(encoding="utf-8")
HEADINGS = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)


def test_the_reference_is_up_to_date() -> None:
    assert regenerate_page(TEXT) == TEXT, "docs/api.md is out of date: run `poe api-docs`"


def test_every_name_of_the_contract_has_one_heading() -> None:
    messages = task_pb2.DESCRIPTOR.message_types_by_name
    methods = task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods_by_name

    for name in [*messages, *methods, *task_pb2.DESCRIPTOR.enum_types_by_name]:
        assert HEADINGS.count(name) == 1, name


def test_the_methods_come_in_the_order_of_the_contract() -> None:
    methods = [method.name for method in task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods]

    assert [name for name in HEADINGS if name in methods] == methods


def test_every_link_within_leads_somewhere() -> None:
    anchors = {re.sub(r"[^a-z0-9 _-]", "", each.lower()).replace(" ", "-") for each in HEADINGS}

    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors


def test_a_comment_is_the_meaning() -> None:
    assert "| 9 | `EXPIRED` | The mail was not sent by expire_time, or its next attempt" in TEXT
    assert (
        "| 4 | `due_time` | `google.protobuf.Timestamp` | When the service acts on the job next."
        in TEXT
    )
    assert "    empid                                    CREATE_TIME_DESC, CREATE_TIME_ASC" in TEXT


def test_everything_in_the_contract_has_a_comment() -> None:
    read = contract.read_contract()
    messages, enums = [*read.messages().values()], [*read.enums().values()]
    members = [
        replace(member, name=f"{each.name}.{member.name}")
        for each in (*messages, *enums)
        for member in read.members(each)
    ]
    everything = [read.service(), *read.methods(), *messages, *enums, *members]

    assert len(members) > 200
    assert [each.name for each in everything if not each.comment] == []


def test_every_value_and_field_is_in_a_table_with_its_meaning() -> None:
    read = contract.read_contract()

    for element in (*read.messages().values(), *read.enums().values()):
        section = TEXT.partition(f"\n#### {element.name}\n")[2].partition("\n#")[0]
        for member in read.members(element):
            [row] = re.findall(rf"^\| \d+ \| `{member.name}` \|.*$", section, re.MULTILINE)
            assert row.endswith(f"| {cell(member.comment)} |"), f"{element.name}.{member.name}"


def test_no_cell_of_a_table_is_empty() -> None:
    rows = re.findall(r"^\|.*\|$", TEXT, re.MULTILINE)
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]

    assert len(rows) > 300
    assert [
        row for row, each in zip(rows, cells, strict=True) if not all(map(str.strip, each))
    ] == []


def test_every_reason_is_in_the_table_of_errors() -> None:
    assert all(f"| `{reason}` |" in TEXT for _, reason in STATUS.values())
