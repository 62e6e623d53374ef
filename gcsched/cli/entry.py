"""The entry point: signals first, then the zones, and the rest of the program after that."""

import sys

from gcsched.cli.exit_codes import INTERRUPTED
from gcsched.process.early_signals import exit_on_signals


def main() -> int:
    """Run the command line of this process; return the exit code."""
    exit_on_signals(sys.argv[1:])
    try:
        from gcsched.process.zone_data import use_packaged_zones

        use_packaged_zones()  # before anything can read a zone
        from gcsched.cli.main import main as run
    except KeyboardInterrupt:
        return INTERRUPTED
    return run()
