"""Try the built wheel in virtual environments: client and service, oldest and newest packages.

    python -m tests.measure.environments [--pythons 3.11 3.12 3.13] [--json FILE]

The Pythons must be in PATH. Each row has its own environment, with packages from the package index.
Prints one line of JSON per row; `problems` lists what was not as expected, and the exit code is 1
if there were any.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import product
from pathlib import Path

from grpc_tools import protoc

from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import Cluster, a_cluster
from tests.support.launch import Child
from tests.support.ports import free_port
from tests.support.service_process import ServiceProcess, environment
from tests.support.virtual_environments import (
    VirtualEnvironment,
    build_wheel,
    create_environment,
    find_client_problems,
    install_newest,
    install_oldest,
)
from tests.support.wait import until

COMMAND = " ".join(["python -m tests.measure.environments", *sys.argv[1:]])
PYTHONS = ["3.11", "3.12", "3.13"]
Install = Callable[..., Awaitable[None]]
INSTALLS: dict[str, Install] = {
    "oldest": install_oldest,
    "newest": install_newest,
    "newest beside redis>=6": partial(install_newest, other_packages=["redis>=6"]),
}
REPORTED_PACKAGES = [
    "grpcio",
    "grpcio-health-checking",
    "grpcio-status",
    "protobuf",
    "redis",
    "rich",
    "arq",
]
OLD_CONTRACT = """\
syntax = "proto3";
package scheduler;
service Scheduler { rpc ScheduleMeet(MeetRequest) returns (MeetResponse) {} }
message MeetRequest {
  string empid = 1;
  string emailID = 2;
  string message = 3;
  string empName = 4;
  int64 timestamp = 5;
}
message MeetResponse { bool success = 1; string job_id = 2; }
"""
CALL_BOTH = """
import grpc
{imports}
request = task_pb2.MeetRequest(empid="E1", emailID="ada@example.org", message="Hi", timestamp=1)
with grpc.insecure_channel("{target}") as channel, Client("{target}") as client:
    old = task_pb2_grpc.SchedulerStub(channel).ScheduleMeet(request, timeout=5)
    new = client.schedule_meet(empid="E1", email="ada@example.org", message="Hi", at=1)
    assert old.success and old.job_id == new.job_id
"""
OLD, NEW = "import task_pb2, task_pb2_grpc", "from gcsched.client import Client"
ORDERS = {"old stubs first": f"{OLD}\n{NEW}", "client first": f"{NEW}\n{OLD}"}


async def use_client(cluster: Cluster, made: VirtualEnvironment, install: Install) -> list[str]:
    await install()
    return await find_client_problems(made, cluster.services[0].target)


async def use_old_stubs(cluster: Cluster, made: VirtualEnvironment, install: Install) -> list[str]:
    """Use stubs of the first contract and the client in one process, in both orders."""
    await install()
    old = made.folder / "old"
    await asyncio.to_thread(generate, old)
    problems = []
    for order, imports in ORDERS.items():
        program = CALL_BOTH.format(imports=imports, target=cluster.services[0].target)
        done = await made.run(made.python, "-c", program, PYTHONPATH=str(old))
        if done.returncode != 0:
            problems.append(f"{order}: {done.stderr.strip().splitlines()[-1]}")
    return problems


def generate(old: Path) -> None:
    old.mkdir()
    (old / "task.proto").write_text(OLD_CONTRACT)
    outputs = [f"--python_out={old}", f"--grpc_python_out={old}"]
    assert protoc.main(["protoc", f"-I{old}", *outputs, "task.proto"]) == 0


async def use_service(cluster: Cluster, made: VirtualEnvironment, install: Install) -> list[str]:
    """Serve from the extra `server`, run each command, have a mail sent, and stop."""
    await install(extra="server")
    before = cluster.count_mails()
    settings = environment(
        mongo=cluster.mongo.uri, redis=cluster.valkey.uri, relay_port=cluster.relay_port
    )
    async with run_service(made, settings) as process:
        problems = await find_client_problems(made, process.target)
        await until(lambda: cluster.count_mails() > before, within=20)
        code = await process.stop()
    return problems + [f"the service exited with {code}"] * (code != 0)


@asynccontextmanager
async def run_service(
    made: VirtualEnvironment, settings: Mapping[str, str]
) -> AsyncIterator[ServiceProcess]:
    def launch(environ: Mapping[str, str], log_file: Path) -> Child:
        with log_file.open("ab") as log:
            return subprocess.Popen(
                [made.gcsched, "serve"], cwd=made.folder, env=environ, stdout=log, stderr=log
            )

    process = ServiceProcess(
        environment=settings, log_file=made.folder / "log", port=free_port(), launcher=launch
    )
    try:
        await process.start()
        yield process
    finally:
        await process.kill_if_running()


USES = {"client": use_client, "old stubs and client": use_old_stubs, "service": use_service}


async def measure(folder: Path, pythons: Sequence[str], uses: Sequence[str]) -> list[Figures]:
    wheel = await build_wheel(folder)
    rows = list[Figures]()
    for name in ("called", "served"):
        (folder / name).mkdir()
    async with (
        a_cluster(folder / "called") as called,
        a_cluster(folder / "served", services=0) as own,
    ):
        for number, (python, use, packages) in enumerate(product(pythons, uses, INSTALLS)):
            if use == "service" and "redis" in packages:
                continue  # arq needs redis below 6
            made = await create_environment(folder / str(number), python=python)
            install = partial(INSTALLS[packages], made, wheel)
            cluster = own if use == "service" else called
            rows.append({"python": python, "what": use, "packages": packages})
            rows[-1]["problems"] = await USES[use](cluster, made, install)
            installed = await made.versions()
            rows[-1]["installed"] = {
                name: installed[name] for name in REPORTED_PACKAGES if name in installed
            }
            print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythons", nargs="+", default=PYTHONS)
    parser.add_argument("--uses", nargs="+", choices=USES, default=list(USES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    metadata = {**run_metadata(), "command": COMMAND}
    with a_temporary_folder() as folder:
        rows = asyncio.run(measure(folder, options.pythons, options.uses))
    if options.json is not None:
        options.json.write_text(
            json.dumps({"surroundings": metadata, "rows": rows}, indent=1) + "\n"
        )
    return int(any(row["problems"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
