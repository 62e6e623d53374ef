"""Render a template once, keep what does not vary, and only join the values of each mail.

Rendering costs more than everything else in a mail together. A template qualifies when its syntax
tree proves that the callers' values are only put in and tested for being empty: then one rendering
with a marker for each value, split at the markers, gives the constants of all mails that share the
values' emptiness (and the due time, where the template uses it). Every other template, and every
value with control characters, is rendered as before; both ways give the same octets.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Self, cast
from zoneinfo import ZoneInfo

from markupsafe import escape

from gcsched.adapters.mail.meeting_changes import Change
from gcsched.adapters.mail.meeting_texts import HTML_LINE_BREAK, MeetingTexts
from gcsched.adapters.mail.mime import (
    BOUNDARY_PREFIX,
    MAX_LINE_OCTETS,
    PLAIN,
    Bodies,
    Body,
    encode_base64,
    normalize_newlines,
)
from gcsched.adapters.mail.template_analysis import TEMPLATE_ERRORS
from gcsched.adapters.mail.template_structure import (
    CHANGE_NAMES,
    CHANGE_TEXTS,
    DESCRIPTION,
    INVITATION_NAMES,
    MEETING_NAMES,
    MEETING_TEXTS,
    NAMES,
)
from gcsched.adapters.mail.template_variables import Variables
from gcsched.domain.request import MEETING

# Characters for private use: no escaping changes them, and only templates in ASCII qualify.
MARKER = re.compile("\ue000([0-9]+)\ue001")
SEPARATOR = "\x00"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_CACHED = 64  # renderings of one template, some 10 KB each
VALUE_NAMES = (*INVITATION_NAMES, *CHANGE_NAMES)


@dataclass(frozen=True, slots=True)
class PrerenderedPart:
    """One part of a mail without its values: a constant, a value's name, a constant, ...

    The constants have CRLF line ends. *slack* is how many octets the values may have together so
    that surely no line becomes longer than RFC 5322 allows; *lines* are those with values: the
    length of each without them, and their names. *has_dot_line* says whether a line of the
    constants begins with a dot, *line_starts* which values may begin a line.
    """

    constants: tuple[str, ...]
    names: tuple[str, ...]
    slack: int
    lines: tuple[tuple[int, tuple[str, ...]], ...]
    has_dot_line: bool
    line_starts: frozenset[str]

    @classmethod
    def split(cls, rendered: str) -> Self | None:
        """Split *rendered* at its markers; None where its own text may need an encoding."""
        lines = normalize_newlines(rendered)
        pieces = MARKER.split(lines.removesuffix("\n").replace("\n", "\r\n"))
        constants, names = pieces[::2], find_names(rendered)
        text = "".join(constants)
        if text.encode().translate(None, PLAIN + b"\r") or BOUNDARY_PREFIX in text:
            return None
        # The part begins on a line of its own, as if a line end came before it.
        before = [f"\r\n{constants[0]}", *constants[1:]]
        return cls(
            constants=tuple(constants),
            names=names,
            slack=MAX_LINE_OCTETS - max(map(len, MARKER.sub("", lines).split("\n"))),
            lines=tuple(
                (len(MARKER.sub("", line)), find_names(line))
                for line in lines.split("\n")
                if MARKER.search(line)
            ),
            has_dot_line=any("\r\n." in constant for constant in before),
            line_starts=frozenset(
                name for at, name in enumerate(names) if before[at].endswith("\r\n")
            ),
        )

    def fill(self, values: Mapping[str, str]) -> Body | None:
        """Return the body with *values* put in, encoded as `encode_body` does.

        None where a line could be too long.
        """
        filled = [values[name] for name in self.names]
        pieces = [""] * (2 * len(filled) + 1)
        pieces[::2], pieces[1::2] = self.constants, filled
        text = "".join(pieces)
        if not text.isascii():
            return Body(b"base64", encode_base64(f"{text}\r\n".encode()))
        if sum(map(len, filled)) > self.slack and not self._has_short_lines(values):
            return None
        return Body(b"7bit", text.encode())

    def _has_short_lines(self, values: Mapping[str, str]) -> bool:
        """Return whether no line becomes too long; a value of several lines may end each line."""
        longest = {
            name: len(value) if name != DESCRIPTION else max(map(len, value.split("\n")))
            for name, value in values.items()
        }
        return self.slack >= 0 and all(
            length + sum(longest[name] for name in names) <= MAX_LINE_OCTETS
            for length, names in self.lines
        )

    def may_have_dot_line(self, values: Mapping[str, str]) -> bool:
        return self.has_dot_line or any(values[name][0] == "." for name in self.line_starts)


@dataclass(frozen=True, slots=True)
class PrerenderedMail:
    """Both parts of the mails that share a template, a due time and which values are empty."""

    html: PrerenderedPart
    text: PrerenderedPart

    def fill(self, values: Mapping[str, str], boundary: bytes) -> Bodies | None:
        """Return the bodies with *values* put in.

        None for values that may need more care: then the mail is rendered and encoded as one.
        """
        joined, escaped = "".join(values.values()), values
        has_lines = not joined.isprintable()
        if BOUNDARY_PREFIX in joined:
            return None
        if has_lines and not are_printable_lines(joined, values.get(DESCRIPTION, "")):
            return None
        if "<" in joined or "&" in joined or ">" in joined or "'" in joined or '"' in joined:
            escaped = escape_all(values)
        if has_lines:
            escaped = with_line_end(escaped, f"{HTML_LINE_BREAK}\r\n")
            values = with_line_end(values, "\r\n")
        text, html = self.text.fill(values), self.html.fill(escaped)
        if text is None or html is None:
            return None
        has_dots = (
            (has_lines and "\n." in joined)
            or self.text.may_have_dot_line(values)
            or self.html.may_have_dot_line(escaped)
        )
        return Bodies(boundary, text, html, is_canonical=not has_dots)


def find_names(rendered: str) -> tuple[str, ...]:
    """Return the names of the values that *rendered* has markers for, in their order."""
    return tuple(VALUE_NAMES[int(number)] for number in MARKER.findall(rendered))


def are_printable_lines(joined: str, description: str) -> bool:
    """Return whether *joined*, all values, is printable but for the lines of *description*."""
    printable = joined.replace("\n", "").replace("\t", "")
    # No other value has line ends or tabs if there are no more of them than in the description.
    others = len(joined) - len(printable) - description.count("\n") - description.count("\t")
    return not others and printable.isprintable()


def escape_all(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return *values*, which are printable, as HTML: escaped at once, which takes a sixth."""
    escaped = str(escape(SEPARATOR.join(values.values()))).split(SEPARATOR)
    return dict(zip(values, escaped, strict=True))


def with_line_end(values: Mapping[str, str], line_end: str) -> Mapping[str, str]:
    """Return *values* with the line ends of one part; only a description has any."""
    return {**values, DESCRIPTION: values[DESCRIPTION].replace("\n", line_end)}


class Prerenderer:
    """The renderings of one template that qualifies, each made once and kept.

    *render* renders both parts, HTML first; *uses_due* says whether what it makes depends on the
    due time: if not, all mails with the same values present share one rendering.
    """

    def __init__(self, render: Callable[[Variables], tuple[str, str]], *, uses_due: bool) -> None:
        self._render = render
        self._uses_due = uses_due
        self._kept = lru_cache(maxsize=MAX_CACHED)(self._prerender)

    def find(
        self, values: Mapping[str, str], due: datetime, zone: ZoneInfo
    ) -> PrerenderedMail | None:
        """Return the rendering for mails with *values* that are due at *due*, shown in *zone*.

        *values* are those of NAMES, or of INVITATION_NAMES and perhaps changes, in the order of
        VALUE_NAMES. None where the template fails for them, or its own text needs an encoding.
        """
        present = tuple(map(bool, values.values()))
        return self._kept(present, due if self._uses_due else EPOCH, zone)

    def _prerender(
        self, present: tuple[bool, ...], due: datetime, zone: ZoneInfo
    ) -> PrerenderedMail | None:
        marked = [
            f"\ue000{number}\ue001" if is_present else ""
            for number, is_present in enumerate(present)
        ]
        variables: dict[str, Any] = dict(zip(NAMES, marked, strict=False))
        variables["due"] = due.astimezone(zone)
        if len(marked) > len(NAMES):
            variables[MEETING] = mark_meeting(marked[len(NAMES) :])
        try:
            html, text = self._render(cast("Variables", variables))
        except TEMPLATE_ERRORS:
            return None  # rendering it with the values says what is wrong
        parts = PrerenderedPart.split(html), PrerenderedPart.split(text)
        if parts[0] is None or parts[1] is None:
            return None
        return PrerenderedMail(parts[0], parts[1])


def list_meeting_texts(meeting: MeetingTexts) -> dict[str, str]:
    """Return the texts of *meeting* by the names that VALUE_NAMES has for them, in its order."""
    texts = (
        *(meeting.summary, meeting.when, meeting.start, meeting.end, meeting.zone),
        *(meeting.location, meeting.url, meeting.description, meeting.organizer, meeting.reason),
        "yes" if meeting.is_removal else "",
    )
    values = dict(zip(MEETING_NAMES, texts, strict=True))
    if meeting.changes:
        of_changes = [
            text for each in meeting.changes for text in (each.name, each.label, each.old, each.new)
        ]
        values |= dict(zip(CHANGE_NAMES, of_changes, strict=False))
    return values


def mark_meeting(marked: Sequence[str]) -> MeetingTexts:
    """Return a meeting with a marker for each text; no template that qualifies uses its times."""
    texts = dict(zip(MEETING_TEXTS, marked, strict=False))
    is_removal, *of_changes = marked[len(MEETING_TEXTS) :]
    step = len(CHANGE_TEXTS)
    changes = [of_changes[at : at + step] for at in range(0, len(of_changes), step)]
    return MeetingTexts(
        **texts,
        start_time=EPOCH,
        end_time=EPOCH,
        changes=tuple(Change(**dict(zip(CHANGE_TEXTS, each, strict=True))) for each in changes),
        is_removal=bool(is_removal),
    )
