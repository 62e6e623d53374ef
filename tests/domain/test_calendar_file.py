"""The octets of calendar files. tests/contract/test_calendar_readers.py asks other programs."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gcsched.domain.calendar_file import (
    METHODS,
    Method,
    prepare_request,
    write_cancel,
    write_file,
    write_public_file,
    write_request,
)
from gcsched.domain.calendar_lines import fold
from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.meeting_mail import MeetingMail, Purpose, Role
from tests.support.calendars.events import ADA, ADDRESSES, LINKS, PIECES, REVISION
from tests.support.calendars.exchange import problems_of
from tests.support.calendars.kinds import Case, Kind
from tests.support.calendars.plain_writer import write_plainly
from tests.support.calendars.python_readers import PYTHON_READERS
from tests.support.calendars.readers import read_with
from tests.support.calendars.reading import differences, what_to_read

INTERVIEW = replace(
    REVISION,
    summary="Interview: Zoë & Ada, Raum „Köln“; bitte pünktlich — Gespräch über die Zusammenarbeit",
    location="Raum Köln, 2. OG",
    url="https://meet.example.org/j/42",
    description="Bring:\n- CV\n- 2 ideas",
    organizer=Person("meet@example.org", "Núñez, Iñaki"),
)
FILE = """\
BEGIN:VCALENDAR
PRODID:-//gcsched//invitations 1//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:REQUEST
BEGIN:VEVENT
UID:0196f0c2-a4f8-7d0e-8a54-3b7f1c2d9e10@meet.example.org
SEQUENCE:0
DTSTAMP:20270104T080000Z
DTSTART:20270105T080000Z
DTEND:20270105T083000Z
SUMMARY:Interview: Zoë & Ada\\, Raum „Köln“\\; bitte pünktlich — Ges
 präch über die Zusammenarbeit
DESCRIPTION:https://meet.example.org/j/42\\n\\nBring:\\n- CV\\n- 2 ideas
LOCATION:Raum Köln\\, 2. OG
URL:https://meet.example.org/j/42
ORGANIZER;CN="Núñez, Iñaki":mailto:meet@example.org
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=
 TRUE;CN="Ada Lovelace":mailto:ada@example.org
STATUS:CONFIRMED
TRANSP:OPAQUE
CLASS:PUBLIC
END:VEVENT
END:VCALENDAR
"""

any_text = st.one_of(
    st.text(st.characters(codec=None)),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
)
any_name = any_text.map(lambda text: text[:256])
revisions = st.builds(
    lambda **changes: replace(REVISION, **changes),
    summary=any_text.map(lambda text: f"M{text}"[:255]),
    location=any_text.map(lambda text: text[:255]),
    url=st.sampled_from(["", *LINKS]),
    description=any_text,
    organizer=st.builds(Person, st.just("meet@example.org"), any_name),
    sent_by=st.sampled_from(["", *ADDRESSES]),
)
attendees = st.builds(Person, st.sampled_from(ADDRESSES), any_name)
cases = st.builds(
    lambda kind, revision, attendee, role, guests: Case(
        kind, replace(revision, guests=guests if kind is Kind.GUESTS else ()), attendee, role
    ),
    st.sampled_from(Kind),
    revisions,
    attendees,
    st.sampled_from(Role),
    st.lists(attendees, max_size=4, unique_by=lambda guest: guest.email).map(tuple),
)
GRACE, EDSGER = Person("grace@example.org", "Grace Hopper"), Person("edsger@example.org")


@given(case=cases)
@settings(max_examples=400, deadline=None)
def test_the_octets_are_those_of_a_plain_writing(case: Case) -> None:
    assert case.write() == write_plainly(case)


def unfold_lines(revision: MeetingRevision, attendee: Person = ADA) -> list[str]:
    file = write_request(revision, attendee).decode()
    return file.replace("\r\n ", "").split("\r\n")


def line_of(name: str, revision: MeetingRevision, attendee: Person = ADA) -> str:
    (line,) = [each for each in unfold_lines(revision, attendee) if each.startswith(name)]
    return line


def test_an_invitation_is_written_as_the_standards_have_it() -> None:
    assert write_request(INTERVIEW, ADA) == FILE.replace("\n", "\r\n").encode()
    assert problems_of(write_request(INTERVIEW, ADA)) == []


def test_what_is_empty_is_left_out() -> None:
    lines = unfold_lines(replace(REVISION, organizer=Person("meet@example.org")), Person(ADA.email))

    assert not [line for line in lines if line.startswith(("DESCRIPTION", "LOCATION", "URL"))]
    assert "ORGANIZER:mailto:meet@example.org" in lines
    assert not [line for line in lines if "CN=" in line]


@pytest.mark.parametrize("purpose", METHODS)
def test_the_method_of_the_part_is_the_one_in_the_file(purpose: Purpose) -> None:
    mail = MeetingMail(revision=REVISION, purpose=purpose)

    file = write_file(METHODS[purpose], mail, ADA)

    assert file.count(b"METHOD:") == 1
    assert f"METHOD:{METHODS[purpose]}\r\n".encode() in file


def test_only_a_cancellation_takes_the_meeting_out_of_calendars_and_a_reminder_does_nothing() -> (
    None
):
    assert METHODS == {
        Purpose.INVITATION: Method.REQUEST,
        Purpose.UPDATE: Method.REQUEST,
        Purpose.CANCELLATION: Method.CANCEL,
    }


CANCELLATION = """\
BEGIN:VCALENDAR
PRODID:-//gcsched//invitations 1//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:CANCEL
BEGIN:VEVENT
UID:0196f0c2-a4f8-7d0e-8a54-3b7f1c2d9e10@meet.example.org
SEQUENCE:2
DTSTAMP:20270104T080000Z
DTSTART:20270105T080000Z
DTEND:20270105T083000Z
SUMMARY:Interview: Zoë & Ada
ORGANIZER;CN="Meet":mailto:meet@example.org
ATTENDEE;CN="Ada Lovelace":mailto:ada@example.org
STATUS:CANCELLED
END:VEVENT
END:VCALENDAR
"""


def test_a_cancellation_finds_the_meeting_and_tells_no_more_than_that() -> None:
    revision = replace(
        REVISION,
        sequence=2,
        location="Room 4",
        url=LINKS[0],
        description="Bring: CV",
        reason="ill",
        guests=(GRACE, ADA),
    )
    file = CANCELLATION.replace("\n", "\r\n").encode()

    assert write_cancel(revision, ADA, is_removal=False) == file
    assert write_cancel(revision, ADA, is_removal=True) == file.replace(
        b"STATUS:CANCELLED\r\n", b""
    )


@pytest.mark.parametrize(
    ("role", "written"),
    [
        (Role.REQUIRED, "REQ-PARTICIPANT"),
        (Role.OPTIONAL, "OPT-PARTICIPANT"),
        (Role.INFORMED, "NON-PARTICIPANT"),
    ],
)
def test_a_role_is_written_and_each_is_asked_for_an_answer(role: Role, written: str) -> None:
    file = write_request(REVISION, ADA, role)

    whole = write_request(REVISION, ADA)
    assert file.replace(b"\r\n ", b"") == whole.replace(b"\r\n ", b"").replace(
        b"REQ-PARTICIPANT", written.encode()
    )


def test_guests_who_see_each_other_are_all_named_the_recipient_first() -> None:
    revision = replace(REVISION, guests=(GRACE, replace(ADA, email="ADA@EXAMPLE.ORG"), EDSGER))

    of_ada, of_grace = write_request(revision, ADA, Role.OPTIONAL), write_request(revision, GRACE)

    def list_attendees(file: bytes) -> list[str]:
        lines = file.replace(b"\r\n ", b"").decode().split("\r\n")
        return [line.rpartition(";RSVP=TRUE")[2] for line in lines if "ATTENDEE" in line]

    ada, grace = (
        ';CN="Ada Lovelace":mailto:ada@example.org',
        (';CN="Grace Hopper":mailto:grace@example.org'),
    )
    assert list_attendees(of_ada) == [ada, grace, ":mailto:edsger@example.org"]
    assert list_attendees(of_grace) == [
        grace,
        ada.replace("ada@example.org", "ADA@EXAMPLE.ORG"),
        ":mailto:edsger@example.org",
    ]
    # How much the others are needed is not in it: Ada alone is optional.
    assert of_ada.count(b"OPT-PARTICIPANT") == 1
    assert write_request(revision, ADA, Role.OPTIONAL) == of_ada


def test_a_file_for_a_page_names_no_people_and_has_no_method() -> None:
    file = write_public_file(replace(INTERVIEW, guests=(ADA, GRACE)), is_cancelled=False)

    (before, _), (_, after) = FILE.split("ORGANIZER"), FILE.split("STATUS")
    lines = f"{before}STATUS{after}".replace("METHOD:REQUEST\n", "")
    assert file == lines.replace("\n", "\r\n").encode()
    assert b"mailto:" not in file


def test_a_file_for_a_page_says_that_the_meeting_is_off() -> None:
    file = write_public_file(REVISION, is_cancelled=True)

    assert problems_of(file) == []
    assert b"STATUS:CANCELLED" in file
    assert b"CONFIRMED" not in file


def test_a_prepared_revision_is_filled_for_each_attendee() -> None:
    prepared = prepare_request(INTERVIEW)

    for attendee in (ADA, Person("grace@example.org", "Grace Hopper")):
        assert prepared.fill(attendee) == write_request(INTERVIEW, attendee)


@given(cases)
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back_and_none_makes_a_line_or_a_parameter(case: Case) -> None:
    file = case.write()

    assert problems_of(file) == []
    expected = what_to_read(case)
    for program, reader in PYTHON_READERS.items():
        assert differences(program, read_with(reader, file), expected) == []


def test_a_text_of_10_000_characters_comes_back() -> None:
    revision = replace(REVISION, description="\\;,ö\n😀" * 1_667)

    file = write_request(revision, ADA)

    assert problems_of(file) == []
    for program, reader in PYTHON_READERS.items():
        expected = what_to_read(Case(Kind.REQUEST, revision, ADA))
        assert differences(program, read_with(reader, file), expected) == [], program


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_a_line_is_folded_at_75_octets_between_characters(text: str) -> None:
    first, *rest = fold(text.replace("\r", "").replace("\n", "")).split(b"\r\n")

    assert rest.pop() == b""
    assert all(len(line) <= 75 and line.decode() for line in [first, *rest] if line)
    assert all(line.startswith(b" ") for line in rest)
    # Only a character that does not fit begins another line.
    for line, after in zip([first, *rest], rest, strict=False):
        assert len(line) + len(after.decode()[1].encode()) > 75
    whole = b"".join([first, *(line[1:] for line in rest)])
    assert whole.decode() == text.replace("\r", "").replace("\n", "")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ada", '"Ada"'),
        ("Núñez, Iñaki; x:y", '"Núñez, Iñaki; x:y"'),
        ('"Ada" Lovelace', "\"'Ada' Lovelace\""),
        ("DOMAIN\\ada\\", '"DOMAIN/ada/"'),
        ("a^b", '"a^b"'),
        ("a^n", '"a^^n"'),
        ("a^^b", '"a^^^b"'),
        ('^"', '"^^\'"'),
        (" Ada\r\nBEGIN:VALARM\t", '"Ada BEGIN:VALARM"'),
        ("Ada\u202egro.elpmaxe", '"Adagro.elpmaxe"'),
    ],
)
def test_a_name_is_quoted(name: str, written: str) -> None:
    organizer = replace(REVISION, organizer=Person("meet@example.org", name))

    assert line_of("ORGANIZER", organizer) == f"ORGANIZER;CN={written}:mailto:meet@example.org"
    assert f";RSVP=TRUE;CN={written}:mailto:a@b.example" in line_of(
        "ATTENDEE", REVISION, Person("a@b.example", name)
    )


@pytest.mark.parametrize("name", ["", " \t", "\x00\r\n", "\u2066\u2069"])
def test_a_name_of_which_nothing_can_be_shown_is_left_out(name: str) -> None:
    assert line_of("ATTENDEE", REVISION, Person(ADA.email, name)).endswith(
        ";RSVP=TRUE:mailto:ada@example.org"
    )


@pytest.mark.parametrize(
    ("email", "uri"),
    [
        ("ada+x_y-z~.1@example.org", "mailto:ada+x_y-z~.1@example.org"),
        ("o'neil!$*@example.org", "mailto:o'neil!$*@example.org"),
        ("%/?#[]&;=@example.org", "mailto:%25%2F%3F%23%5B%5D%26%3B%3D@example.org"),
        ("zoë@straße.example", "mailto:zo%C3%AB@xn--strae-oqa.example"),
        ("ada@MÜNCHEN.example", "mailto:ada@xn--mnchen-3ya.example"),
        ('"not@me"@example.org', "mailto:%22not%40me%22@example.org"),
        ("ada@[192.0.2.1]", "mailto:ada@%5B192.0.2.1%5D"),
    ],
)
def test_an_address_is_a_mailto_uri(email: str, uri: str) -> None:
    assert line_of("ATTENDEE", REVISION, Person(email)).endswith(f";RSVP=TRUE:{uri}")


def test_the_sender_for_an_organizer_is_named_in_quotes() -> None:
    revision = replace(REVISION, sent_by="no;reply@example.org")

    assert line_of("ORGANIZER", revision) == (
        'ORGANIZER;CN="Meet";SENT-BY="mailto:no%3Breply@example.org":mailto:meet@example.org'
    )


def test_a_link_is_the_place_where_none_is_known_unless_it_is_too_long_for_exchange() -> None:
    short, long = "https://meet.example.org/j?a=1,2", "https://meet.example.org/" + "x" * 231

    assert line_of("LOCATION", replace(REVISION, url=short)).endswith("j?a=1\\,2")
    assert "LOCATION" not in "".join(unfold_lines(replace(REVISION, url=long)))
    assert line_of("URL", replace(REVISION, url=long)) == f"URL:{long}"
    assert line_of("LOCATION", replace(REVISION, url=short, location="Room 4")).endswith(":Room 4")


def test_a_link_cannot_end_its_line() -> None:
    revision = replace(REVISION, url="https://a.example/\r\nATTENDEE:x \\ \u2028ü")

    assert line_of("URL", revision) == (
        "URL:https://a.example/%0D%0AATTENDEE:x%20%5C%20%E2%80%A8%C3%BC"
    )


def test_times_are_written_in_utc_with_four_digits_of_the_year() -> None:
    revision = replace(REVISION, stamp=datetime(987, 6, 5, 4, 3, 2, tzinfo=UTC))

    assert line_of("DTSTAMP", revision) == "DTSTAMP:09870605T040302Z"
