"""Find the files that come with the package: inside it where installed, beside it in a checkout."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def find_package_folder(name: str) -> Path:
    """Return the folder *name*, as `templates` or `proto`."""
    packaged = PACKAGE / name
    return packaged if packaged.is_dir() else PACKAGE.parent / name
