"""`python -m gcsched` and the console script `gcsched`."""

import sys

from gcsched.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
