"""The entry point: it handles signals first, and imports the rest of the program after that."""

import sys

from gcsched.cli.exit_codes import INTERRUPTED
from gcsched.process.early_signals import exit_on_signals


def main() -> int:
    """Run the command line of this process; return the exit code."""
    exit_on_signals(sys.argv[1:])
    try:
        from gcsched.cli.main import main as run
    except KeyboardInterrupt:
        return INTERRUPTED
    return run()
