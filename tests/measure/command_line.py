"""The command line of a measurement on a bench, and the file with its figures."""

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from importlib.metadata import version
from pathlib import Path

from gcsched.cli.commands.serve import find_loop_factory
from gcsched.dev.stores.binaries import find_mongod, find_valkey
from tests.measure.delivery import Figures, run_metadata
from tests.support.program_versions import output

PACKAGES = ("grpcio", "motor", "pymongo", "redis", "arq", "aiosmtplib", "uvloop")
SEED = 18
Measurement = Callable[[Path, argparse.Namespace], Coroutine[None, None, Figures]]


def build_parser(about: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all measurements on a bench share."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--folder", type=Path, help="where the stores keep their files")
    parser.add_argument(
        "--unpinned", action="store_true", help="let services and stores share all cores"
    )
    parser.add_argument("--limit-minutes", type=float, default=30, help="end after this time")
    parser.add_argument("--json", type=Path)
    return parser


def run_measurement(module: str, options: argparse.Namespace, measure: Measurement) -> None:
    """Run *measure* in a folder of its own; write its figures to the JSON file, or print them.

    SIGTERM ends it as Ctrl-C does: the children end, and the folder is removed.
    """
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    with (
        tempfile.TemporaryDirectory(prefix="gcsched-measure-", dir=options.folder) as folder,
        asyncio.Runner(loop_factory=find_loop_factory()) as runner,
    ):
        measured: Figures = {
            "surroundings": runner.run(describe_surroundings(module, options)),
            **runner.run(within_limit(measure, Path(folder), options)),
        }
    text = json.dumps(measured, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


async def within_limit(measure: Measurement, folder: Path, options: argparse.Namespace) -> Figures:
    async with asyncio.timeout(options.limit_minutes * 60):
        return await measure(folder, options)


async def describe_surroundings(module: str, options: argparse.Namespace) -> Figures:
    """Return what the figures depend on: command, commit, versions, machine and its load."""
    return {
        **run_metadata(),
        "command": " ".join(["python -m", module, *sys.argv[1:]]),
        "seed": options.seed,
        "versions": await find_versions(),
        "cores": os.cpu_count(),
        "services_have_a_core": not options.unpinned,
        "load_before": [round(each, 2) for each in os.getloadavg()],
    }


async def find_versions() -> Mapping[str, str]:
    mongod, valkey = str(find_mongod(None).path), str(find_valkey())
    stores = [
        (await output(each, "--version")).decode().splitlines()[0] for each in (mongod, valkey)
    ]
    packages = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "stores": "; ".join(stores), **packages}
