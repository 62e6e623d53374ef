"""What a call does about the mails to each attendee, for the answer to the call. Pure."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from gcsched.domain.meeting_mail import Purpose


class What(StrEnum):
    """What happens to a mail."""

    NOTHING = "NOTHING"  #: The attendee has the latest word, or surely has none to correct.
    MAKES = "MAKES"  #: A mail is made.
    CHANGES = "CHANGES"  #: A mail that waits shows the new content instead.
    CANCELS = "CANCELS"  #: A mail that waits is cancelled.


class Effect(Struct, frozen=True, kw_only=True):
    """What happens to the mails of one *purpose* to one attendee.

    *in_flight* counts the mails with older content that could not be held back: their bodies had
    begun.
    """

    email: str
    purpose: Purpose
    what: What = What.NOTHING
    count: int = 0
    in_flight: int = 0


def combine_effects(first: Sequence[Effect], last: Sequence[Effect]) -> Sequence[Effect]:
    """Return the effects of a call whose *first* plan says what it does, and *last* what it met.

    What had begun is known after all that waited has been held back: in the last plan.
    """
    raise NotImplementedError
