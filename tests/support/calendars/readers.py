"""All programs that read a calendar file for the tests, and what each finds in one."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.calendars.libical import read_by_libical
from tests.support.calendars.node_readers import read_by_node
from tests.support.calendars.python_readers import PYTHON_READERS, Reader
from tests.support.calendars.reading import Reading, normalise
from tests.support.later import Later

vobject, ical = Later("vobject.base"), Later("ical.exceptions")

Readings = Mapping[str, Mapping[str, Reading]]
"""By program, and by the name of the file."""


def read_with(reader: Reader, file: bytes) -> Reading:
    try:
        return normalise(reader(file))
    except refusals() as error:
        return {"error": repr(error)}


def refusals() -> tuple[type[Exception], ...]:
    """Return the exceptions by which the programs of Python refuse a file."""
    return (
        *(ValueError, LookupError, AttributeError),
        *(ical.CalendarParseError, vobject.VObjectError),
    )


def read_in_python(files: Mapping[str, bytes]) -> Readings:
    return {program: read_files(reader, files) for program, reader in PYTHON_READERS.items()}


def read_in_node(files: Mapping[str, bytes], cache: Path) -> Readings:
    return {
        program: {name: normalise(reading) for name, reading in readings.items()}
        for program, readings in read_by_node(files, cache).items()
    }


def read_in_libical(files: Mapping[str, bytes]) -> Readings:
    return {"libical": read_files(read_by_libical, files)}


def read_files(reader: Reader, files: Mapping[str, bytes]) -> Mapping[str, Reading]:
    return {name: read_with(reader, file) for name, file in files.items()}
