"""A client that was generated from the old contract still works, byte for byte."""

import asyncio
import subprocess
import sys
import time
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest
import trustme
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from gcsched.rpc.contract import build_published_file
from tests.support.certificates import issue, write_authority, write_pair
from tests.support.clients import client_toml, make_token, write_clients
from tests.support.ports import free_port
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, environment, running_service
from tests.support.wait import until

OLD_CLIENT = Path(__file__).parent / "old_client"


def generate(folder: Path) -> None:
    outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    descriptors = f"--descriptor_set_out={folder / 'old.bin'}"
    code = protoc.main(["protoc", f"-I{OLD_CLIENT}", *outputs, descriptors, "task.proto"])
    assert code == 0


def call(folder: Path, *arguments: str, program: str = "call.py") -> str:
    completed = subprocess.run(
        [sys.executable, str(OLD_CLIENT / program), *arguments],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return completed.stdout


async def test_the_old_example_arrives_with_subject_and_name(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    generate(tmp_path)
    async with Relay() as relay:
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with running_service(tmp_path, settings) as running:
            request = ("E1", "ada@example.org", "Meeting at noon", "Ada", "1672531200")
            printed = await asyncio.to_thread(call, tmp_path, running.target, *request)
            await until(lambda: relay.ledger)
            code = await running.stop()

    success, job_id = printed.split()
    (kept,) = relay.ledger
    mail = BytesParser(policy=policy.default).parsebytes(kept.content)
    assert success == "True"
    assert job_id in mail["Message-ID"]
    assert kept.recipient == "ada@example.org"
    assert mail["Subject"] == "Meeting at noon"
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        assert "Ada" in part.get_content()
    assert code == 0


async def test_the_old_client_calls_a_closed_service_once_it_has_credentials(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    generate(tmp_path)
    authority, token = trustme.CA(), make_token()
    files = write_pair(tmp_path, issue(authority, "127.0.0.1"))
    ca_file = write_authority(tmp_path, authority)
    (tmp_path / "token").write_text(f"{token.text}\n", encoding="utf-8")
    clients = client_toml("payroll", ["schedule"], token)
    settings = environment(
        mongo=mongo_uri,
        redis=redis_url,
        relay_port=free_port(),
        clients_file=str(write_clients(tmp_path / "clients.toml", clients)),
        **files.settings,
    )
    service = ServiceProcess(
        environment=settings, log_file=tmp_path / "service.log", port=free_port()
    )
    service.launch()
    try:
        await service.wait_for_event("serving")
        credentials = (str(ca_file), str(tmp_path / "token"))
        tomorrow = str(int(time.time()) + 86_400)
        request = (service.target, "E1", "ada@example.org", "Meeting at noon", "Ada", tomorrow)
        printed = await asyncio.to_thread(
            call, tmp_path, *credentials, *request, program="call_with_credentials.py"
        )
        refused = await asyncio.to_thread(call_unsuccessfully, tmp_path, *request)
    finally:
        await service.kill_if_running()

    success, job_id = printed.split()
    assert (success, len(job_id)) == ("True", 32)
    assert "UNAVAILABLE" in refused


def call_unsuccessfully(folder: Path, *arguments: str) -> str:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        call(folder, *arguments)
    return str(failed.value.stderr)


def fields(message: descriptor_pb2.DescriptorProto) -> set[tuple[str, int, int, int]]:
    return {(each.name, each.number, each.type, each.label) for each in message.field}


def test_every_old_name_number_and_type_is_still_there(tmp_path: Path) -> None:
    generate(tmp_path)
    old = descriptor_pb2.FileDescriptorSet.FromString((tmp_path / "old.bin").read_bytes()).file[0]

    new = build_published_file()

    messages = {message.name: message for message in new.message_type}
    assert new.package == old.package
    for message in old.message_type:
        assert fields(message) <= fields(messages[message.name])
    methods = {(m.name, m.input_type, m.output_type) for m in new.service[0].method}
    assert new.service[0].name == old.service[0].name
    assert {(m.name, m.input_type, m.output_type) for m in old.service[0].method} <= methods
