"""Decides about each request before a page sees it: its host, its origin, its login, its scope."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import timedelta

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gcsched.domain.access import ANYONE, Client, check_scope
from gcsched.domain.refusal import Refusal, RefusalReason
from gcsched.errors import GcschedError, InternalError, ScopeMissing, StoreUnavailable
from gcsched.web.console import cookies
from gcsched.web.console.call import Call
from gcsched.web.console.installation import Installation
from gcsched.web.console.pages import errors
from gcsched.web.console.preferences import parse_preferences
from gcsched.web.console.problems import (
    BodyTooLarge,
    ForeignOrigin,
    LoginNeeded,
    ServiceStarting,
    UnknownPage,
    WrongMethod,
)
from gcsched.web.console.routing import OPEN, Kind, Route
from gcsched.web.console.security import HEADERS, PLAIN_REFERRER, SAFE_METHODS, is_same_origin
from gcsched.web.console.session import Session, find_client

CONSOLE = "console"
"""The act of having a login: each page needs its scope, beside that of its own act."""
CALL: ContextVar[Call] = ContextVar("CALL")
"""The call of the current request: the middleware and the handler run in one task."""
ANSWER_MARGIN = timedelta(seconds=0.2)
"""For the answer: a use case that ends by itself has a better error than the guard."""
HTTP_ERRORS: dict[type[web.HTTPException], Callable[[], GcschedError]] = {
    web.HTTPNotFound: UnknownPage,
    web.HTTPMethodNotAllowed: WrongMethod,
    web.HTTPRequestEntityTooLarge: BodyTooLarge,
}
UNKNOWN_HOST = (
    "This is a gcsched console, but not under this host. Open it under the address that its"
    " operator has set, or set GCSCHED_CONSOLE_ORIGIN to this one.\n"
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Guard:
    """Lets requests through to the routes, each with a Call; it never looks at a path to decide."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def make_middleware(self) -> Middleware:
        """Return the middleware of every request, also of those that no route answers."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            hosts = request.headers.getall("Host", [])
            if len(hosts) != 1 or not self._installation.addresses.is_own(hosts[0]):
                return harden(web.Response(status=421, text=UNKNOWN_HOST))
            CALL.set(call := self._identify(request))
            response = await self._answer(call, handler)
            for name, value in call.cookies.items():
                cookies.write_cookie(response, request, name, value, self._installation.addresses)
            if not self._installation.addresses.is_trustworthy(request.host):
                response.headers.setdefault("Referrer-Policy", PLAIN_REFERRER)
            return harden(response)

        return check

    def guard(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return the handler of *route*: the only way to it leads through its scopes."""

        async def serve(request: web.Request) -> web.StreamResponse:
            call = CALL.get()
            call.address = route.path
            call.page_of_act = route.page.format_map(request.match_info)
            if route.kind is not Kind.FILE:
                self._check_running()
            if route.act != OPEN:
                self._authorize(call, route)
            if route.kind is not Kind.ACT:
                return await self._run(call, route)
            with self._installation.acts.begin():
                return await self._run(call, route)

        return serve

    async def _run(self, call: Call, route: Route) -> web.StreamResponse:
        call.within, start = route.within - ANSWER_MARGIN, time.perf_counter()
        try:
            async with asyncio.timeout(route.within.total_seconds()):
                return await route.handler(call)
        except TimeoutError as error:
            raise StoreUnavailable("answering a page") from error
        finally:
            self._installation.metrics.observe(route.path, time.perf_counter() - start)

    def _identify(self, request: web.Request) -> Call:
        """Return the call of *request*, with the client whose login it carries."""
        addresses = self._installation.addresses
        call = Call(
            request=request,
            installation=self._installation,
            preferences=parse_preferences(cookies.read_cookie(request, cookies.VIEW, addresses)),
        )
        services = self._installation.services
        if services is None:
            return call
        if services.access is None:
            call.client = ANYONE
            return call
        sessions = self._installation.sessions
        session = sessions.read(cookies.read_cookie(request, cookies.LOGIN, addresses))
        client = None if session is None else find_client(session, services.access)
        if session is not None and client is not None:
            call.client, call.session = client, session
            self._renew(call, session)
        return call

    def _renew(self, call: Call, session: Session) -> None:
        """Count an opened page as activity; a page that refreshes by itself is not one."""
        if not call.is_refresh and (renewed := self._installation.sessions.renew(session)):
            call.cookies[cookies.LOGIN] = renewed

    async def _answer(self, call: Call, handler: Handler) -> web.StreamResponse:
        """Return the answer of *handler*, or the page of its error."""
        try:
            self._check_origin(call)
            return await handler(call.request)
        except GcschedError as error:
            return errors.show(call, error)
        except web.HTTPException as error:
            known = HTTP_ERRORS.get(type(error))
            if known is None:
                raise
            return errors.show(call, known())
        except Exception:
            log.exception("page failed", page=call.address)
            return errors.show(call, InternalError())

    def _check_origin(self, call: Call) -> None:
        request = call.request
        if request.method in SAFE_METHODS:
            return
        is_ours = is_same_origin(
            request.headers.getall("Sec-Fetch-Site", []),
            request.headers.getall("Origin", []),
            own_origin=self._installation.addresses.origin_of(request.host),
            has_cookie="Cookie" in request.headers,
        )
        if not is_ours:
            raise ForeignOrigin

    def _check_running(self) -> None:
        if self._installation.services is None:
            report = self._installation.readiness.report()
            raise ServiceStarting(report.reason or "it is starting")

    def _authorize(self, call: Call, route: Route) -> None:
        if not call.is_logged_in:
            raise LoginNeeded
        try:
            check_scope(call.client, CONSOLE)
            check_scope(call.client, route.act)
        except ScopeMissing:
            self._record_refusal(call.client, route, call.request)
            raise
        call.services.check_call(call.client)

    def _record_refusal(self, client: Client, route: Route, request: web.Request) -> None:
        access = self._installation.services and self._installation.services.access
        if access:
            access.record_refusal(
                Refusal(RefusalReason.SCOPE, client.name),
                method=f"console {route.act}",
                peer=lambda: request.remote or "",
            )


def harden(response: web.StreamResponse) -> web.StreamResponse:
    """Return *response* with the headers of all answers."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
