"""A bare copy of proto/ compiles with the compilers that callers use."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import status_pb2

from tests.contract.buf import BUF
from tests.generate.proto import PROTO
from tests.support.command import run_python

OLD_CLIENT = Path(__file__).parents[1] / "e2e" / "old_client"
IMPORTED = """
import task_pb2, task_pb2_grpc
from google.rpc import error_details_pb2, status_pb2
task_pb2.BatchScheduleMeetsResponse.Answer(error=status_pb2.Status(code=3))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a copy of proto/ and nothing else; commands run in it."""
    shutil.copytree(PROTO, tmp_path / "proto")
    return tmp_path


def run(*command: str | Path, folder: Path) -> None:
    completed = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout + completed.stderr


def run_protoc(*arguments: str, folder: Path) -> None:
    """Run protoc with proto/ in its path, and what every protoc brings."""
    run(sys.executable, "-m", "grpc_tools.protoc", "-Iproto", *arguments, folder=folder)


def compile_descriptors(folder: Path, *files: str) -> FileDescriptorSet:
    run_protoc("--include_imports", "--descriptor_set_out=out.binpb", *files, folder=folder)
    return FileDescriptorSet.FromString((folder / "out.binpb").read_bytes())


def test_protoc_finds_all_imports(folder: Path) -> None:
    [*_, task] = compile_descriptors(folder, "proto/task.proto").file

    assert (task.name, task.package) == ("task.proto", "scheduler")


def test_status_proto_is_the_one_that_googleapis_common_protos_has(folder: Path) -> None:
    [*_, status] = compile_descriptors(folder, "proto/google/rpc/status.proto").file

    for field in status.message_type[0].field:
        field.ClearField("json_name")
    assert status.SerializeToString() == status_pb2.DESCRIPTOR.serialized_pb


@pytest.mark.parametrize(
    "files",
    [["proto/task.proto"], ["proto/task.proto", "proto/google/rpc/status.proto"]],
    ids=["as documented", "with a second google.rpc.status"],
)
async def test_the_python_code_generated_from_it_can_be_imported(
    folder: Path, files: list[str]
) -> None:
    run_protoc("--python_out=.", "--grpc_python_out=.", *files, folder=folder)

    completed = await run_python("-c", IMPORTED, PYTHONPATH=str(folder))

    assert completed.returncode == 0, completed.stderr


def test_buf_builds_and_lints_it(folder: Path) -> None:
    run(BUF, "build", "proto", folder=folder)
    run(BUF, "lint", "proto", folder=folder)


def test_buf_finds_no_change_that_breaks_an_existing_client(folder: Path) -> None:
    run(BUF, "build", OLD_CLIENT, "-o", "old.binpb", folder=folder)

    run(BUF, "breaking", "proto", "--against", "old.binpb", folder=folder)
