"""Where everything is kept between two runs: stores and caught mails."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gcsched.errors import EmbeddedStoreProblem

FOLDER_NAME = "gcsched"


def default_folder(environ: Mapping[str, str], *, system: str = sys.platform) -> Path:
    """Give the user's data folder for us: XDG's, or where macOS keeps such things."""
    if system == "darwin":
        return Path.home() / "Library" / "Application Support" / FOLDER_NAME
    said = Path(environ.get("XDG_DATA_HOME", ""))
    # The XDG specification says to ignore a relative path.
    return (said if said.is_absolute() else Path.home() / ".local" / "share") / FOLDER_NAME


def prepare_folder(folder: Path) -> Path:
    """Make *folder* where it is missing; raise EmbeddedStoreProblem if it cannot be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        (folder / "mails").mkdir(exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise EmbeddedStoreProblem(
            f"the data folder {folder} cannot be used ({error.strerror}); "
            "give --data a folder that you may write to"
        ) from error
    return folder
