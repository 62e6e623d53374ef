"""The permit that a fence gives: until when a body may begin, and with which date."""

from datetime import datetime
from typing import NamedTuple


class Permit(NamedTuple):
    """The right to write a body with *date*, a whole second, in its Date header.

    The body must begin by *until*, a moment of ``time.monotonic()``.
    """

    until: float
    date: datetime
