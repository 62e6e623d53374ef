"""What an update of a meeting changes, as templates show it: texts of one line each."""

from collections.abc import Iterator
from os.path import commonprefix

from msgspec import Struct

from gcsched.domain.meeting import MeetingRevision, Person

MAX_EXCERPT_LENGTH = 160
MAX_CONTEXT_LENGTH = 40  # characters before the first difference
MAX_NAMES = 10
CUT = "..."


class Change(Struct, frozen=True, kw_only=True):
    """One thing that changed. An *old* of "" means that it is new, a *new* of "" that it is gone.

    *name* is the text of the meeting that it is about, as templates call it.
    """

    name: str
    label: str
    old: str = ""
    new: str = ""


def describe_changes(
    earlier: MeetingRevision, revision: MeetingRevision, *, old_time: str, new_time: str
) -> tuple[Change, ...]:
    """Return what *revision* changes for a recipient who was told *earlier*.

    The times are in words. Empty if the two differ in nothing that a mail shows.
    """
    pairs = (
        ("summary", "Title", earlier.summary, revision.summary),
        ("when", "When", old_time, new_time),
        ("location", "Where", earlier.location, revision.location),
        ("url", "Link", earlier.url, revision.url),
        ("description", "Description", *find_excerpts(earlier.description, revision.description)),
        ("guests", "Also invited", "", list_new_guests(earlier.guests, revision.guests)),
    )
    return tuple(
        Change(name=name, label=label, old=old, new=new)
        for name, label, old, new in pairs
        if old != new
    )


def find_excerpts(old: str, new: str) -> tuple[str, str]:
    """Return both texts in one line each, from shortly before the place where they differ."""
    old, new = " ".join(old.split()), " ".join(new.split())
    start = len(commonprefix((old, new)))
    begin = max(start - MAX_CONTEXT_LENGTH, 0)
    if begin and (space := old.find(" ", begin, start)) >= 0:
        begin = space + 1
    return cut_excerpt(old, begin), cut_excerpt(new, begin)


def cut_excerpt(text: str, begin: int) -> str:
    """Return *text* from *begin* on, cut after a word; dots stand for what is left out."""
    piece = text[begin:]
    if len(piece) > MAX_EXCERPT_LENGTH:
        piece = piece[:MAX_EXCERPT_LENGTH]
        piece = f"{piece.rpartition(' ')[0] or piece}{CUT}"
    return f"{CUT}{piece}" if begin else piece


def list_new_guests(earlier: tuple[Person, ...], guests: tuple[Person, ...]) -> str:
    """Return the names of those *guests* who were not there *earlier*.

    A list that was hidden earlier has no news in it.
    """
    known = {each.email for each in earlier}
    new = [each.name or each.email for each in guests if each.email not in known]
    return ", ".join(shorten_list(new)) if earlier else ""


def shorten_list(names: list[str]) -> Iterator[str]:
    yield from names[:MAX_NAMES]
    if (more := len(names) - MAX_NAMES) > 0:
        yield f"and {more} more"
