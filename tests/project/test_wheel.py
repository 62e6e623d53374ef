"""The wheel alone is enough: what is read at run time inside, tests outside."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIND_FILES = """
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.client import options, service_config
Templates.load(default_folder())
options()
print(default_folder(), service_config(), sep="\\n")
"""


def output_of(*arguments: str | Path, folder: Path, path: Path | None = None) -> str:
    """Run Python in *folder*, with *path* before all that is installed."""
    environment = os.environ | ({} if path is None else {"PYTHONPATH": str(path)})
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    output_of("-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=ROOT)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_it_holds_the_package_and_nothing_else(unpacked: Path) -> None:
    (information,) = unpacked.glob("gcsched-*.dist-info")

    assert {path.name for path in unpacked.iterdir()} == {"gcsched", information.name}
    assert (information / "licenses" / "LICENSE").is_file()
    assert (information / "licenses" / "proto" / "google" / "LICENSE").is_file()


def test_it_holds_each_module_and_each_file_read_at_run_time(unpacked: Path) -> None:
    modules = {path.relative_to(ROOT) for path in (ROOT / "gcsched").rglob("*.py")}
    files = {
        Path("gcsched") / path.relative_to(ROOT)
        for folder in ("proto", "templates")
        for path in (ROOT / folder).rglob("*")
    }
    packed = {path.relative_to(unpacked) for path in unpacked.rglob("*")}

    assert files >= {Path("gcsched/templates/doc.html"), Path("gcsched/templates/doc.txt")}
    assert packed >= modules | files
    assert packed >= {
        Path("gcsched/pb/task_pb2_grpc.py"),
        Path("gcsched/pb/task_pb2_grpc.pyi"),
        Path("gcsched/proto/google/rpc/status.proto"),
        Path("gcsched/py.typed"),
    }


def test_it_finds_its_files_without_a_checkout(unpacked: Path, tmp_path: Path) -> None:
    found = output_of("-P", "-c", FIND_FILES, folder=tmp_path, path=unpacked).splitlines()

    package = unpacked / "gcsched"
    assert [Path(line) for line in found] == [
        package / "templates",
        package / "proto" / "service_config.json",
    ]
