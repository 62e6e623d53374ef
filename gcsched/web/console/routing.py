"""What the table of routes consists of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from aiohttp import web

from gcsched.web.console.call import Call

READ_WITHIN = timedelta(seconds=10)
"""As much time as a call of gRPC has."""
CHANGE_MANY_WITHIN = timedelta(seconds=60)

Handler = Callable[[Call], Awaitable[web.StreamResponse]]


class Kind(Enum):
    """What an address answers with; errors and limits depend on it."""

    PAGE = auto()  #: A page, or the part of it that a refresh asks for.
    ACT = auto()  #: A form that changes something.
    FILE = auto()  #: A file of the console, the same for everyone.


OPEN = ""
"""The *act* of a route that needs no login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One address of the console: which scope it needs, and what answers it.

    *act* is the method of the contract that does the same; domain/access.py has its scopes. *page*
    is the address of the page that an act belongs to, with the same names in braces.
    """

    method: str
    path: str
    act: str
    handler: Handler
    kind: Kind = Kind.PAGE
    page: str = "/"
    within: timedelta = READ_WITHIN


def of_page(page: str, path: str, act: str, handler: Handler) -> Route:
    """Return the route of a form of *page*."""
    return Route(method="POST", path=path, act=act, handler=handler, kind=Kind.ACT, page=page)
