"""What an invitation must keep to that no library checks: the grammar, and what Exchange reads.

The grammar is that of RFC 5545, section 3.1; the rest comes from RFC 5546, 6047 and 6068 and from
Microsoft's [MS-OXCICAL]. Written from these, and without the writer.
"""

import re
from collections import Counter
from collections.abc import Iterator

LINE = re.compile(
    r"""
    (?P<name> [A-Z-]+ )
    (?P<parameters> (?: ; [A-Z-]+ = (?: "[^"\x00-\x1f\x7f]*" | [^";:,\x00-\x1f\x7f]* ) )* )
    : (?P<value> [^\x00-\x08\x0a-\x1f\x7f]* )
    """,
    re.VERBOSE,
)
CALENDAR = ["BEGIN", "PRODID", "VERSION", "CALSCALE", "METHOD", "BEGIN"]
ONCE = {"UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "ORGANIZER", "ATTENDEE"}
ONCE |= {"STATUS", "TRANSP", "CLASS"}
AT_MOST_ONCE = {"DESCRIPTION", "LOCATION", "URL"}
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
    "STATUS": "CONFIRMED",
    "TRANSP": "OPAQUE",
    "CLASS": "PUBLIC",
}
ASKED = "CUTYPE=INDIVIDUAL|ROLE=REQ-PARTICIPANT|PARTSTAT=NEEDS-ACTION|RSVP=TRUE"
CN = r'(?:;CN="[^"]+")?'
PARAMETERS = {
    "ORGANIZER": rf'{CN}(?:;SENT-BY="{MAILTO}")?',
    "ATTENDEE": rf"(?:;(?:{ASKED})){{4}}{CN}",
}
MAX_LENGTHS = {"SUMMARY": 255, "LOCATION": 255}


def problems_of(file: bytes) -> list[str]:
    """Return what is wrong with *file* as the invitation to a single meeting."""
    if problems := [*line_problems(file)]:
        return problems
    lines = [LINE.fullmatch(line) for line in file.decode().replace("\r\n ", "").split("\r\n")[:-1]]
    known = [line for line in lines if line is not None]
    if len(known) < len(lines):
        return [f"line {lines.index(None) + 1} is not a content line"]
    return [*structure_problems(known), *value_problems(known)]


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


def structure_problems(lines: list[re.Match[str]]) -> Iterator[str]:
    names = [line["name"] for line in lines]
    blocks = [line["value"] for line in lines if line["name"] in {"BEGIN", "END"}]
    if blocks != ["VCALENDAR", "VEVENT", "VEVENT", "VCALENDAR"] or names[:6] != CALENDAR:
        yield f"not one event in one calendar: {blocks}"
    heads = [line["value"] for line in lines[2:5]]
    if heads != ["2.0", "GREGORIAN", "REQUEST"]:
        yield f"the calendar's own values are {heads}"
    counts = Counter(names[6:-2])
    yield from (f"{name} is there {counts[name]} times" for name in ONCE if counts[name] != 1)
    yield from (f"{name} is there twice" for name in AT_MOST_ONCE if counts[name] > 1)
    yield from (f"{name} is too much" for name in counts.keys() - ONCE - AT_MOST_ONCE)


def value_problems(lines: list[re.Match[str]]) -> Iterator[str]:
    for line in lines[6:-2]:
        name, value, parameters = line["name"], line["value"], line["parameters"]
        if not re.fullmatch(VALUES.get(name, ""), value):
            yield f"{name} is {value!r}"
        if not re.fullmatch(PARAMETERS.get(name, ""), parameters):
            yield f"{name} has the parameters {parameters!r}"
        shown = re.sub(r"\\(.)", r"\1", value)
        if len(shown) > MAX_LENGTHS.get(name, len(shown)):
            yield f"{name} has {len(shown)} characters"
    values = {line["name"]: line["value"] for line in lines}
    if values.get("DTEND", "") <= values.get("DTSTART", ""):
        yield "it does not end after its start"
    if values.get("ATTENDEE") == values.get("ORGANIZER"):
        yield "the organizer is the attendee"
