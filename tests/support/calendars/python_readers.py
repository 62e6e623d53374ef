"""What icalendar, ical and vobject read from a calendar file. Each is strict in its own way."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.support.calendars.reading import WITHOUT_PEOPLE, Reading, instant
from tests.support.later import Later

icalendar, vobject, ical = Later("icalendar"), Later("vobject"), Later("ical.calendar_stream")
Parameters = Mapping[str, str]


def read_by_icalendar(file: bytes) -> Reading:
    calendar = icalendar.Calendar.from_ical(file)
    [event] = calendar.subcomponents
    organizer, attendees = event.get("ORGANIZER"), event.get("ATTENDEE", [])
    attendees = attendees if isinstance(attendees, list) else [attendees]
    if errors := [*calendar.errors, *event.errors]:
        return {"error": str(errors)}
    return {
        "components": ",".join(str(each.name) for each in calendar.subcomponents),
        "properties": ",".join(event),
        "method": str(calendar.get("METHOD", "")),
        **{name: instant(event.decoded(key).astimezone(UTC)) for name, key in TIMES.items()},
        **{name: str(event.get(name.upper(), "")) for name in VALUES},
        **describe_people(
            [(str(each), each.params) for each in [organizer] if each is not None],
            [(str(each), each.params) for each in attendees],
        ),
    }


def describe_people(
    organizers: Sequence[tuple[str, Parameters]], attendees: Sequence[tuple[str, Parameters]]
) -> dict[str, str]:
    """Return what is read of the *organizers*, who are one or none, and of the *attendees*."""
    if not organizers and not attendees:
        return WITHOUT_PEOPLE
    [(organizer, of_organizer)], (attendee, of_attendee) = organizers, attendees[0]
    return {
        "organizer": organizer,
        "organizer_name": of_organizer.get("CN", ""),
        "sent_by": of_organizer.get("SENT-BY", ""),
        "organizer_parameters": ",".join(of_organizer),
        "attendee": attendee,
        "attendee_name": of_attendee.get("CN", ""),
        **{name: of_attendee.get(name.upper(), "") for name in ASKED},
        "attendee_parameters": ",".join(of_attendee),
        "attendees": "\n".join(uri for uri, _ in attendees),
        "attendee_names": "\n".join(parameters.get("CN", "") for _, parameters in attendees),
    }


TIMES = {"stamp": "DTSTAMP", "start": "DTSTART", "end": "DTEND"}
VALUES = (
    *("uid", "sequence", "summary", "description", "location", "url"),
    *("status", "transp", "class"),
)
ASKED = ("cutype", "role", "partstat", "rsvp")


def read_by_vobject(file: bytes) -> Reading:
    calendar = vobject.readOne(file.decode())
    calendar.validate(raiseException=True)
    contents: Mapping[str, Any] = calendar.vevent.contents
    instants = {name: contents[key.lower()][0].value for name, key in TIMES.items()}
    return {
        "components": ",".join(each.name for each in calendar.components()),
        "properties": ",".join(contents),
        "method": calendar.method.value if hasattr(calendar, "method") else "",
        **{name: instant(value.astimezone(UTC)) for name, value in instants.items()},
        **{name: contents[name][0].value if name in contents else "" for name in VALUES},
        **describe_people(
            [(each.value, single(each.params)) for each in contents.get("organizer", [])],
            [(each.value, single(each.params)) for each in contents.get("attendee", [])],
        ),
    }


def single(parameters: Mapping[str, Sequence[str]]) -> Parameters:
    return {name: "".join(values) for name, values in parameters.items()}


def read_by_ical(file: bytes) -> Reading:
    [calendar] = ical.IcsCalendarStream.from_ics(file.decode()).calendars
    others = calendar.todos or calendar.journal or calendar.freebusy or calendar.timezones
    [event] = calendar.events
    if others or event.extras or calendar.extras or event.alarm:
        return {"error": "more than one event"}
    people = [] if event.organizer is None else [event.organizer]
    return {
        "method": calendar.method or "",
        "uid": event.uid,
        "sequence": str(event.sequence),
        **{
            name: instant(value) if isinstance(value, datetime) else str(value)
            for name, value in {
                "stamp": event.dtstamp,
                "start": event.dtstart,
                "end": event.dtend,
            }.items()
        },
        "summary": event.summary or "",
        "description": event.description or "",
        "location": event.location or "",
        "url": event.url or "",
        "status": event.status or "",
        "transp": event.transparency or "",
        "class": event.classification or "",
        **without_parameter_names(
            describe_people(
                [(str(each.uri), parameters_of(each)) for each in people],
                [(str(each.uri), parameters_of(each)) for each in event.attendees],
            )
        ),
    }


def parameters_of(person: Any) -> Parameters:
    values = {
        "CN": person.common_name,
        "SENT-BY": person.sent_by,
        "CUTYPE": person.user_type,
        "ROLE": person.role,
        "PARTSTAT": person.status,
        "RSVP": person.rsvp and "TRUE",
    }
    return {name: str(value) for name, value in values.items() if value}


def without_parameter_names(people: Mapping[str, str]) -> dict[str, str]:
    """Return *people* as ical reads them: it has defaults for parameters that are not there."""
    return {name: value for name, value in people.items() if not name.endswith("_parameters")}


Reader = Callable[[bytes], Reading]

PYTHON_READERS: Mapping[str, Reader] = {
    "icalendar": read_by_icalendar,
    "ical": read_by_ical,
    "vobject": read_by_vobject,
}
