"""The HTTP server: metrics, and probes in text or JSON."""

import asyncio
import logging
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from gcsched.process.listening import make_listen_error
from gcsched.web.connection_limiter import ConnectionLimiter, ProtocolFactory
from gcsched.web.readiness import Readiness
from gcsched.web.tls import secure

NOT_FOUND = "Not found. Use /metrics, /livez, /servez or /readyz.\n"
SHUTDOWN_SECONDS = 1.0
ALL_ADDRESSES = "::"
CLIENT_ERRORS = (HttpProcessingError, web.RequestPayloadError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The handlers. None of them waits, so they respond as fast when all stores are away."""

    registry: CollectorRegistry
    readiness: Readiness

    async def metrics(self, _: web.Request) -> web.Response:
        text = generate_latest(self.registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def livez(self, _: web.Request) -> web.Response:
        failure = self.readiness.failure
        if failure is not None:
            return web.Response(text=f"{failure}\n", status=503)
        return web.Response(text="ok\n")

    async def servez(self, _: web.Request) -> web.Response:
        reason = self.readiness.why_not_serving()
        if reason is not None:
            return web.Response(text=f"{reason}\n", status=503)
        return web.Response(text="ok\n")

    async def readyz(self, _: web.Request) -> web.Response:
        report = self.readiness.report()
        body = {
            "status": report.status.value,
            "dependencies": report.dependencies,
            "tasks": report.tasks,
        }
        if report.reason is not None:
            body["reason"] = report.reason
        return web.json_response(body, status=200 if report.is_ready else 503)


class ServerErrorLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs errors of this server; those of clients that do not speak HTTP at level debug.

    A gRPC or TLS client would cause a traceback each time it connects again.
    """

    def log(self, level: int, msg: object, *args: Any, **more: Any) -> None:
        exc_info = more.get("exc_info")
        error = exc_info if isinstance(exc_info, BaseException) else sys.exception()
        super().log(
            logging.DEBUG if isinstance(error, CLIENT_ERRORS) else level, msg, *args, **more
        )


def without_tls() -> None:
    """Return None: the TLS context of a listener without TLS."""


@asynccontextmanager
async def serve_http(
    endpoints: Endpoints,
    *,
    listen: str,
    limiter: ConnectionLimiter,
    tls: Callable[[], ssl.SSLContext | None] = without_tls,
) -> AsyncIterator[int]:
    """Serve *endpoints* on *listen* (``host:port``) and yield the port. Raises CannotListen.

    *limiter* limits the number of connections, and how long each may go without a response. *tls*
    returns the context of the next connection.
    """
    app = web.Application(middlewares=[track_answers(limiter), explain_not_found])
    app.router.add_get("/metrics", endpoints.metrics)
    app.router.add_get("/livez", endpoints.livez)
    app.router.add_get("/servez", endpoints.servez)
    app.router.add_get("/readyz", endpoints.readyz)
    async with serve_application(
        app, listen=listen, setting="GCSCHED_HTTP_LISTEN", limiter=limiter, tls=tls
    ) as port:
        yield port


@asynccontextmanager
async def serve_application(
    app: web.Application,
    *,
    listen: str,
    setting: str,
    limiter: ConnectionLimiter,
    tls: Callable[[], ssl.SSLContext | None],
) -> AsyncIterator[int]:
    """Serve *app* on *listen*, which *setting* names, and yield the port. Raises CannotListen."""
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=ServerErrorLogger(server_logger),
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        # Not a TCPSite, whose connections the limiter would not see.
        plain = limiter.wrap(cast("ProtocolFactory", runner.server))
        server = await start_listening(secure(plain, limiter, tls), listen, setting)
        with closing(server):
            yield int(server.sockets[0].getsockname()[1])
    finally:
        limiter.stop()
        await runner.cleanup()


async def start_listening(factory: ProtocolFactory, listen: str, setting: str) -> asyncio.Server:
    """Listen on ``host:port``, which *setting* names. Raises CannotListen."""
    address = urlsplit(f"//{listen}")
    # For all addresses None, which includes IPv4, as in gRPC.
    host = None if address.hostname == ALL_ADDRESSES else address.hostname
    try:
        return await asyncio.get_running_loop().create_server(factory, host, address.port or 0)
    except (OSError, UnicodeError) as error:
        raise make_listen_error(error, listen, setting) from error


def track_answers(limiter: ConnectionLimiter) -> Middleware:
    """Return a middleware that reports to *limiter* each complete request that was answered."""

    @web.middleware
    async def track(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        finally:
            # A body that has not arrived completely is not a request: it must not reset the limit.
            if request.content.is_eof():
                limiter.mark_answered(request.transport)

    return track


@web.middleware
async def explain_not_found(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the existing paths in the response to any other path."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404, text=NOT_FOUND)
