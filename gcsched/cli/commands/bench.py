"""`gcsched bench`: a load test against embedded stores and a built-in sink, or a service."""

import asyncio
import json
import os
import shlex
import signal
import sys
import threading
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gcsched.cli import call, output, tls
from gcsched.cli.arguments import parse_count, parse_path
from gcsched.cli.call import describe_call_failure, with_client_arguments
from gcsched.cli.command import Command
from gcsched.cli.commands import bench_view
from gcsched.cli.exit_codes import DONE
from gcsched.cli.extras import EMBEDDED, require_extra
from gcsched.cli.failure import WrongUsage, print_failure
from gcsched.cli.output_file import STANDARD_OUTPUT, FileNotWritten, explain_error, write_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from contextlib import AbstractAsyncContextManager

    from gcsched.bench.run import OpenSystem
    from gcsched.bench.scenario import Scenario
    from gcsched.bench.system import System
    from gcsched.client import AsyncClient

    Report = dict[str, Any]

DEFAULT_DOMAIN = "bench.test"
"""Below a name that RFC 2606 reserves: no address there can exist."""
SCENARIO_NAMES = ("unary", "batch", "burst", "even", "far", "mixed", "soak")
TERMINATED = 143
CALL_TIMEOUT_SECONDS = 60.0
BUILT_IN = "built-in service, stores and sink"


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "scenarios",
        nargs="*",
        metavar="SCENARIO",
        help=f"{', '.join(SCENARIO_NAMES)}; without any: the first five, or four with --target",
    )
    for option, what in (
        ("--count", "jobs in a round, at most 100,000"),
        ("--rounds", "rounds of each scenario, at most 20"),
        ("--seconds", "how long even and soak take, at most 3,600"),
    ):
        add(option, metavar="N", type=parse_number, help=what)
    add(
        "--to-domain",
        metavar="DOMAIN",
        default=DEFAULT_DOMAIN,
        help="the domain of all recipients (%(default)s, which cannot exist)",
    )
    add("--really", action="store_true", help="with --target: its relay may get all these mails")
    add_report_arguments(parser)


def add_report_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--output", metavar="FILE", type=parse_path, help="write the report there, as JSON")
    add("--picture", metavar="FILE", type=parse_path, help="draw the report there, as SVG")
    add("--force", action="store_true", help="overwrite these files")
    add(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        type=parse_path,
        help="show two reports beside each other, and run nothing",
    )


def parse_number(given: str) -> int:
    if (found := parse_count(given)) < 1:
        raise ArgumentTypeError("invalid number '0': expected an integer ≥ 1")
    return found


def run(chosen: Namespace) -> int:
    # gRPC takes a while to import: --help must not wait for it.
    from gcsched.client import CallFailed

    if chosen.compare:
        return compare(chosen)
    scenarios = choose_scenarios(chosen)
    refuse_unwritable_files(chosen)
    try:
        report = run_until_signal(measure(chosen, scenarios))
    except CallFailed as error:
        return print_failure(describe_call_failure(error), as_json=chosen.json)
    if report is None:
        return TERMINATED
    show_report(chosen, report)
    return DONE


def choose_scenarios(chosen: Namespace) -> "list[Scenario]":
    """Return the scenarios with their options. Raises WrongUsage."""
    from gcsched.bench.scenario import DEFAULT_NAMES, SCENARIOS

    names = chosen.scenarios or [
        name for name in DEFAULT_NAMES if chosen.target is None or not SCENARIOS[name].reply_delay
    ]
    for name in names:
        if name not in SCENARIOS:
            raise WrongUsage(f"unknown scenario {name!r}: choose among {', '.join(SCENARIOS)}")
        if chosen.target is not None and SCENARIOS[name].reply_delay:
            raise WrongUsage(f"{name} needs the built-in sink: leave out --target")
    return [
        SCENARIOS[name].with_options(chosen.count, chosen.rounds, chosen.seconds)
        for name in dict.fromkeys(names)
    ]


def refuse_unwritable_files(chosen: Namespace) -> None:
    """Raise FileNotWritten now, not after minutes, if a file of the report cannot be written."""
    for option, file in (("--output", chosen.output), ("--picture", chosen.picture)):
        if file is None or file == STANDARD_OUTPUT:
            continue
        if not file.parent.is_dir():
            is_there = os.path.lexists(file.parent)
            error = NotADirectoryError() if is_there else FileNotFoundError()
            raise FileNotWritten(f"{option}: {explain_error(file, error)}")
        if file.exists() and not chosen.force:
            raise FileNotWritten(f"{option}: {explain_error(file, FileExistsError())}")


def run_until_signal(work: "Coroutine[Any, Any, Report]") -> "Report | None":
    """Run *work*; at SIGINT or SIGTERM cancel it and wait for its end, however often they come.

    Return None after SIGTERM. Raises KeyboardInterrupt after SIGINT.
    """
    received: list[int] = []
    try:
        return asyncio.run(cancel_at_signals(work, received))
    except asyncio.CancelledError:
        if received[:1] == [signal.SIGTERM]:
            return None
        raise KeyboardInterrupt from None
    finally:
        work.close()  # a signal before the start of the loop's own work leaves it unawaited


async def cancel_at_signals(work: "Coroutine[Any, Any, Report]", received: list[int]) -> "Report":
    """Await *work*; append each signal to *received*, and cancel this task at the first one."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop(number: int) -> None:
        if not received and task is not None:
            output.print_note("stopping: what was started is ended, and jobs are cancelled")
            task.cancel()
        received.append(number)

    # Python handles signals in the main thread only.
    is_main = threading.current_thread() is threading.main_thread()
    handled = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    for number in handled:
        loop.add_signal_handler(number, stop, number)
    try:
        return await work
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


async def measure(chosen: Namespace, scenarios: "list[Scenario]") -> "Report":
    from gcsched.bench.run import BenchRun
    from gcsched.bench.surroundings import describe_surroundings

    is_embedded = chosen.target is None
    open_system = open_embedded_system() if is_embedded else open_remote_system(chosen)
    where = describe_surroundings(shlex.join(["gcsched", *sys.argv[1:]]))
    with bench_view.open_display(is_silent=chosen.json) as display:
        run = BenchRun(
            scenarios=scenarios,
            open_system=open_system,
            domain=chosen.to_domain,
            show=display.show,
            show_seconds=display.every_seconds,
            is_embedded=is_embedded,
        )
        found = await run.run()
    return {
        "surroundings": {
            **where,
            "target": BUILT_IN if is_embedded else chosen.target,
            "settings": list_settings() if is_embedded else {},
        },
        "run": run.name,
        "scenarios": found,
    }


def list_settings() -> dict[str, str]:
    from gcsched.bench.embedded import list_speed_settings

    return list_speed_settings(os.environ)


def open_embedded_system() -> "OpenSystem":
    """Return how to open a system for a scenario. Raises NotInstalled."""
    with require_extra(EMBEDDED, command="gcsched bench without --target"):
        import_module("gcsched.dev.mail_catcher")  # the whole extra, before anything starts
        from gcsched.bench.embedded import run_embedded
    from gcsched.client import AsyncClient

    def new_client(target: str) -> AsyncClient:
        return AsyncClient(target, environment={})

    def open_system(scenario: "Scenario") -> "AbstractAsyncContextManager[System]":
        return run_embedded(scenario, new_client, os.environ)

    return open_system


def open_remote_system(chosen: Namespace) -> "OpenSystem":
    @asynccontextmanager
    async def open_system(_: "Scenario") -> "AsyncIterator[System]":
        from gcsched.bench.safety import check_safe
        from gcsched.bench.surroundings import describe_service
        from gcsched.bench.system import CLIENTS, RemoteSystem

        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(open_async_client(chosen)) for _ in range(CLIENTS)
            ]
            service = await describe_service(clients[0])
            check_safe(service, chosen.target, is_confirmed=chosen.really)
            yield RemoteSystem(clients=clients)

    return open_system


def open_async_client(chosen: Namespace) -> "AsyncClient":
    """Return the client of the chosen target. Raises WrongUsage."""
    from gcsched.client import AsyncClient

    return call.make_client(AsyncClient, chosen, tls.choose_tls(chosen, os.environ))


def compare(chosen: Namespace) -> int:
    from gcsched.bench import comparison

    before, after = (comparison.read_report(each) for each in chosen.compare)
    found = comparison.compare(before, after)
    if chosen.json:
        for each in found:
            output.print_lines(json.dumps({**asdict(each), "ratio": each.ratio}))
    else:
        differences = comparison.find_differences(before, after)
        output.print_blocks(bench_view.format_comparison(found, differences))
    return DONE


def show_report(chosen: Namespace, report: "Report") -> None:
    """Print the report, and write the files. Raises FileNotWritten."""
    if chosen.json:
        output.print_lines(json.dumps(report))
    else:
        output.print_blocks(bench_view.format_report(report))
    if chosen.output is not None:
        content = json.dumps(report, indent=1).encode() + b"\n"
        write_file(chosen.output, content, option="--output", force=chosen.force)
    if chosen.picture is not None:
        from gcsched.bench.picture import draw

        content = draw(report).encode()
        write_file(chosen.picture, content, option="--picture", force=chosen.force)


COMMAND = Command(
    name="bench",
    help="Measure: a load test with stores and a sink of its own, or against --target.",
    run=run,
    arguments=with_client_arguments(add_arguments, timeout=CALL_TIMEOUT_SECONDS),
)
