"""How the states of jobs look: a glyph, and the name of a colour beside the word. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from gcsched.domain.job import State


class StateMark(NamedTuple):
    """A *glyph*, and the CSS class of a *colour*: a state never shows by its colour alone."""

    glyph: str
    colour: str


STATE_MARKS: Mapping[str, StateMark] = {
    State.QUEUED: StateMark("\u25cb", "waiting"),
    State.SCHEDULED: StateMark("\u25cb", "waiting"),
    State.SENDING: StateMark("\u25d0", "sending"),
    State.RETRYING: StateMark("\u21bb", "retrying"),
    State.UNCERTAIN: StateMark("?", "uncertain"),
    State.SENT: StateMark("\u2713", "sent"),
    State.FAILED: StateMark("\u2715", "failed"),
    State.CANCELLED: StateMark("\u2013", "cancelled"),
    State.EXPIRED: StateMark("\u25f7", "expired"),
    State.SUPPRESSED: StateMark("\u2298", "suppressed"),
}
