"""Run buf, the compiler and client that comes with the development tools."""

import sysconfig
from pathlib import Path

from tests.support.command import run_process

BUF = Path(sysconfig.get_path("scripts")) / "buf"


async def run_buf(*arguments: str, code: int = 0) -> str:
    """Return what buf printed; on standard error, where it is expected to fail with *code*."""
    done = await run_process(str(BUF), *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout
