"""docs/api.md says what the contract says."""

import re

from gcsched.pb import task_pb2
from gcsched.rpc.status import STATUS
from tests.generate import contract
from tests.generate.api_reference import PAGE, regenerate_page

TEXT = PAGE.read_text(encoding="utf-8")
HEADINGS = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)


def test_the_reference_is_up_to_date() -> None:
    assert regenerate_page(TEXT) == TEXT, "docs/api.md is out of date: run `poe api-docs`"


def test_every_name_of_the_contract_is_told_once() -> None:
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


def test_a_comment_before_or_behind_is_the_meaning() -> None:
    assert "| 5 | `UNCERTAIN` | held: its body had begun and nobody knows the reply |" in TEXT
    assert "| 4 | `due` | `google.protobuf.Timestamp` | When the job acts next. |" in TEXT
    assert "    empid                            CREATED_DESC, CREATED_ASC" in TEXT


def test_every_message_method_and_reason_says_something() -> None:
    read = contract.read_contract()
    silent = [each.name for each in read.methods() if not each.comment]

    assert silent == []
    assert all(f"| `{reason}` |" in TEXT for _, reason in STATUS.values())
