"""The folder that keeps the stores and the caught mails between two runs."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gcsched.errors import EmbeddedStoreProblem

FOLDER_NAME = "gcsched"


def default_folder(environ: Mapping[str, str], *, system: str = sys.platform) -> Path:
    """Return the default data folder: that of XDG, or on macOS the one below ~/Library."""
    if system == "darwin":
        return Path.home() / "Library" / "Application Support" / FOLDER_NAME
    xdg_data_home = Path(environ.get("XDG_DATA_HOME", ""))
    # The XDG specification says to ignore a relative path.
    return (
        xdg_data_home if xdg_data_home.is_absolute() else Path.home() / ".local" / "share"
    ) / FOLDER_NAME


def prepare_folder(folder: Path) -> Path:
    """Create *folder* if it is missing; raise EmbeddedStoreProblem if it cannot be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        (folder / "mails").mkdir(exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise EmbeddedStoreProblem(
            f"the data folder {folder} cannot be used ({error.strerror}): "
            "use --data with a folder that you may write to"
        ) from error
    return folder
