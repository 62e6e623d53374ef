"""A process whose wall clock is off, by libfaketime; monotonic time stays right."""

from importlib import import_module
from pathlib import Path


def clock_offset(seconds: float) -> dict[str, str]:
    """Return the environment of a process whose wall clock is off by *seconds*."""
    folder = Path(str(import_module("libfaketime").__file__)).parent
    return {
        "LD_PRELOAD": str(folder / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"),
        "FAKETIME": f"{seconds:+.1f}s",
        "DONT_FAKE_MONOTONIC": "1",
        # Otherwise each wait for the interpreter's lock ends early, and the process spins.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
