"""What icalendar, ical and vobject read from a calendar file. Each is strict in its own way."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.support.calendars.reading import Reading, instant
from tests.support.later import Later

icalendar, vobject, ical = Later("icalendar"), Later("vobject"), Later("ical.calendar_stream")


def read_by_icalendar(file: bytes) -> Reading:
    calendar = icalendar.Calendar.from_ical(file)
    [event] = calendar.subcomponents
    organizer, attendee = event["ORGANIZER"], event["ATTENDEE"]
    if errors := [*calendar.errors, *event.errors]:
        return {"error": str(errors)}
    return {
        "components": ",".join(str(each.name) for each in calendar.subcomponents),
        "properties": ",".join(event),
        "method": str(calendar["METHOD"]),
        **{name: instant(event.decoded(key).astimezone(UTC)) for name, key in TIMES.items()},
        **{name: str(event.get(name.upper(), "")) for name in VALUES},
        "organizer": str(organizer),
        "organizer_name": str(organizer.params.get("CN", "")),
        "sent_by": organizer.params.get("SENT-BY", ""),
        "organizer_parameters": ",".join(organizer.params),
        "attendee": str(attendee),
        "attendee_name": attendee.params.get("CN", ""),
        **{name: attendee.params[name.upper()] for name in ASKED},
        "attendee_parameters": ",".join(attendee.params),
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
    [organizer], [attendee] = contents["organizer"], contents["attendee"]
    instants = {name: contents[key.lower()][0].value for name, key in TIMES.items()}
    return {
        "components": ",".join(each.name for each in calendar.components()),
        "properties": ",".join(contents),
        "method": calendar.method.value,
        **{name: instant(value.astimezone(UTC)) for name, value in instants.items()},
        **{name: contents[name][0].value if name in contents else "" for name in VALUES},
        "organizer": organizer.value,
        "organizer_name": "".join(organizer.params.get("CN", [])),
        "sent_by": "".join(organizer.params.get("SENT-BY", [])),
        "organizer_parameters": ",".join(organizer.params),
        "attendee": attendee.value,
        "attendee_name": "".join(attendee.params.get("CN", [])),
        **{name: attendee.params[name.upper()][0] for name in ASKED},
        "attendee_parameters": ",".join(attendee.params),
    }


def read_by_ical(file: bytes) -> Reading:
    [calendar] = ical.IcsCalendarStream.from_ics(file.decode()).calendars
    others = calendar.todos or calendar.journal or calendar.freebusy or calendar.timezones
    [event] = calendar.events
    organizer, [attendee] = event.organizer, event.attendees
    if others or event.extras or calendar.extras or event.alarm or organizer is None:
        return {"error": "more than one event"}
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
        "organizer": str(organizer.uri),
        "organizer_name": organizer.common_name or "",
        "sent_by": str(organizer.sent_by or ""),
        "attendee": str(attendee.uri),
        "attendee_name": attendee.common_name or "",
        "cutype": attendee.user_type or "",
        "role": attendee.role or "",
        "partstat": attendee.status or "",
        "rsvp": str(attendee.rsvp).upper(),
    }


Reader = Callable[[bytes], Reading]

PYTHON_READERS: Mapping[str, Reader] = {
    "icalendar": read_by_icalendar,
    "ical": read_by_ical,
    "vobject": read_by_vobject,
}
