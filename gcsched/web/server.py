"""The HTTP server: metrics and probes, each in text or JSON."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from gcsched.errors import AddressInUse
from gcsched.web.readiness import Readiness

NOT_FOUND = "Nothing is here. There are /metrics, /livez and /readyz.\n"
TO_FINISH_SECONDS = 1.0
EVERYWHERE = "::"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What is answered. Nothing here waits for anybody, so it costs the same when all is away."""

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

    async def readyz(self, _: web.Request) -> web.Response:
        report = self.readiness.report()
        told = {
            "status": report.status.value,
            "dependencies": report.dependencies,
            "parts": report.parts,
        }
        if report.reason is not None:
            told["reason"] = report.reason
        return web.json_response(told, status=200 if report.is_ready else 503)


@asynccontextmanager
async def serving_http(pages: Pages, *, listen: str) -> AsyncIterator[int]:
    """Serve *pages* on *listen* (``host:port``) and give the port; raises AddressInUse."""
    place = urlsplit(f"//{listen}")
    app = web.Application(middlewares=[in_words])
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/livez", pages.livez)
    app.router.add_get("/readyz", pages.readyz)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=TO_FINISH_SECONDS)
    await runner.setup()
    try:
        host = None if place.hostname == EVERYWHERE else place.hostname  # IPv4, too, as gRPC does
        try:
            await web.TCPSite(runner, host, place.port).start()
        except OSError as error:
            raise AddressInUse(listen, "GCSCHED_HTTP_LISTEN") from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@web.middleware
async def in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say where something is to whoever asks for what is not."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404, text=NOT_FOUND)
