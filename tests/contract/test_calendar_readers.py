"""Other programs read our calendar files: they accept each, and find the same values in it."""

from collections.abc import Mapping

import pytest

from gcsched.domain.calendar_file import write_cancel, write_request
from tests.support.calendars import libical
from tests.support.calendars.events import ADA, REVISION
from tests.support.calendars.exchange import problems_of
from tests.support.calendars.kinds import Case, Kind, random_cases
from tests.support.calendars.libical import read_by_libical
from tests.support.calendars.node_readers import read_by_node
from tests.support.calendars.python_readers import PYTHON_READERS
from tests.support.calendars.readers import (
    Readings,
    read_in_libical,
    read_in_node,
    read_in_python,
    read_with,
)
from tests.support.calendars.reading import differences, misread_by, what_to_read

Cases = Mapping[str, Case]
FILE = write_request(REVISION, ADA)
CANCEL = write_cancel(REVISION, ADA, is_removal=False)
REMOVAL = write_cancel(REVISION, ADA, is_removal=True)


@pytest.fixture(scope="module")
def cases() -> Cases:
    everyday = {f"everyday {kind}": Case(kind, REVISION, ADA) for kind in Kind}
    return {**random_cases(50, seed=1), **everyday}


@pytest.fixture(scope="module")
def files(cases: Cases) -> Mapping[str, bytes]:
    return {name: case.write() for name, case in cases.items()}


def all_differences(readings: Readings, cases: Cases) -> list[str]:
    return [
        f"{program} of {name}: {difference}"
        for program, found in readings.items()
        for name, case in cases.items()
        for difference in differences(program, found[name], what_to_read(case))
    ]


def test_icalendar_ical_and_vobject_read_the_same_values(
    cases: Cases, files: Mapping[str, bytes]
) -> None:
    assert all_differences(read_in_python(files), cases) == []


def test_ical_js_and_node_ical_read_the_same_values(
    cases: Cases, files: Mapping[str, bytes], request: pytest.FixtureRequest
) -> None:
    readings = read_in_node(files, request.config.cache.mkdir("node"))

    assert readings.keys() == {"ical.js", "node-ical"}
    assert all_differences(readings, cases) == []


def test_libical_accepts_each_file_and_reads_the_same_values(
    cases: Cases, files: Mapping[str, bytes]
) -> None:
    libical.require()

    assert all_differences(read_in_libical(files), cases) == []


def test_each_file_keeps_to_what_exchange_reads(files: Mapping[str, bytes]) -> None:
    assert {name: found for name, file in files.items() if (found := problems_of(file))} == {}


def test_everyday_files_are_compared_in_full(cases: Cases) -> None:
    for kind in Kind:
        expected = what_to_read(cases[f"everyday {kind}"])

        assert not any(misread_by(program, expected) for program in ("node-ical", "vobject"))


BROKEN = {
    "no organizer": FILE.replace(b'ORGANIZER;CN="Meet":mailto:meet@example.org\r\n', b""),
    "two summaries": FILE.replace(b"STATUS:", b"SUMMARY:Another\r\nSTATUS:"),
    "no uid": FILE.replace(b"UID:", b"COMMENT:"),
    "a cancellation without a sequence": CANCEL.replace(b"SEQUENCE:0\r\n", b""),
    "a cancellation without an organizer": CANCEL.replace(b"ORGANIZER;", b"COMMENT;"),
    "a cancellation with two states": CANCEL.replace(b"STATUS:", b"STATUS:CONFIRMED\r\nSTATUS:"),
    "a removal without an instant": REMOVAL.replace(b"DTSTAMP:", b"COMMENT:"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_libical_and_the_profile_find_what_the_standards_forbid(name: str) -> None:
    libical.require()

    assert "error" in read_with(read_by_libical, BROKEN[name])
    assert problems_of(BROKEN[name]) != []


ADA_AGAIN = FILE[FILE.index(b"ATTENDEE;") : FILE.index(b"STATUS:")]
SPOILT = {
    "an alarm": FILE.replace(b"END:VEVENT", b"BEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT"),
    "a property of its own": FILE.replace(b"STATUS:", b"X-WR-CALNAME:x\r\nSTATUS:"),
    "a local time": FILE.replace(b"T080000Z\r\nDTEND", b"T080000\r\nDTEND"),
    "a rule": FILE.replace(b"STATUS:", b"RRULE:FREQ=DAILY;COUNT=2\r\nSTATUS:"),
    "another method": FILE.replace(b"METHOD:REQUEST", b"METHOD:PUBLISH"),
    "an answer": FILE.replace(b"NEEDS-ACTION", b"ACCEPTED"),
    "bare line feeds": FILE.replace(b"\r\n", b"\n"),
    "a long line": FILE.replace(b"\r\n TRUE", b"TRUE"),
    "a cut character": FILE.replace("ë".encode(), b"\xc3\r\n \xab"),
    "a name without quotes": FILE.replace(b'"', b""),
    "a bare comma": FILE.replace(b"Interview:", b"Interview,"),
    "an invitation to what is off": FILE.replace(b"STATUS:CONFIRMED", b"STATUS:CANCELLED"),
    "a cancellation of what is on": CANCEL.replace(b"STATUS:CANCELLED", b"STATUS:CONFIRMED"),
    "a cancellation that asks": CANCEL.replace(b"ATTENDEE;", b"ATTENDEE;RSVP=TRUE;"),
    "a cancellation with a guest": CANCEL.replace(
        b"ATTENDEE;", b"ATTENDEE:mailto:e@x.y\r\nATTENDEE;"
    ),
    "a cancellation without its attendee": CANCEL.replace(b"ATTENDEE;", b"COMMENT;"),
    "a page with an organizer": CANCEL.replace(b"METHOD:CANCEL\r\n", b""),
    "an attendee who is there twice": FILE.replace(b"STATUS:", ADA_AGAIN + b"STATUS:"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_the_profile_finds_what_exchange_or_others_stumble_over(name: str) -> None:
    assert SPOILT[name] not in {FILE, CANCEL, REMOVAL}
    assert problems_of(SPOILT[name]) != []


@pytest.mark.parametrize("program", PYTHON_READERS)
def test_a_reader_reports_another_value(program: str) -> None:
    reading = read_with(PYTHON_READERS[program], FILE.replace(b"mailto:ada@", b"mailto:eve@"))

    assert differences(program, reading, what_to_read(Case(Kind.REQUEST, REVISION, ADA))) == [
        f"{name}: 'eve@example.org' instead of 'ada@example.org'"
        for name in ("attendee", "attendees")
    ]


def test_the_programs_of_node_report_what_they_refuse(request: pytest.FixtureRequest) -> None:
    readings = read_by_node({"": b"SUMMARY\r\n"}, request.config.cache.mkdir("node"))

    assert all("error" in found[""] for found in readings.values())
