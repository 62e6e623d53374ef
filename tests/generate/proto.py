"""Regenerate gcsched/pb from proto/; `poe proto` runs it.

The messages get a package name of their own, as docs/adr/0027 explains. The service is generated
from the contract as it is, so that the method paths on the wire are the published ones.
"""

import os
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
PACKAGE = "gcsched/pb"
PUBLISHED, INTERNAL = "package scheduler;", "package gcsched.pb;"
BUNDLED = files("grpc_tools") / "_proto"  # google/protobuf/*.proto, as every protoc brings them


def regenerate(target: Path) -> None:
    """Generate below *target*; protoc sees proto/ as gcsched/pb/, so that imports are correct."""
    run_protoc(PROTO, [f"--grpc_python_out={target}", f"--mypy_grpc_out={target}"])
    with tempfile.TemporaryDirectory() as folder:
        for file in PROTO.glob("*.proto"):
            text = rename_package(file.read_text(encoding="utf-8"))
            Path(folder, file.name).write_text(text, encoding="utf-8")
        run_protoc(Path(folder), [f"--python_out={target}", f"--pyi_out={target}"])


def rename_package(text: str) -> str:
    """Return the contract *text* with its package renamed; references within it are relative."""
    lines = text.splitlines(keepends=True)
    if lines.count(f"{PUBLISHED}\n") != 1:
        raise ValueError(f"missing package line: write `{PUBLISHED}` once in each file of proto/")
    lines[lines.index(f"{PUBLISHED}\n")] = f"{INTERNAL}\n"
    return "".join(lines)


def run_protoc(contract: Path, outputs: Sequence[str]) -> None:
    """Run protoc over the folder *contract*, with the plugin for types beside this Python."""
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    arguments = [
        "protoc",
        *(f"-I{folder}" for folder in (f"{PACKAGE}={contract}", PROTO, BUNDLED)),
        *outputs,
        *(f"{PACKAGE}/{file.name}" for file in sorted(contract.glob("*.proto"))),
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit(1)


if __name__ == "__main__":
    regenerate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
