"""Calendars of attendees by RFC 5546 section 2.1.5, fed with the mails that arrived. Pure.

The files are read by the library icalendar, and nothing of the service is used.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from typing import Any

import icalendar

Version = tuple[int, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one mail says about a meeting; *method* is "" for a reminder, which has no calendar."""

    recipient: str
    time: float
    message_id: str
    method: str
    uid: str
    sequence: int
    stamp: datetime | None
    start: datetime | None
    summary: str
    text: str

    @property
    def words(self) -> tuple[object, ...]:
        """The same for two mails that tell the recipient the same."""
        return (self.recipient, self.method, self.uid, self.sequence, self.start, self.summary)


def read_notice(recipient: str, time: float, content: bytes) -> Notice:
    mail = message_from_bytes(content, policy=policy.default)
    calendars = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    text = content.decode("utf-8", "replace")
    message_id = str(mail["Message-ID"])
    if not calendars:
        return Notice(
            recipient=recipient,
            time=time,
            message_id=message_id,
            method="",
            uid="",
            sequence=0,
            stamp=None,
            start=None,
            summary=str(mail["Subject"]),
            text=text,
        )
    [part] = calendars
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    parsed = icalendar.Calendar.from_ical(octets)
    events: list[Any] = parsed.walk("VEVENT")
    [event] = events
    method = str(parsed["METHOD"])
    assert part.get_param("method") == method
    return Notice(
        recipient=recipient,
        time=time,
        message_id=message_id,
        method=method,
        uid=str(event["UID"]),
        sequence=int(event.get("SEQUENCE", 0)),
        stamp=event["DTSTAMP"].dt,
        start=event["DTSTART"].dt,
        summary=str(event["SUMMARY"]),
        text=text + octets.decode(),
    )


@dataclass(slots=True, eq=False)
class Calendar:
    """The calendar of one attendee: newer versions replace older ones, and older ones are dropped.

    *strange* lists cancels of unknown meetings.
    """

    events: dict[str, Notice] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    strange: list[Notice] = field(default_factory=list)

    def take(self, notice: Notice) -> None:
        if not notice.method or notice.stamp is None:
            return
        version = (notice.sequence, notice.stamp)
        known = self.versions.get(notice.uid)
        if known is None and notice.method == "CANCEL":
            self.strange.append(notice)
        if known is not None and version < known:
            return
        self.versions[notice.uid] = version
        if notice.method == "CANCEL":
            self.events.pop(notice.uid, None)
        else:
            self.events[notice.uid] = notice


def keep_calendars(notices: Iterable[Notice]) -> Mapping[str, Calendar]:
    """Return recipient → calendar after all *notices*, in the order in which they arrived."""
    calendars: dict[str, Calendar] = {}
    for notice in sorted(notices, key=lambda each: each.time):
        calendars.setdefault(notice.recipient, Calendar()).take(notice)
    return calendars


def select(notices: Sequence[Notice], recipient: str) -> list[Notice]:
    return [each for each in notices if each.recipient == recipient]
