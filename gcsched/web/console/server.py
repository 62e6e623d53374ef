"""The listener of the console."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import web

from gcsched.web.connection_limiter import ConnectionLimiter
from gcsched.web.console.guard import Guard
from gcsched.web.console.installation import Installation
from gcsched.web.console.routes import ROUTES
from gcsched.web.server import serve_application, track_answers

MAX_BODY = 64 * 1024
"""As large as a call of gRPC may be."""


def build_application(installation: Installation, limiter: ConnectionLimiter) -> web.Application:
    """Return the application: one middleware for all requests, and the routes of the table."""
    guard = Guard(installation)
    app = web.Application(
        middlewares=[track_answers(limiter), guard.make_middleware()], client_max_size=MAX_BODY
    )
    for route in ROUTES:
        app.router.add_route(route.method, match_any_text(route.path), guard.guard(route))
    return app


def match_any_text(path: str) -> str:
    """Return *path* as aiohttp takes it, whose own names in braces match no text with braces."""
    return path.replace("}", ":[^/]+}")


@asynccontextmanager
async def serve_console(
    installation: Installation,
    *,
    listen: str,
    limiter: ConnectionLimiter,
    tls: Callable[[], ssl.SSLContext | None],
) -> AsyncIterator[int]:
    """Serve the console on *listen* and yield the port. Raises CannotListen."""
    app = build_application(installation, limiter)
    async with serve_application(
        app, listen=listen, setting="GCSCHED_CONSOLE_LISTEN", limiter=limiter, tls=tls
    ) as port:
        installation.addresses = replace(installation.addresses, port=port)
        yield port
