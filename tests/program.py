"""The command line as a process of its own, awaited, so that the test's loop can serve it."""

import asyncio
import os
import subprocess
import sys


async def gcsched(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return await python("-m", "gcsched", *arguments, **environ)


async def python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    without_ours = {k: v for k, v in os.environ.items() if not k.startswith("GCSCHED_")}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, *arguments],
        env=without_ours | environ,
        capture_output=True,
        text=True,
        check=False,
    )
