"""Browsers of the console: real requests, with the headers and the cookies that a browser sends."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

import aiohttp
from aiohttp import FormData
from lxml import html as parser
from yarl import URL

from gcsched.pb import task_pb2
from tests.support.clients import TestToken, client_toml, make_token, write_clients
from tests.support.in_process_app import RunningApp, make_settings, running_app
from tests.support.service_process import scheduler_stub

REFRESH = {"HX-Request": "true", "HX-Target": "live"}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the console has answered."""

    status: int
    headers: Mapping[str, str]
    text: str
    set_cookies: tuple[str, ...] = ()

    @property
    def tree(self) -> parser.HtmlElement:
        return parser.fromstring(self.text)

    @property
    def words(self) -> str:
        """The text that a person reads in the page's content, on one line."""
        [main] = self.tree.cssselect("main") or [self.tree]
        return " ".join(main.text_content().split())

    def find(self, selector: str) -> list[parser.HtmlElement]:
        return list(self.tree.cssselect(selector))

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")


@dataclass(kw_only=True)
class Browser:
    """One browser at *base*, the address of the first page, without its last slash."""

    session: aiohttp.ClientSession
    base: str
    headers: dict[str, str] = field(default_factory=dict)

    async def request(
        self, method: str, path: str, *, data: object = None, **headers: str
    ) -> Answer:
        """Send a request with just these headers (`Sec_Fetch_Site` for `Sec-Fetch-Site`)."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(
            method,
            URL(f"{self.base}{path}", encoded=True),
            data=data,
            headers=self.headers | given,
            allow_redirects=False,
        ) as answer:
            return Answer(
                status=answer.status,
                headers=answer.headers,
                text=await answer.text(),
                set_cookies=tuple(answer.headers.getall("Set-Cookie", [])),
            )

    async def open(self, path: str, **headers: str) -> Answer:
        """Open a page."""
        return await self.request("GET", path, **headers)

    async def refresh(self, path: str, etag: str = "") -> Answer:
        """Ask for the part of a page that refreshes, as its script does."""
        known = {"If-None-Match": etag} if etag else {}
        return await self.request("GET", path, **REFRESH, **known)

    async def send(
        self, path: str, fields: Mapping[str, str] | Iterable[tuple[str, str]] | None = None
    ) -> Answer:
        """Send a form of a page; several values of one field are pairs with the same name."""
        pairs = fields.items() if isinstance(fields, Mapping) else fields or ()
        return await self.request("POST", path, data=FormData(list(pairs)), **SAME_ORIGIN)

    async def log_in(self, token: TestToken) -> Answer:
        return await self.send("/login", {"token": token.text})

    def follow(self, answer: Answer, path: str) -> str:
        """Return the path to which *answer* to a request of *path* sends the browser."""
        return str(
            URL(f"{self.base}{path}", encoded=True)
            .join(URL(answer.location, encoded=True))
            .raw_path_qs
        )


def read_form(answer: Answer, action: str) -> list[tuple[str, str]]:
    """Return what a browser sends of the form of *answer* whose action ends in *action*."""
    [form] = [each for each in answer.find("main form") if each.get("action").endswith(action)]
    return [(name, value) for name, value in form.form_values() if value is not None]


@asynccontextmanager
async def open_browser(base: str, tls: SSLContext | None = None) -> AsyncIterator[Browser]:
    """Yield a browser without cookies; with *tls* it trusts a certificate of a test."""
    connector = aiohttp.TCPConnector(ssl=tls if tls is not None else True)
    jar = aiohttp.CookieJar(unsafe=True)  # an address is as good as a name
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:
        yield Browser(session=session, base=base)


@dataclass(kw_only=True)
class ConsoleClients:
    """A clients file with a client for each set of scopes that a test asks for."""

    file: Path
    tokens: dict[str, TestToken] = field(default_factory=dict)
    _tables: dict[str, str] = field(default_factory=dict)

    def add(self, *scopes: str, name: str = "", lines: tuple[str, ...] = ()) -> TestToken:
        """Add a client with *scopes*, by default named after them; return its token."""
        name = name or "-".join(scopes)
        self.tokens[name] = token = make_token()
        self._tables[name] = client_toml(name, scopes, token, lines=lines)
        self.write()
        return token

    def give(self, name: str, scopes: list[str]) -> None:
        """Replace the scopes of the client *name*, whose token stays."""
        self._tables[name] = client_toml(name, scopes, self.tokens[name])
        self.write()

    def remove(self, name: str) -> None:
        del self._tables[name]
        self.write()

    def write(self) -> None:
        write_clients(self.file, *self._tables.values())


def find_base(app: RunningApp, *, host: str = "127.0.0.1", scheme: str = "http") -> str:
    """Return the address of the first page, without its last slash."""
    return f"{scheme}://{host}:{app.resources.console.port}"


@asynccontextmanager
async def running_console(
    *, mongo: str, redis: str, relay_port: int | str = 9, **settings: str
) -> AsyncIterator[RunningApp]:
    """Run the application with a console during the block; without a clients file it is open."""
    found = make_settings(
        mongo=mongo,
        redis=redis,
        relay_port=int(relay_port),
        **{"console_listen": "127.0.0.1:0", **settings},
    )
    async with running_app(found) as app:
        yield app


async def empty(app: RunningApp, admin: TestToken | None = None) -> None:
    """Delete what an earlier test has left in the stores of *app*, and end its pause.

    *admin* is the token of a client with all scopes, where access is controlled.
    """
    mongo = app.resources.mongo
    if await mongo.runs.find_one({"_id": "pause"}) is not None:
        async with scheduler_stub(app.target) as stub:
            metadata = admin.bearer if admin else None
            await stub.ResumeSending(task_pb2.ResumeSendingRequest(), metadata=metadata)
    for collection in (mongo.jobs, mongo.recipients, mongo.suppressions, mongo.usage, mongo.audit):
        await collection.delete_many({})
