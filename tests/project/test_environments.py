"""The built wheel in virtual environments with the oldest and the newest allowed packages."""

import re
import sys
from pathlib import Path

import pytest

from tests.support import typed_caller
from tests.support.in_process_app import RunningApp
from tests.support.readme_examples import CLIENT_EXAMPLES
from tests.support.virtual_environments import (
    VirtualEnvironment,
    create_environment,
    find_client_problems,
    install_oldest,
    run,
)

pytestmark = pytest.mark.registry
FLOORS = {
    "googleapis-common-protos": "1.70.0",
    "grpcio": "1.80.0",
    "grpcio-health-checking": "1.80.0",
    "grpcio-status": "1.80.0",
    "protobuf": "6.31.1",
    "rich": "13.7.0",
    "shtab": "1.13.0",
}
MISTAKES = """
from gcsched.client import DAILY, AsyncClient, Client, MailRequest

client = Client("localhost:50051")
job = client.schedule_meet(empid="E1", email="a@example.org", message="Hi", at=None)
client.schedule_meet(empid="E1", email="a@example.org", message="Hi", at=None, requestid="1")
client.schedule_meet(empid="E1", email="a@example.org", message="Hi", at=None, not_afer=1)
client.schedule_meet(empid="E1", email="a@example.org", message="Hi", at="tomorrow")
client.schedule_meet(email="a@example.org", message="Hi", at=None)
AsyncClient("localhost:50051", timout=3)
print(job.jobid)
client.schedule(empid="E1", email="a@example.org", message="Hi", at=None)
client.schedule(empid="E1", email="a@example.org", message="Hi", at=DAILY, urgnt=True)
MailRequest(empid="E1", email="a@example.org", message="Hi", at=None)
client.list_jobs(stat="FAILED")
client.cancel("7", at=DAILY)
print(client.get_job("7").due)
print(client.status().relays.name)
client.schedule_many([{"empid": "E1"}])
client.create_meeting(summary="Hi", start="2030-01-05T09:00", time_zone="UTC", attendees=["a"])
client.update_meeting("M", start=None)
client.update_meeting("M", organizer=None)
client.add_attendees("M", [], tell_all=True)
print(client.get_meeting("M").attendees.email)
"""
"""The last lines are wrong, each once."""
WRONG_LINES = 19
CALLER = Path(typed_caller.__file__).read_text(encoding="utf-8")
STRICT_PYRIGHT = {"pyrightconfig.json": '{"typeCheckingMode": "strict"}'}
CHECKERS = {
    "mypy": ["--strict", "--config-file=", "--no-incremental", "--python-executable"],
    "pyright": ["--pythonpath"],
}


async def test_the_client_runs_on_the_oldest_packages_that_it_allows(
    tmp_path: Path, wheel: Path, app: RunningApp
) -> None:
    oldest = await create_environment(tmp_path / "oldest")
    await install_oldest(oldest, wheel)

    installed = await oldest.versions()
    assert FLOORS.items() <= installed.items()
    await assert_client_works(oldest, app)


async def test_the_client_runs_beside_a_newer_redis_on_the_newest_packages(
    newest: VirtualEnvironment, app: RunningApp
) -> None:
    installed = await newest.versions()
    assert int(installed["redis"].partition(".")[0]) >= 6
    assert {"pydantic", "structlog", "motor"}.isdisjoint(installed)
    await assert_client_works(newest, app)


async def assert_client_works(environment: VirtualEnvironment, app: RunningApp) -> None:
    assert await find_client_problems(environment, app.target) == []
    served = await environment.run(environment.gcsched, "serve")
    assert re.fullmatch(r"gcsched serve cannot run: .*'gcsched\[server\]'`\n", served.stderr)
    assert served.returncode == 2


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
async def test_a_strict_checker_takes_the_examples_and_finds_each_mistake(
    checker: str, tmp_path: Path, newest: VirtualEnvironment
) -> None:
    examples = {f"example{number}.py": each for number, each in enumerate(CLIENT_EXAMPLES)}
    examples["caller.py"] = CALLER
    for name, text in {**examples, "mistakes.py": MISTAKES, **STRICT_PYRIGHT}.items():
        (tmp_path / name).write_text(text)
    check = [sys.executable, "-m", checker, *CHECKERS[checker], newest.python]

    # All together, because a checker needs most of its time to start.
    checked = await run(*check, *examples, "mistakes.py", folder=tmp_path)

    found = set(re.findall(r"(\w+\.py):(\d+).*error", checked.stdout))
    last = len(MISTAKES.splitlines())
    wrong = range(last - WRONG_LINES + 1, last + 1)
    assert checked.returncode == 1, checked.stderr
    assert found == {("mistakes.py", str(line)) for line in wrong}, checked.stdout
