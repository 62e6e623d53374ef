"""Behind a proxy that encrypts, under a path of its own; and under other plain addresses."""

from collections.abc import AsyncIterator

import pytest

from tests.support.console import (
    Answer,
    Browser,
    ConsoleClients,
    find_base,
    open_browser,
    running_console,
)
from tests.support.console_cookies import parse_set_cookie
from tests.support.in_process_app import RunningApp

PROXIED = {"Host": "ops.example.org"}


@pytest.fixture
def console_settings() -> dict[str, str]:
    return {"console_origin": "https://ops.example.org/gcsched"}


async def log_in(browser: Browser, clients: ConsoleClients, **headers: str) -> Answer:
    fields = {"token": clients.tokens["read"].text, "back": "/keys"}
    return await browser.request("POST", "/login", data=fields, **PROXIED, **headers)


async def test_its_cookies_are_secure_and_of_this_host_only(
    stranger: Browser, clients: ConsoleClients
) -> None:
    answer = await log_in(stranger, clients, **{"Sec-Fetch-Site": "same-origin"})

    [(name, value, attributes)] = map(parse_set_cookie, answer.set_cookies)
    assert name == "__Host-gcsched-login-443"
    assert {"secure", "httponly", "samesite", "path", "max-age"} == set(attributes)
    assert attributes["path"] == "/"
    again = await stranger.open("/", Cookie=f"{name}={value}", **PROXIED)
    plain = await stranger.open("/", Cookie=f"gcsched-login-443={value}", **PROXIED)
    assert (again.status, plain.status) == (200, 401)


async def test_its_redirects_and_links_stay_below_its_path(
    stranger: Browser, clients: ConsoleClients
) -> None:
    answer = await log_in(stranger, clients, Origin="https://ops.example.org")

    assert (answer.status, answer.location) == (303, "./keys")


async def test_another_origin_than_its_own_is_foreign(
    stranger: Browser, clients: ConsoleClients
) -> None:
    other = ["http://ops.example.org", "https://ops.example.org:8443", "https://ops.example.org/"]
    for origin in other:
        assert (await log_in(stranger, clients, Origin=origin)).status == 403


@pytest.fixture
async def plain_console(mongo_uri: str, redis_url: str) -> AsyncIterator[RunningApp]:
    """Run a console that other machines can reach without TLS, which the operator has allowed."""
    async with running_console(
        mongo=mongo_uri,
        redis=redis_url,
        console_listen="0.0.0.0:0",
        console_origin="http://gcsched.internal:8090",
        allow_insecure="1",
    ) as app:
        yield app


async def test_over_plain_http_browsers_name_their_origin_with_forms(
    plain_console: RunningApp,
) -> None:
    """They send no Sec-Fetch-Site there, and with `no-referrer` the origin `null`."""
    host = {"Host": "gcsched.internal:8090"}
    async with open_browser(find_base(plain_console)) as browser:
        page = await browser.open("/", **host)
        own = await browser.request(
            "POST", "/view", data={}, **host, Origin="http://gcsched.internal:8090"
        )
        foreign = await browser.request(
            "POST", "/view", data={}, **host, Origin="http://evil.example.org"
        )
        local = await browser.open("/")

    assert page.headers["Referrer-Policy"] == "same-origin"
    assert (own.status, foreign.status) == (303, 403)
    assert local.headers["Referrer-Policy"] == "no-referrer"
