"""Where this process reads the rules of time zones: in the package `tzdata`, never on the host."""

import os
import zoneinfo
from importlib import import_module

VARIABLE = "PYTHONTZPATH"
"""Python's variable: the folders that `zoneinfo` searches before it asks `tzdata`."""


def use_packaged_zones() -> None:
    """Make `zoneinfo` of this process and of its children read nothing but `tzdata`.

    The files of two hosts are of different years, and a wall time would be two instants.

    Call it in a program of our own only, never when a module is imported: it changes the zones of
    the whole process. Where `tzdata` is not installed, as beside the client alone, there is then no
    zone; commands of the client need none.
    """
    os.environ[VARIABLE] = ""
    zoneinfo.reset_tzpath(())
    zoneinfo.ZoneInfo.clear_cache()  # of zones that were read from the host's files before


def find_zone_version() -> str:
    """Return the version of the rules in use, e.g. 2026f; "" while the host's files come first."""
    if zoneinfo.TZPATH:
        return ""
    return str(
        import_module("tzdata").IANA_VERSION
    )  # not above: the client alone does not bring it
