"""The table of routes: what needs no login, what changes something, the scopes of the others."""

from gcsched.domain.access import SCOPES
from gcsched.web.connection_limiter import ConnectionLimiter
from gcsched.web.console.routes import ROUTES
from gcsched.web.console.routing import OPEN, Kind
from gcsched.web.console.server import build_application
from gcsched.wiring.console import ServedConsole
from tests.support.in_process_app import RunningApp

OPEN_ROUTES = {
    ("GET", "/static/{name}"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("POST", "/view"),
}


def test_only_the_listed_routes_need_no_login_and_each_act_has_scopes() -> None:
    assert {(each.method, each.path) for each in ROUTES if each.act == OPEN} == OPEN_ROUTES
    assert all(each.act in SCOPES for each in ROUTES if each.act != OPEN)
    assert len({(each.method, each.path) for each in ROUTES}) == len(ROUTES)


async def test_the_router_has_the_routes_of_the_table_and_no_others(
    open_console: RunningApp,
) -> None:
    """So a test that walks the table walks the router."""
    assert isinstance(open_console.resources.console, ServedConsole)
    application = build_application(
        open_console.resources.console.installation,
        ConnectionLimiter(max_connections=1, max_idle_seconds=1),
    )
    found = [
        (each.method, each.resource.canonical if each.resource else "")
        for each in application.router.routes()
    ]

    assert found == [(each.method, each.path) for each in ROUTES]


def test_what_only_reads_is_a_get_and_what_changes_something_is_none() -> None:
    for route in ROUTES:
        assert (route.method in {"GET", "HEAD"}) is (route.kind is not Kind.ACT), route


def test_the_page_of_an_act_exists() -> None:
    pages = {each.path for each in ROUTES if each.method == "GET"}

    assert {each.page for each in ROUTES if each.kind is Kind.ACT} <= pages
