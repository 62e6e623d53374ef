"""The wheel holds all that is read at run time, and no tests."""

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
from gcsched.client import channel_options, service_config
Templates.load(default_folder())
channel_options()
print(default_folder(), service_config(), sep="\\n")
"""


def run_python(*arguments: str | Path, folder: Path, path: Path | None = None) -> str:
    """Run Python in *folder*, with *path* before the installed packages; return its output."""
    environment = os.environ | ({} if path is None else {"PYTHONPATH": str(path)})
    completed = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.strip()


@pytest.fixture(scope="module")
def wheel_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_it_holds_the_package_and_nothing_else(wheel_folder: Path) -> None:
    (information,) = wheel_folder.glob("gcsched-*.dist-info")

    assert {path.name for path in wheel_folder.iterdir()} == {"gcsched", information.name}
    assert (information / "licenses" / "LICENSE").is_file()
    assert (information / "licenses" / "proto" / "google" / "LICENSE").is_file()


def test_it_holds_each_module_and_each_file_read_at_run_time(wheel_folder: Path) -> None:
    modules = {path.relative_to(ROOT) for path in (ROOT / "gcsched").rglob("*.py")}
    files = {
        Path("gcsched") / path.relative_to(ROOT)
        for folder in ("proto", "templates")
        for path in (ROOT / folder).rglob("*")
    }
    packed = {path.relative_to(wheel_folder) for path in wheel_folder.rglob("*")}

    assert files >= {Path("gcsched/templates/doc.html"), Path("gcsched/templates/doc.txt")}
    assert packed >= modules | files
    assert packed >= {
        Path("gcsched/pb/task_pb2_grpc.py"),
        Path("gcsched/pb/task_pb2_grpc.pyi"),
        Path("gcsched/proto/google/rpc/status.proto"),
        Path("gcsched/py.typed"),
    }


def test_it_finds_its_files_without_a_checkout(wheel_folder: Path, tmp_path: Path) -> None:
    found = run_python("-P", "-c", FIND_FILES, folder=tmp_path, path=wheel_folder).splitlines()

    package = wheel_folder / "gcsched"
    assert [Path(line) for line in found] == [
        package / "templates",
        package / "proto" / "service_config.json",
    ]
