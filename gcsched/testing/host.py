"""Start the process behind `gcsched_service`, and say what to install if packages are missing.

python -m gcsched.testing.host FOLDER
"""

import json
import sys
from pathlib import Path

from gcsched.testing.extras import EMBEDDED, require_extra


def main() -> None:
    try:
        with require_extra(EMBEDDED, user="gcsched_service"):
            from gcsched.testing.hosted_services import run
    except ModuleNotFoundError as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
    else:
        run(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
