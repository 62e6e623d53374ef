"""`python -m gcsched` and the console script `gcsched`."""

import sys

from gcsched.early_signals import end_at_signals

INTERRUPTED = 130


def main() -> int:
    """Run the command line; return the exit code. Signals are heard from the first line on."""
    end_at_signals(sys.argv[1:])
    try:
        from gcsched.cli.main import main as run  # noqa: PLC0415  # it takes its time
    except KeyboardInterrupt:
        return INTERRUPTED
    return run()


if __name__ == "__main__":
    sys.exit(main())
