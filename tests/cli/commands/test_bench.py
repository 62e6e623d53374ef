import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gcsched.client import AsyncClient
from tests.bench.reports import a_figure, a_report
from tests.support.command import run_command, run_gcsched, without_settings
from tests.support.relay.script import repeatable
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, environment, running_service
from tests.support.wait import until

FINAL = {"SENT", "CANCELLED"}


@pytest.fixture
async def service(
    tmp_path: Path, mongo_uri: str, redis_url: str, relay: Relay
) -> AsyncIterator[ServiceProcess]:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    async with running_service(tmp_path, settings) as running:
        yield running


@contextmanager
def bench_process(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command with *folder* for its temporary files, and kill it if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gcsched", "bench", *arguments],
        env={**without_settings(), "TMPDIR": str(folder)},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def names_in(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


async def states_of(target: str) -> Counter[str]:
    async with AsyncClient(target, environment={}) as client:
        return Counter([job.state async for job in client.list_jobs()])


async def test_a_run_with_stores_of_its_own_makes_a_report_and_a_picture(tmp_path: Path) -> None:
    files = {"output": tmp_path / "a.json", "picture": tmp_path / "a.svg"}
    options = [f"--{name}={file}" for name, file in files.items()]

    done = await run_gcsched(
        "bench", "unary", "burst", "--count=200", "--rounds=1", *options, TMPDIR=str(tmp_path)
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(files["output"].read_text(encoding="utf-8"))
    burst = report["scenarios"]["burst"]["rounds"][0]
    assert (burst["delivered"], burst["missing"], burst["duplicates"]) == (200, 0, 0)
    assert {"gcsched", "mongod", "relay", "load generator"} <= burst["core_shares"].keys()
    assert report["scenarios"]["unary"]["rounds"][0]["calls_per_s"] > 0
    assert "calls per second" in done.stdout
    assert "unary: " in done.stdout
    assert names_in(tmp_path) == {"a.json", "a.svg"}


async def test_a_service_whose_relay_may_deliver_is_left_alone(
    service: ServiceProcess, relay: Relay
) -> None:
    done = await run_gcsched("bench", "unary", "--target", service.target)

    assert done.returncode == 1
    assert f"127.0.0.1:{relay.port}" in done.stderr
    assert "--really" in done.stderr
    assert not await states_of(service.target)


async def test_a_run_against_a_service_cancels_what_it_did_not_mail(
    service: ServiceProcess, relay: Relay
) -> None:
    arguments = ["unary", "mixed", "burst", "--count=60", "--rounds=1", "--json", "--really"]

    done = await run_gcsched("bench", *arguments, "--target", service.target)

    assert done.returncode == 0, done.stderr
    scenarios = json.loads(done.stdout)["scenarios"]
    states = await states_of(service.target)
    assert scenarios["burst"]["rounds"][0]["delivered"] == 60
    assert states["SENT"] == 60
    assert states.keys() == FINAL
    assert {each.recipient.rpartition("@")[2] for each in relay.ledger} == {"bench.test"}
    assert "cannot be seen from here" in scenarios["unary"]["verdict"]


@pytest.mark.parametrize("seed", range(3))
async def test_ctrl_c_against_a_service_leaves_no_job_that_would_mail(
    seed: int, tmp_path: Path, service: ServiceProcess
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    chosen = repeatable(seed)
    arguments = ["unary", "--count=50000", "--really", "--target", service.target]
    with bench_process(*arguments, folder=folder) as process:
        at_least = chosen.randrange(1, 3000)

        async def has_jobs() -> bool:
            return sum((await states_of(service.target)).values()) >= min(at_least, 200)

        await until(has_jobs, within=30)
        process.send_signal(signal.SIGINT)
        await until(lambda: process.poll() is not None, within=30)

        assert process.returncode == 130
    assert (await states_of(service.target)).keys() == {"CANCELLED"}
    assert names_in(folder) == set()


@pytest.mark.parametrize("seed", range(4))
async def test_ctrl_c_at_any_moment_leaves_no_process_and_no_file(
    seed: int, tmp_path: Path
) -> None:
    chosen = repeatable(seed)
    parts = chosen.randrange(5)
    with bench_process("burst", "--count=300", folder=tmp_path) as process:
        running = psutil.Process(process.pid)
        await until(lambda: len(running.children()) >= parts, within=30)
        children = running.children(recursive=True)
        process.send_signal(chosen.choice([signal.SIGINT, signal.SIGTERM]))
        if chosen.random() < 0.5:
            process.send_signal(signal.SIGINT)  # an impatient user
        await until(lambda: process.poll() is not None, within=30)

    assert process.returncode in {130, 143, -signal.SIGINT, -signal.SIGTERM}
    assert [each for each in children if each.is_running()] == []
    assert names_in(tmp_path) == set()


async def test_two_reports_are_shown_beside_each_other(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.json", "b.json")]
    after = a_report(calls_per_s=a_figure(6000.0, 5900.0, 6100.0))
    for file, report in zip(files, (a_report(), after), strict=True):
        file.write_text(json.dumps(report), encoding="utf-8")

    done = await run_command("bench", "--compare", *map(str, files))

    assert done.code == 0
    [line] = [each for each in done.out.splitlines() if "calls per second" in each]
    assert line.split()[-2:] == ["2.00", "beyond"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nothing"], "unknown scenario 'nothing'"),
        (["far", "--target=127.0.0.1"], "leave out --target"),
        (["--count=0"], "expected an integer ≥ 1"),
    ],
)
async def test_wrong_usage_says_what_to_write(arguments: list[str], expected: str) -> None:
    done = await run_command("bench", *arguments)

    assert done.code == 2
    assert expected in done.err


async def test_a_file_that_exists_is_refused_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("kept", encoding="utf-8")

    done = await run_command("bench", "unary", f"--output={file}")

    assert (done.code, file.read_text(encoding="utf-8")) == (1, "kept")
    assert "--force" in done.err
