"""Write gcsched/pb anew from proto/; `poe proto` calls it."""

import sys
from importlib.resources import files
from pathlib import Path

from google.rpc import status_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "gcsched/pb"


def regenerate(target: Path) -> None:
    """Generate below *target*; protoc sees proto/ as gcsched/pb/, so that imports are right."""
    arguments = [
        "protoc",
        f"-I{PACKAGE}={ROOT / 'proto'}",
        f"-I{files('grpc_tools') / '_proto'}",
        f"-I{Path(status_pb2.__file__).parents[2]}",
        f"--python_out={target}",
        f"--pyi_out={target}",
        f"--grpc_python_out={target}",
        *(f"{PACKAGE}/{file.name}" for file in sorted((ROOT / "proto").glob("*.proto"))),
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit(1)


if __name__ == "__main__":
    regenerate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
