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


class RouteKind(Enum):
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
    kind: RouteKind = RouteKind.PAGE
    page: str = ""
    within: timedelta = READ_WITHIN


def of_page(
    page: str, path: str, act: str, handler: Handler, *, within: timedelta = READ_WITHIN
) -> Route:
    """Return the route of a form of *page*, which may be sent to an address of its own."""
    return Route(
        method="POST",
        path=path,
        act=act,
        handler=handler,
        kind=RouteKind.ACT,
        page=page,
        within=within,
    )


def of_one(page: str, name: str, act: str, handler: Handler) -> Route:
    """Return the route of the act *name* on what *page* shows."""
    return of_page(page, f"{page}/{name}", act, handler)
