"""Each route: without a login, with one that is over, without its scope, from elsewhere; by TLS."""

import re
import ssl
from collections.abc import AsyncIterator, Collection, Iterator

import pytest
import pytest_asyncio
import trustme

from gcsched.domain.access import SCOPES, Scope
from gcsched.web.console.routes import ROUTES
from gcsched.web.console.routing import OPEN, Route
from tests.support.certificates import issue, write_pair
from tests.support.console import (
    SAME_ORIGIN,
    Answer,
    Browser,
    ConsoleClients,
    find_base,
    open_browser,
    running_console,
)
from tests.support.console_cookies import HOUR, KEY, parse_set_cookie, sign_login
from tests.support.stores import Databases, flush, with_number

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
UNKNOWN = [
    *(("GET", "/nothing"), ("POST", "/nothing"), ("DELETE", "/"), ("OPTIONS", "/"), ("PUT", "/")),
    *(("GET", "//"), ("GET", "/%2e%2e/"), ("GET", "/static/"), ("GET", "/static/..%2fserver.py")),
    *(("POST", "/%72esume/x"), ("POST", "/RESUME"), ("TRACE", "/"), ("PATCH", "/login")),
]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module", params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def settings(
    scheme: str, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    if scheme == "http":
        return {"console_key": KEY}
    pair = write_pair(tmp_path_factory.mktemp("tls"), issue(authority, "localhost", "127.0.0.1"))
    files = {"console_tls_cert_file": pair.chain, "console_tls_key_file": pair.key}
    return {"console_key": KEY, **{name: str(file) for name, file in files.items()}}


@pytest.fixture(scope="module")
def walked_clients(tmp_path_factory: pytest.TempPathFactory) -> ConsoleClients:
    found = ConsoleClients(file=tmp_path_factory.mktemp("clients") / "clients.toml")
    for scope in ("read", "admin", "schedule"):
        found.add(scope)
    for needed in {frozenset(SCOPES[each.act]) for each in find_closed_routes()}:
        others = [each for each in Scope if each not in needed | {Scope.ADMIN}]
        found.add(*others, name=name_client("all but", needed))
        for one in needed:
            found.add(*{Scope.READ, one}, name=name_client("just", {one}))
    return found


def name_client(which: str, scopes: Collection[Scope]) -> str:
    return "-".join([*which.split(), *sorted(scopes)])


@pytest.fixture(scope="module")
def stores(
    databases: Databases, redis_server: str, redis_numbers: Iterator[int]
) -> Iterator[dict[str, str]]:
    redis = with_number(redis_server, next(redis_numbers))
    flush(redis)
    with databases.lend() as mongo:
        yield {"mongo": mongo, "redis": redis}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walker(
    stores: dict[str, str],
    walked_clients: ConsoleClients,
    settings: dict[str, str],
    authority: trustme.CA,
    scheme: str,
) -> AsyncIterator["Walker"]:
    """Yield a walker of a console with logins, the same for all tests: they change nothing."""
    trusting = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    prefix = "__Host-" if scheme == "https" else ""
    async with running_console(
        mongo=stores["mongo"],
        redis=stores["redis"],
        clients_file=str(walked_clients.file),
        **settings,
    ) as app:
        cookie = f"{prefix}gcsched-login-{app.resources.console.port}"
        async with open_browser(find_base(app, scheme=scheme), trusting) as browser:
            yield Walker(browser, walked_clients, cookie)


class Walker:
    """Sends requests to each route, and checks what each answer must have."""

    def __init__(self, browser: Browser, clients: ConsoleClients, cookie: str) -> None:
        self.browser = browser
        self.clients = clients
        self.cookie = cookie

    async def ask(self, route: Route, *, login: str = "", **headers: str) -> Answer:
        given = {"Cookie": f"{self.cookie}={login}"} if login else {}
        if route.method != "GET" and "Sec-Fetch-Site" not in headers:
            given |= SAME_ORIGIN
        answer = await self.browser.request(
            route.method, concrete_path(route), data=body_of(route), **given | headers
        )
        check_headers(answer)
        return answer

    def sign(self, name: str, *, login_age: float = 0, seen_age: float = 0) -> str:
        token = self.clients.tokens[name]
        return sign_login(token, login_age=login_age, seen_age=seen_age)


def concrete_path(route: Route) -> str:
    return re.sub(r"\{\w+(?::[^}]*)?\}", "4f1c62d8a1b2c3d4", route.path)


def body_of(route: Route) -> dict[str, str] | None:
    return {} if route.method == "POST" else None


def check_headers(answer: Answer) -> None:
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Server"] == "gcsched"


def find_closed_routes() -> Iterator[Route]:
    """Yield the routes that need a login; test_route_table.py says which do not."""
    return (each for each in ROUTES if each.act != OPEN)


async def test_without_a_login_each_route_answers_with_the_login(walker: Walker) -> None:
    for route in find_closed_routes():
        answer = await walker.ask(route)
        [back] = [each.get("value") for each in answer.find("main input[name=back]")]
        is_read = route.method == "GET"

        assert (answer.status, answer.words[:6]) == (401, "Log in"), route
        assert back == (concrete_path(route) if is_read else concrete_path_of_page(route)), route
        assert not answer.find("nav"), route


def concrete_path_of_page(route: Route) -> str:
    return re.sub(r"\{\w+\}", "4f1c62d8a1b2c3d4", route.page)


async def test_a_login_that_is_over_is_none(walker: Walker) -> None:
    other = sign_login(walker.clients.tokens["admin"], key="another key of the same length ...")
    wrong_salt = sign_login(walker.clients.tokens["admin"], salt="itsdangerous")
    for route in find_closed_routes():
        for login in (
            walker.sign("admin", login_age=12 * HOUR + 1),
            walker.sign("admin", seen_age=HOUR + 1),
            *(other, wrong_salt, walker.sign("admin")[:-1], "x", "..", "é"),
        ):
            assert (await walker.ask(route, login=login)).status == 401, (route, login)


async def test_without_its_scope_each_route_names_it(walker: Walker) -> None:
    for route in find_closed_routes():
        no_login = await walker.ask(route, login=walker.sign("schedule"))
        only_read = await walker.ask(route, login=walker.sign("read"))

        assert no_login.status == 403, route
        assert "needs the scope read;" in no_login.words, route
        if not {"read"} & set(SCOPES[route.act]):
            assert only_read.status == 403, route
            assert f"needs the scope {' or '.join(SCOPES[route.act])};" in only_read.words


async def test_each_route_needs_just_one_of_its_scopes(walker: Walker) -> None:
    """Besides that of the console: all the other scopes together are not enough."""
    for route in find_closed_routes():
        needed = SCOPES[route.act]
        without = await walker.ask(route, login=walker.sign(name_client("all but", needed)))
        # Without the scope of the console that one is missing first.
        named = "read" if Scope.READ in needed else " or ".join(needed)
        assert without.status == 403, route
        assert f"needs the scope {named};" in without.words, route
        for each in needed:
            answer = await walker.ask(route, login=walker.sign(name_client("just", {each})))
            assert answer.status not in {401, 403, 500}, (route, each)


async def test_what_needs_no_login_is_the_same_with_one_that_is_over(walker: Walker) -> None:
    for route in (each for each in ROUTES if each.act == OPEN):
        plain = await walker.ask(route)
        over = await walker.ask(route, login=walker.sign("admin", login_age=12 * HOUR + 1))
        assert plain.status == over.status, route
        assert plain.status in {200, 303, 404} or route.path == "/login", route
        assert plain.location == over.location, route
        assert "<nav" not in plain.text + over.text, route


async def test_no_path_has_a_method_that_the_table_has_not(walker: Walker) -> None:
    """From here it is explained; from elsewhere nothing that could change something gets there."""
    known = {(each.method, each.path) for each in ROUTES}
    login = {"Cookie": f"{walker.cookie}={walker.sign('admin')}"}
    for route in {each.path: each for each in ROUTES}.values():
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            if (method, route.path) in known:
                continue
            here, elsewhere = [
                await walker.browser.request(
                    method, concrete_path(route), **login, **{"Sec-Fetch-Site": site}
                )
                for site in ("same-origin", "cross-site")
            ]
            # Another route may have the path that this one has with its names filled in.
            assert here.status in {404, 405}, (method, route)
            assert elsewhere.status == 403, (method, route)
            check_headers(here)
            check_headers(elsewhere)


async def test_from_another_site_nothing_is_changed(walker: Walker) -> None:
    """Whatever the method says: also with a login, and where none is needed."""
    login = {"Cookie": f"{walker.cookie}={walker.sign('admin')}"}
    foreign: tuple[dict[str, str], ...] = (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Origin": walker.browser.base.replace("127.0.0.1", "localhost")},
        {"Sec-Fetch-Site": "cross-site", "Origin": walker.browser.base},
        {},  # a cookie, but nothing that says where the request comes from
    )
    for route in (each for each in ROUTES if each.method != "GET"):
        for headers in foreign:
            answer = await walker.browser.request(
                route.method, concrete_path(route), data=body_of(route), **login | headers
            )
            check_headers(answer)
            assert (answer.status, answer.set_cookies) == (403, ()), (route, headers)
            assert "Nothing was done" in answer.words


async def test_a_login_by_tls_is_kept_for_tls(walker: Walker, scheme: str) -> None:
    answer = await walker.browser.log_in(walker.clients.tokens["read"])
    walker.browser.session.cookie_jar.clear()

    [(name, _, attributes)] = map(parse_set_cookie, answer.set_cookies)
    assert name == walker.cookie
    assert ("secure" in attributes) is (scheme == "https")


async def test_under_a_foreign_host_there_is_no_console(walker: Walker) -> None:
    port = walker.cookie.rpartition("-")[2]
    hosts = ["evil.example.org", f"evil.example.org:{port}", "localhost", "127.0.0.1:1", "", "["]
    for route in ROUTES:
        for host in hosts:
            answer = await walker.ask(route, login=walker.sign("admin"), Host=host)
            assert answer.status == 421, (route, host)
            assert "GCSCHED_CONSOLE_ORIGIN" in answer.text


async def test_each_own_name_of_this_machine_reaches_it(walker: Walker) -> None:
    port = walker.cookie.rpartition("-")[2]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", f"LocalHost:{port}"):
        assert (await walker.browser.open("/login", Host=host)).status == 200, host


async def test_what_is_no_route_is_checked_alike(walker: Walker) -> None:
    login = {"Cookie": f"{walker.cookie}={walker.sign('admin')}"}
    for method, path in UNKNOWN:
        is_safe = method == "GET"
        there = await walker.browser.request(method, path, **login | SAME_ORIGIN)
        elsewhere = await walker.browser.request(
            method, path, **login, **{"Sec-Fetch-Site": "cross-site"}
        )
        foreign = await walker.browser.request(method, path, Host="evil.example.org")

        assert there.status in {404, 405}, (method, path)
        assert elsewhere.status == (there.status if is_safe else 403), (method, path)
        assert foreign.status == 421, (method, path)
        for answer in (there, elsewhere, foreign):
            check_headers(answer)


async def test_a_get_from_another_site_is_answered_and_changes_nothing(walker: Walker) -> None:
    """A link in a chat leads to the page."""
    for route in (each for each in find_closed_routes() if each.method == "GET"):
        answer = await walker.ask(
            route, login=walker.sign("admin"), **{"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status in {200, 400, 404}, route
        assert answer.set_cookies == (), route
