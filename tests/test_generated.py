"""The committed generated code is what proto/ says."""

import subprocess
import sys
from pathlib import Path

from gcsched.pb import task_pb2
from tests.regenerate import PACKAGE, ROOT


def test_the_generated_code_is_up_to_date(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "tests" / "regenerate.py", tmp_path], check=True)

    fresh = {file.name: file.read_text() for file in (tmp_path / PACKAGE).iterdir()}

    committed = {name: (ROOT / PACKAGE / name).read_text() for name in fresh}
    assert committed == fresh, "gcsched/pb is out of date: run `poe proto`"


def test_the_names_and_numbers_of_the_contract_never_change() -> None:
    request = {field.name: field.number for field in task_pb2.MeetRequest.DESCRIPTOR.fields}
    response = {field.name: field.number for field in task_pb2.MeetResponse.DESCRIPTOR.fields}

    assert task_pb2.DESCRIPTOR.services_by_name["Scheduler"].full_name == "scheduler.Scheduler"
    frozen = {"empid": 1, "emailID": 2, "message": 3, "empName": 4, "timestamp": 5}
    assert {name: request[name] for name in frozen} == frozen
    assert response["success"] == 1
    assert response["job_id"] == 2
