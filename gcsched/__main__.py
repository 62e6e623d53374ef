"""The entry point of `python -m gcsched` and of the console script `gcsched`."""

import sys

from gcsched.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
