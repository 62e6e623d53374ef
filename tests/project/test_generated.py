"""The committed generated code matches proto/."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gcsched.rpc.contract import build_published_file
from tests.generate.proto import PACKAGE, ROOT, rename_package


def test_the_generated_code_is_up_to_date(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "tests" / "generate" / "proto.py", tmp_path], check=True)

    fresh = {file.name: file.read_text() for file in (tmp_path / PACKAGE).iterdir()}

    committed = {name: (ROOT / PACKAGE / name).read_text() for name in fresh}
    assert committed == fresh, "gcsched/pb is out of date: run `poe proto`"


def test_the_stubs_call_the_published_service() -> None:
    stubs = (ROOT / PACKAGE / "task_pb2_grpc.py").read_text(encoding="utf-8")

    paths = {match[1] for match in re.finditer(r"'/([\w.]+)/\w+'", stubs)}

    assert paths == {"scheduler.Scheduler"}


def test_the_names_and_numbers_of_the_contract_never_change() -> None:
    file = build_published_file()
    messages = {
        message.name: {field.name: field.number for field in message.field}
        for message in file.message_type
    }

    assert (file.package, file.service[0].name) == ("scheduler", "Scheduler")
    frozen = {"empid": 1, "emailID": 2, "message": 3, "empName": 4, "timestamp": 5}
    assert messages["MeetRequest"].items() >= frozen.items()
    assert messages["MeetResponse"].items() >= {"success": 1, "job_id": 2}.items()


@pytest.mark.parametrize(
    "contract", ["message Lone {}\n", "package scheduler ;\n", "// package scheduler;\n"]
)
def test_a_contract_whose_package_cannot_be_renamed_is_not_generated(contract: str) -> None:
    with pytest.raises(ValueError, match="package scheduler;"):
        rename_package(contract)
