"""The permit that a fence gives: until when a body may be begun, and which date it has."""

from datetime import datetime
from typing import NamedTuple


class Permit(NamedTuple):
    """Leave to begin a body with *date* in its Date header, a whole second.

    *until* is a moment of ``time.monotonic()``: it may be begun until then, not later.
    """

    until: float
    date: datetime
