"""What an update of a meeting changes, as templates show it: texts of one line each."""

from msgspec import Struct

from gcsched.domain.meeting import MeetingRevision

MAX_EXCERPT_LENGTH = 160
MAX_CONTEXT_LENGTH = 40  # characters before the first difference
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
    """Return what *revision* changes for a recipient who knows *earlier*.

    The times are in words. Empty if the two differ in nothing that a mail shows.
    """
    pairs = (
        ("summary", "Title", earlier.summary, revision.summary),
        ("when", "When", old_time, new_time),
        ("location", "Where", earlier.location, revision.location),
        ("url", "Link", earlier.url, revision.url),
        ("description", "Description", *find_excerpts(earlier.description, revision.description)),
    )
    return tuple(
        Change(name=name, label=label, old=old, new=new)
        for name, label, old, new in pairs
        if old != new
    )


def find_excerpts(old: str, new: str) -> tuple[str, str]:
    """Return both texts in one line each, from shortly before the place where they differ.

    They are equal only if the texts differ in nothing but white space.
    """
    old, new = " ".join(old.split()), " ".join(new.split())
    pairs = enumerate(zip(old, new, strict=False))
    place = next((at for at, (a, b) in pairs if a != b), min(len(old), len(new)))
    begin = max(place - MAX_CONTEXT_LENGTH, 0)
    if begin and (space := old.find(" ", begin, place)) >= 0:
        begin = space + 1
    return cut_excerpt(old, begin, place), cut_excerpt(new, begin, place)


def cut_excerpt(text: str, begin: int, place: int) -> str:
    """Return *text* from *begin* to the end of a word; dots stand for what is left out."""
    end = begin + MAX_EXCERPT_LENGTH
    if len(text) > end and (space := text.rfind(" ", place + 1, end)) >= 0:
        end = space
    before, after = CUT if begin else "", CUT if len(text) > end else ""
    return f"{before}{text[begin:end]}{after}"
