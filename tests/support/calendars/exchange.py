"""What a calendar file must keep to that no library checks: the grammar, and what Exchange reads.

The grammar is that of RFC 5545, section 3.1; the rest comes from RFC 5546, 6047 and 6068 and from
Microsoft's [MS-OXCICAL]. Written from these, and without the writer.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

LINE = re.compile(
    r"""
    (?P<name> [A-Z-]+ )
    (?P<parameters> (?: ; [A-Z-]+ = (?: "[^"\x00-\x1f\x7f]*" | [^";:,\x00-\x1f\x7f]* ) )* )
    : (?P<value> [^\x00-\x08\x0a-\x1f\x7f]* )
    """,
    re.VERBOSE,
)
CALENDAR = ("BEGIN", "PRODID", "VERSION", "CALSCALE", "METHOD", "BEGIN")
ALWAYS = frozenset({"UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY"})
PLACE = frozenset({"DESCRIPTION", "LOCATION", "URL"})
BUSY = frozenset({"TRANSP", "CLASS"})
UTC_TIME = r"[0-9]{8}T[0-9]{6}Z"
MAILTO = r"mailto:(?:[A-Za-z0-9._~!$'()*+,:-]|%[0-9A-F]{2})+@(?:[A-Za-z0-9.:-]|%5B|%5D)+"
TEXT = r"(?:[^\\;,]|\\[\\;,n])*"
VALUES = {
    "SEQUENCE": "[0-9]+",
    **dict.fromkeys(("DTSTAMP", "DTSTART", "DTEND"), UTC_TIME),
    **dict.fromkeys(("UID", "SUMMARY"), TEXT),
    "DESCRIPTION": TEXT,
    "LOCATION": TEXT,
    "URL": r"https?://[!#-;=?-\[\]_a-z~]+",
    "ORGANIZER": MAILTO,
    "ATTENDEE": MAILTO,
    "TRANSP": "OPAQUE",
    "CLASS": "PUBLIC",
}
ASKED = "CUTYPE=INDIVIDUAL|ROLE=(?:REQ|OPT|NON)-PARTICIPANT|PARTSTAT=NEEDS-ACTION|RSVP=TRUE"
CN = r'(?:;CN="[^"]+")?'
MAX_LENGTHS = {"SUMMARY": 255, "LOCATION": 255}


class Profile(NamedTuple):
    """What a file with one METHOD, or with none, has: names, and values of its own."""

    once: frozenset[str]
    at_most_once: frozenset[str]
    repeated: frozenset[str]  # at least once
    status: str
    attendee: str = ""  # its parameters


PROFILES: Mapping[str, Profile] = {
    "REQUEST": Profile(
        once=ALWAYS | BUSY | {"ORGANIZER", "STATUS"},
        at_most_once=PLACE,
        repeated=frozenset({"ATTENDEE"}),
        status="CONFIRMED",
        attendee=rf"(?:;(?:{ASKED})){{4}}{CN}",
    ),
    # RFC 5546 section 3.2.5; a cancellation asks nothing, so it has no RSVP and no PARTSTAT.
    "CANCEL": Profile(
        once=ALWAYS | {"ORGANIZER", "ATTENDEE"},
        at_most_once=frozenset({"STATUS"}),
        repeated=frozenset(),
        status="CANCELLED",
        attendee=CN,
    ),
    # RFC 5545 section 3.8.4.3: without attendees there is no organizer either.
    "": Profile(
        once=ALWAYS | {"STATUS"},
        at_most_once=PLACE | BUSY,
        repeated=frozenset(),
        status="CONFIRMED|CANCELLED",
    ),
}


def problems_of(file: bytes) -> list[str]:
    """Return what is wrong with *file*, which is about a single meeting."""
    if problems := [*line_problems(file)]:
        return problems
    lines = [LINE.fullmatch(line) for line in file.decode().replace("\r\n ", "").split("\r\n")[:-1]]
    known = [line for line in lines if line is not None]
    if len(known) < len(lines):
        return [f"line {lines.index(None) + 1} is not a content line"]
    methods = [line["value"] for line in known if line["name"] == "METHOD"] or [""]
    if len(methods) > 1 or methods[0] not in PROFILES:
        return [f"the methods are {methods}"]
    profile = PROFILES[methods[0]]
    before = CALENDAR if methods[0] else tuple(name for name in CALENDAR if name != "METHOD")
    event = known[len(before) : -2]
    return [
        *head_problems(known, before),
        *count_problems(event, profile),
        *value_problems(event, profile),
    ]


def line_problems(file: bytes) -> Iterator[str]:
    if not file.endswith(b"\r\n") or b"\r" in (rest := file.replace(b"\r\n", b"")) or b"\n" in rest:
        yield "a line does not end with CRLF"
    for number, line in enumerate(file.split(b"\r\n"), 1):
        if len(line) > 75:
            yield f"line {number} has {len(line)} octets"
        try:
            line.decode()
        except UnicodeDecodeError:
            yield f"line {number} is cut inside a character"


def head_problems(lines: list[re.Match[str]], before: Sequence[str]) -> Iterator[str]:
    names = tuple(line["name"] for line in lines)
    blocks = [line["value"] for line in lines if line["name"] in {"BEGIN", "END"}]
    if blocks != ["VCALENDAR", "VEVENT", "VEVENT", "VCALENDAR"] or names[: len(before)] != before:
        yield f"not one event in one calendar: {blocks}"
    heads = [line["value"] for line in lines[2:4]]
    if heads != ["2.0", "GREGORIAN"]:
        yield f"the calendar's own values are {heads}"


def count_problems(event: list[re.Match[str]], profile: Profile) -> Iterator[str]:
    counts = Counter(line["name"] for line in event)
    known = profile.once | profile.at_most_once | profile.repeated
    yield from (
        f"{name} is there {counts[name]} times" for name in profile.once if counts[name] != 1
    )
    yield from (f"{name} is there twice" for name in profile.at_most_once if counts[name] > 1)
    yield from (f"{name} is missing" for name in profile.repeated if not counts[name])
    yield from (f"{name} is too much" for name in counts.keys() - known)
    people = [line["value"] for line in event if line["name"] in {"ORGANIZER", "ATTENDEE"}]
    yield from (f"{who} is there twice" for who, count in Counter(people).items() if count > 1)


def value_problems(event: list[re.Match[str]], profile: Profile) -> Iterator[str]:
    values_of = {**VALUES, "STATUS": profile.status}
    parameters_of = {
        "ORGANIZER": rf'{CN}(?:;SENT-BY="{MAILTO}")?',
        "ATTENDEE": profile.attendee,
    }
    for line in event:
        name, value, parameters = line["name"], line["value"], line["parameters"]
        if not re.fullmatch(values_of.get(name, ""), value):
            yield f"{name} is {value!r}"
        if not re.fullmatch(parameters_of.get(name, ""), parameters):
            yield f"{name} has the parameters {parameters!r}"
        shown = re.sub(r"\\(.)", r"\1", value)
        if len(shown) > MAX_LENGTHS.get(name, len(shown)):
            yield f"{name} has {len(shown)} characters"
    values = {line["name"]: line["value"] for line in event}
    if values.get("DTEND", "") <= values.get("DTSTART", ""):
        yield "it does not end after its start"
