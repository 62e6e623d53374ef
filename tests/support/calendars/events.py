"""Random meetings, such as a hostile caller would make; the same seed makes the same ones."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from msgspec import structs

from gcsched.domain.meeting import MeetingRevision, Person
from tests.support.relay.script import repeatable

START = datetime(2027, 1, 5, 8, tzinfo=UTC)
REVISION = MeetingRevision(
    meeting_id="0196f0c2-a4f8-7d0e-8a54-3b7f1c2d9e10",
    uid="0196f0c2-a4f8-7d0e-8a54-3b7f1c2d9e10@meet.example.org",
    number=1,
    sequence=0,
    stamp=datetime(2027, 1, 4, 8, tzinfo=UTC),
    start=START,
    end=START + timedelta(minutes=30),
    start_wall=datetime(2027, 1, 5, 9, tzinfo=UTC).replace(tzinfo=None),
    end_wall=datetime(2027, 1, 5, 9, 30, tzinfo=UTC).replace(tzinfo=None),
    zone="Europe/Berlin",
    zone_version="2026f",
    summary="Interview: Zoë & Ada",
    organizer=Person("meet@example.org", "Meet"),
)
ADA = Person("ada@example.org", "Ada Lovelace")

EVERYDAY = (
    *("Interview ", "Zoë ", "Raum „Köln“ ", "日本語", "שלום ", "😀", "👩‍🚀", "e\u0301", "x" * 70),
    *("a", " ", ",", ", ", ":", '"', "'", "%", "&", "/", "\u00a0", "\n", "\n- ", "\t"),
)
PIECES = (
    *(
        "Interview ",
        "Zoë ",
        "日本語",
        "שלום ",
        "😀",
        "👩‍🚀",
        "e\u0301",
        "a",
        "x" * 70,
        " ",
        " " * 80,
    ),
    *(
        "\\",
        "\\n",
        "\\,",
        "\\\\",
        ";",
        ",",
        ":",
        '"',
        "'",
        "^",
        "^n",
        "^^",
        "^'",
        "%",
        "%2C",
        "=",
        "&",
    ),
    *("\n", "\r\n", "\r", "\t", "\x00", "\x0b", "\x1c", "\x7f", "\x85", "\u2028", "\u2029"),
    *(
        "\u00a0",
        "\u200b",
        "\u202e",
        "\ufeff",
        "\ufffe",
        "\ud800",
        "<b>",
        "&amp;",
        "TZID=Europe/Berlin",
    ),
    *("BEGIN:VALARM", "\r\nBEGIN:VALARM\r\nEND:VALARM\r\n", "\r\nATTENDEE:mailto:eve@example.org"),
    *("END:VEVENT", '";PARTSTAT=ACCEPTED:mailto:eve@example.org', ";RSVP=FALSE", "\nMETHOD:CANCEL"),
)
LINKS = (
    *("https://meet.example.org/j/42", "http://example.org", "https://[2001:db8::1]:8443/"),
    "https://meet.example.org/j/42?a=1,2;b=%41&c=(3)*!$'#x/y?z",
    "https://xn--mnchen-3ya.example/" + "x" * 1_900,
)
ADDRESSES = (
    *("ada@example.org", "ada.lovelace+gcsched@example.org", "o'neil@straße.example"),
    *("%/?#[]&;=!$*^`{|}~-_@example.org", "zoë@example.org", "日本@例え.example"),
    *('"ada lovelace"@example.org', '"a@b;c:d,e"@example.org', "ada@[192.0.2.1]"),
)


def random_meeting(random: Random) -> tuple[MeetingRevision, Person]:
    """Return a meeting and one of its attendees."""
    pieces = random.choice((EVERYDAY, PIECES))
    start = START + timedelta(minutes=random.randrange(10 * 365 * 1440))
    meeting = structs.replace(
        REVISION,
        sequence=random.choice((0, 0, 1, 2_147_483_647)),
        stamp=start - timedelta(seconds=random.randrange(1, 10**8)),
        start=start,
        end=start + timedelta(minutes=random.randrange(1, 30 * 1440)),
        summary="M" + random_text(random, pieces, 10)[:254],
        location=random_text(random, pieces, 5)[:255],
        url=random.choice(("", *LINKS)),
        description=random_text(random, pieces, 60)[:8_000],
        organizer=Person("meet@example.org", random_text(random, pieces, 4)[:256]),
        sent_by=random.choice(("", *ADDRESSES)),
    )
    return meeting, Person(random.choice(ADDRESSES), random_text(random, pieces, 4)[:256])


def random_text(random: Random, pieces: Sequence[str], at_most: int) -> str:
    """Return up to *at_most* of *pieces* and of characters of all of Unicode."""
    return "".join(
        random.choice(pieces)
        if random.random() < 0.7
        else chr(random.randrange(sys.maxunicode + 1))
        for _ in range(random.randrange(at_most + 1))
    )


def random_meetings(count: int, *, seed: int) -> dict[str, tuple[MeetingRevision, Person]]:
    """Return *count* meetings, each with an attendee, by a name."""
    random = repeatable(seed)
    return {f"{seed}-{number}": random_meeting(random) for number in range(count)}
