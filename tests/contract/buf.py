"""Run buf, the Protobuf compiler and gRPC client among the development tools."""

import sysconfig
from pathlib import Path

from tests.support.command import run_process

BUF = Path(sysconfig.get_path("scripts")) / "buf"


async def run_buf(*arguments: str, code: int = 0) -> str:
    """Return what buf printed: on standard output, or on standard error if *code* is not 0."""
    completed = await run_process(str(BUF), *arguments)
    assert completed.returncode == code, completed.stdout + completed.stderr
    return completed.stderr if code else completed.stdout
