"""What a program reads from a calendar file, and what it ought to read."""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import unquote

import idna

from tests.support.calendars.kinds import Case, Kind

Reading = Mapping[str, str]
"""The values of one file by name, as one program reads them; `error` if it refuses the file."""

LINE_ENDS = "\r\n|[\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]"
CONTROLS = "[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]"
DIRECTIONS = "[\u202a-\u202e\u2066-\u2069]"
ADDRESSES = ("organizer", "sent_by", "attendee")
METHODS = {
    **dict.fromkeys((Kind.REQUEST, Kind.GUESTS), "REQUEST"),
    **dict.fromkeys((Kind.CANCEL, Kind.REMOVAL), "CANCEL"),
    **dict.fromkeys((Kind.PAGE, Kind.CANCELLED_PAGE), ""),
}
STATES = {
    **dict.fromkeys((Kind.REQUEST, Kind.GUESTS, Kind.PAGE), "CONFIRMED"),
    **dict.fromkeys((Kind.CANCEL, Kind.CANCELLED_PAGE), "CANCELLED"),
    Kind.REMOVAL: "",
}
ROLES = {
    "REQUIRED": "REQ-PARTICIPANT",
    "OPTIONAL": "OPT-PARTICIPANT",
    "INFORMED": "NON-PARTICIPANT",
}


def what_to_read(case: Case) -> dict[str, str]:
    """Return what every program must read from the file of *case*."""
    revision = case.revision
    texts = texts_to_read(case)
    names = ["uid", "sequence", "dtstamp", "dtstart", "dtend", "summary"]
    names += [each for each in ("description", "location", "url", "status") if texts[each]]
    names += ["transp", "class"] * (texts["status"] == "CONFIRMED")
    names += ["organizer", "attendee"] * bool(texts["method"])
    return {
        "components": "VEVENT",
        "properties": in_order(names),
        "sequence": str(revision.sequence),
        "stamp": instant(revision.stamp),
        "start": instant(revision.start),
        "end": instant(revision.end),
        **texts,
        **(people_to_read(case) if texts["method"] else WITHOUT_PEOPLE),
    }


def texts_to_read(case: Case) -> dict[str, str]:
    """Return the values that are texts; "" stands for those that the file must not have."""
    revision, status = case.revision, STATES[case.kind]
    link_is_place = not revision.location.strip() and len(revision.url) <= 255
    about = {
        "description": lines_of("\n\n".join(filter(None, [revision.url, revision.description]))),
        "location": lines_of(revision.url if link_is_place else revision.location),
        "url": revision.url,
    }
    return {
        "method": METHODS[case.kind],
        "uid": revision.uid,
        "summary": lines_of(revision.summary),
        **(dict.fromkeys(about, "") if METHODS[case.kind] == "CANCEL" else about),
        "status": status,
        **(BUSY if status == "CONFIRMED" else dict.fromkeys(BUSY, "")),
    }


def people_to_read(case: Case) -> dict[str, str]:
    organizer, sender = case.revision.organizer, case.revision.sent_by
    named = [case.attendee]
    if case.kind is Kind.GUESTS:
        own = with_a_labels(case.attendee.email).casefold()
        guests = case.revision.guests
        named += [each for each in guests if with_a_labels(each.email).casefold() != own]
    is_asked = METHODS[case.kind] == "REQUEST"
    asked = ["CUTYPE", "ROLE", "PARTSTAT", "RSVP"] * is_asked
    answer = {**ASKED, "role": ROLES[case.role.value]} if is_asked else dict.fromkeys(ASKED, "")
    return {
        "organizer": with_a_labels(organizer.email),
        "organizer_name": show_name(organizer.name),
        "sent_by": with_a_labels(sender),
        "organizer_parameters": in_order(
            ["CN"] * bool(show_name(organizer.name)) + ["SENT-BY"] * bool(sender)
        ),
        "attendee": with_a_labels(case.attendee.email),
        "attendee_name": show_name(case.attendee.name),
        "attendee_parameters": in_order(asked + ["CN"] * bool(show_name(case.attendee.name))),
        "attendees": "\n".join(with_a_labels(each.email) for each in named),
        "attendee_names": "\n".join(show_name(each.name) for each in named),
        **answer,
    }


def misread_by(program: str, expected: Reading) -> frozenset[str]:
    """Return the names of the values that *program* is known to read wrongly.

    vobject knows nothing of RFC 6868. node-ical unescapes in the wrong order, takes away quotation
    marks around a text and beside `TZID=`, and splits parameters within quotation marks.
    """
    if program not in {"node-ical", "vobject"}:
        return frozenset()
    names = {name for name in NAMES if re.search(r"\^[n^']", expected[name])}
    if program == "vobject":
        return frozenset(names)
    texts = {name for name in TEXTS if re.search(r'\\|^".*"$|TZID=', expected[name], re.DOTALL)}
    split = [name.removesuffix("_name") for name in NAMES if re.search("[;=]", expected[name])]
    return frozenset(names | texts).union(*(PERSON[owner] for owner in split))


BUSY = {"transp": "OPAQUE", "class": "PUBLIC"}
ASKED = {
    "cutype": "INDIVIDUAL",
    "role": "REQ-PARTICIPANT",
    "partstat": "NEEDS-ACTION",
    "rsvp": "TRUE",
}
TEXTS = ("summary", "description", "location")
NAMES = ("organizer_name", "attendee_name", "attendee_names")
PERSON = {
    "organizer": ("organizer", "organizer_name", "organizer_parameters", "sent_by", "properties"),
    "attendee": ("attendee", "attendee_name", "attendee_parameters", "properties", *ASKED),
    "attendee_names": ("attendees", "attendee_names", "properties"),
}
WITHOUT_PEOPLE = {name: "" for names in PERSON.values() for name in names if name != "properties"}


def normalise(reading: Reading) -> Reading:
    """Return *reading* with decoded addresses and its lists of names in order."""
    if "error" in reading:
        return reading
    decoded = {
        name: decode_mailto(value) if name in ADDRESSES else value
        for name, value in reading.items()
    }
    if "attendees" in decoded:
        decoded["attendees"] = "\n".join(map(decode_mailto, decoded["attendees"].split("\n")))
    lists = decoded.keys() & {"properties", "organizer_parameters", "attendee_parameters"}
    ordered = {name: in_order(decoded[name].split(",")) for name in lists}
    if "properties" in ordered:  # some programs name each attendee, some all of them once
        ordered["properties"] = re.sub("(ATTENDEE )+", "ATTENDEE ", ordered["properties"])
    return {**decoded, **ordered}


def differences(program: str, found: Reading, expected: Reading) -> list[str]:
    """Return what *program* reads otherwise; a value that it does not report is not compared."""
    if "error" in found:
        return [f"refused: {found['error']}"]
    return [
        f"{name}: {found[name]!r} instead of {expected[name]!r}"
        for name in sorted(found.keys() - misread_by(program, expected))
        if found[name] != expected[name]
    ]


def in_order(names: list[str] | tuple[str, ...]) -> str:
    return " ".join(sorted(name.upper() for name in names if name))


def lines_of(text: str) -> str:
    return re.sub(CONTROLS, "", re.sub(LINE_ENDS, "\n", text)).strip(" \t")


def show_name(name: str) -> str:
    spaced = re.sub(rf"{LINE_ENDS}|[\n\t]", " ", name)
    return (
        re.sub(f"{CONTROLS}|{DIRECTIONS}", "", spaced).strip().replace('"', "'").replace("\\", "/")
    )


def with_a_labels(email: str) -> str:
    local, at, domain = email.rpartition("@")
    is_name = domain and not domain.isascii()
    return f"{local}{at}{idna.encode(domain, uts46=True).decode() if is_name else domain}"


def decode_mailto(uri: str) -> str:
    """Return the address of *uri*; one that is not a mailto URI stays and so never fits."""
    return unquote(uri.removeprefix("mailto:"), errors="strict") if uri else ""


def instant(moment: datetime) -> str:
    return moment.isoformat().replace("-", "").replace(":", "").replace("+0000", "Z")
