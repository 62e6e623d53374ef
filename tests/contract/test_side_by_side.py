"""Stubs that a caller generated and gcsched's own work in one process."""

from pathlib import Path

import pytest
from grpc_tools import protoc

from tests.generate.proto import BUNDLED, PROTO
from tests.support.command import run_python
from tests.support.in_process_app import RunningApp
from tests.support.relay.server import Relay
from tests.support.wait import until

CONTRACTS = {"old": Path(__file__).parents[1] / "e2e" / "old_client", "present": PROTO}
THEIRS = "import task_pb2, task_pb2_grpc"
OURS = [
    "import gcsched.client",
    "import gcsched.pb.task_pb2_grpc",
    "from gcsched.rpc import server",
]
CALLS = """
import sys
import grpc
from google.protobuf.timestamp_pb2 import Timestamp
import task_pb2, task_pb2_grpc
from gcsched.client import Client
from gcsched.pb import task_pb2 as our_pb2, task_pb2_grpc as our_pb2_grpc

target, fields = sys.argv[1], {"empid": "E1", "message": "Lunch", "timestamp": 1672531200}
fields["emailID"] = "ada@example.org"
with grpc.insecure_channel(target) as channel:
    for messages, stubs in ((task_pb2, task_pb2_grpc), (our_pb2, our_pb2_grpc)):
        stub = stubs.SchedulerStub(channel)
        print(stub.ScheduleMeet(messages.MeetRequest(**fields), timeout=5).job_id)
with Client(target) as client:
    print(client.call("ScheduleMeet", task_pb2.MeetRequest(**fields)).job_id)
    moment = Timestamp(seconds=7)
    assert our_pb2.Job(due_time=moment).due_time == moment
"""


@pytest.fixture(params=CONTRACTS)
def stubs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder with stubs that a caller generated."""
    outputs = [f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    arguments = ["protoc", f"-I{CONTRACTS[request.param]}", f"-I{BUNDLED}", *outputs, "task.proto"]
    assert protoc.main(arguments) == 0
    return tmp_path


@pytest.mark.parametrize("theirs_first", [True, False], ids=["theirs first", "ours first"])
async def test_the_callers_stubs_and_the_clients_call_for_the_same_job(
    stubs: Path, app: RunningApp, relay: Relay, *, theirs_first: bool
) -> None:
    imports = [THEIRS, *OURS] if theirs_first else [*OURS, THEIRS]

    completed = await run_python(
        "-c", "\n".join([*imports, CALLS]), app.target, PYTHONPATH=str(stubs)
    )

    assert completed.returncode == 0, completed.stderr
    by_theirs, by_ours, by_client = completed.stdout.split()
    assert by_theirs == by_ours == by_client
    await until(lambda: relay.ledger)
    (mail,) = relay.ledger
    assert by_theirs in mail.header("Message-ID")
