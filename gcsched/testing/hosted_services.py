"""Both stores, and one service at a time on them: the process behind `gcsched_service`.

It reads one JSON object per line and answers each with one: `{"mails": FOLDER, "environ": {…}}`
starts a service, `{}` stops it; an answer has `target` or `error`. It ends with its standard input,
so it does not outlive the tests. A process of its own: gRPC's asyncio server shares a poller with
the loops of the tests, and the stores end with the thread that started them.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gcsched import app, logs
from gcsched.config.settings import Settings, find_unknown_names
from gcsched.dev.mail_catcher import CaughtMail, run_mail_catcher
from gcsched.dev.settings import DevEndpoints, find_ignored, load_dev_settings
from gcsched.dev.stores.emptying import empty_stores
from gcsched.dev.stores.stores import EmbeddedStores, run_embedded_stores
from gcsched.errors import GcschedError, SettingsProblems
from gcsched.process.descriptors import raise_limit

FREE_PORT = "127.0.0.1:0"
Order = Mapping[str, Any]


class Orders:
    """The orders on standard input, and the answers on standard output."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines

    @classmethod
    async def open(cls) -> "Orders":
        lines = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(lines)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        return cls(lines)

    async def read(self) -> Order | None:
        """Return the next order, None at the end of the input."""
        line = await self._lines.readline()
        order: Order | None = json.loads(line) if line else None
        return order

    def answer(self, **values: str) -> None:
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()


async def host_services(folder: Path) -> None:
    """Run the stores in *folder*, and a service for each order, until the input ends."""
    orders = await Orders.open()
    try:
        async with run_disposable_stores(folder) as stores:
            orders.answer()
            while (order := await orders.read()) is not None:
                await serve_order(order, stores, orders)
    except GcschedError as error:
        orders.answer(error=str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # pytest cannot, if it was killed


@asynccontextmanager
async def run_disposable_stores(folder: Path) -> AsyncIterator[EmbeddedStores]:
    """Run both stores, and kill them at the end: their data are not needed any more."""
    async with run_embedded_stores(folder) as stores:
        try:
            yield stores
        finally:
            stores.mongod.child.kill()
            stores.valkey.child.kill()


async def serve_order(order: Order, stores: EmbeddedStores, orders: Orders) -> None:
    """Run the service of *order* until the next order; answer its start and its end."""
    await asyncio.to_thread(empty_stores, stores.mongod.uri, stores.valkey.url)
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    service = asyncio.create_task(run_service(order, stores, stop, port), name="service")
    await asyncio.wait({service, port}, return_when=asyncio.FIRST_COMPLETED)
    if not port.done():
        orders.answer(error=await find_error(service))
        return
    orders.answer(target=f"127.0.0.1:{port.result()}")
    await orders.read()
    stop.set()
    orders.answer(error=await find_error(service))


async def find_error(service: asyncio.Task[None]) -> str:
    """Wait for the end of *service*; return what is wrong, "" if nothing is."""
    try:
        await service
    except GcschedError as error:
        return str(error)
    return ""


async def run_service(
    order: Order, stores: EmbeddedStores, stop: asyncio.Event, port: asyncio.Future[int]
) -> None:
    """Run a service with its own mail catcher until *stop*; *port* gets its port."""
    folder, environ = Path(order["mails"]), order["environ"]
    async with run_mail_catcher(folder, ignore_mail, now=app.utc_now) as smtp_port:
        endpoints = DevEndpoints(
            mongo_uri=stores.mongod.uri,
            redis_url=stores.valkey.url,
            smtp_port=smtp_port,
            grpc_listen=FREE_PORT,
            http_listen=FREE_PORT,
        )
        settings = load_test_settings(environ, endpoints)
        async with app.open_resources(settings) as resources:
            await app.wait_for_store(resources, stop)
            await app.run(
                settings, resources, stop, on_serving=lambda _, number: port.set_result(number)
            )


def ignore_mail(_: CaughtMail) -> None:
    """Leave the mail to the tests, which read its file."""


def load_test_settings(environ: Mapping[str, str], endpoints: DevEndpoints) -> Settings:
    """Return the settings of a test. Raises SettingsProblems, also for a name without effect."""
    without_effect = [*find_unknown_names(environ), *find_ignored(environ)]
    if without_effect:
        raise SettingsProblems([f"{name} has no effect here" for name in without_effect])
    return load_dev_settings(environ, endpoints)


def run(folder: Path) -> None:
    """Serve the orders on standard input, with the stores in *folder*, until it ends."""
    raise_limit()
    logs.configure("json", "WARNING", sys.stderr)
    asyncio.run(host_services(folder))
