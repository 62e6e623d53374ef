"""Find the package's data files: inside it if installed, beside it in a checkout."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def find_package_folder(name: str) -> Path:
    """Return the folder *name*, such as `templates` or `proto`."""
    packaged = PACKAGE / name
    return packaged if packaged.is_dir() else PACKAGE.parent / name
