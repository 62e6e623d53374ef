"""Logins: by a token, kept in a cookie, over with the token; wrong tokens are counted."""

import asyncio

import pytest

from tests.support.clients import TestToken, make_token
from tests.support.console import Browser, ConsoleClients, find_base, open_browser
from tests.support.console_cookies import parse_set_cookie
from tests.support.in_process_app import RunningApp
from tests.support.log_events import Events, find_events
from tests.support.probes import probe_http
from tests.support.wait import until


@pytest.fixture
async def logged_in(stranger: Browser, clients: ConsoleClients) -> Browser:
    assert (await stranger.log_in(clients.tokens["read"])).status == 303
    return stranger


async def test_a_token_opens_the_console(stranger: Browser, clients: ConsoleClients) -> None:
    before = await stranger.open("/")
    answer = await stranger.log_in(clients.tokens["read"])
    after = await stranger.open("/")

    assert (before.status, answer.status, after.status) == (401, 303, 200)
    assert "read" in after.find(".who")[0].text_content()
    assert "(read)" in after.find(".who")[0].text_content()


async def test_the_cookie_is_kept_from_scripts_and_other_sites(
    stranger: Browser, closed_console: RunningApp, clients: ConsoleClients
) -> None:
    token = clients.tokens["read"]
    answer = await stranger.log_in(token)

    [(name, value, attributes)] = map(parse_set_cookie, answer.set_cookies)
    assert name == f"gcsched-login-{closed_console.resources.console.port}"
    assert {"httponly", "samesite", "path", "max-age"} == set(attributes)
    assert (attributes["samesite"], attributes["path"]) == ("Lax", "/")
    assert attributes["max-age"] == str(12 * 3600)
    assert token.secret not in value


async def test_the_page_that_was_asked_for_is_opened_afterwards(
    stranger: Browser, clients: ConsoleClients
) -> None:
    asked = await stranger.open("/keys?x=1")
    [back] = [each.get("value") for each in asked.find("main input[name=back]")]
    answer = await stranger.send("/login", {"token": clients.tokens["read"].text, "back": back})

    assert stranger.follow(answer, "/login") == "/keys?x=1"


async def test_a_login_leads_to_no_other_site(stranger: Browser, clients: ConsoleClients) -> None:
    for back in ("//evil.example.org/x", "https://evil.example.org", "/\\evil", ""):
        fields = {"token": clients.tokens["read"].text, "back": back}
        answer = await stranger.send("/login", fields)

        assert (answer.status, stranger.follow(answer, "/login")) == (303, "/")


def forge(token: TestToken) -> str:
    return TestToken(id=token.id).text


async def test_what_is_no_token_is_explained_and_a_wrong_one_is_not(
    stranger: Browser, clients: ConsoleClients
) -> None:
    real = clients.tokens["read"]
    problems = {}
    for name, text in {
        "none": "",
        "other": "password",
        "cut": real.text[:-1] + ("A" if real.text[-1] != "A" else "B"),
        "unknown": make_token().text,
        "forged": forge(real),
    }.items():
        answer = await stranger.send("/login", {"token": text})
        assert (answer.status, answer.set_cookies) == (401, ())
        [problem] = answer.find(".problem")
        assert answer.find("#token")[0].get("aria-describedby").split()[0] == problem.get("id")
        assert answer.find("#token")[0].get("value") == ""
        problems[name] = problem.text_content()

    assert problems["none"] == "Enter a token."
    assert "gcs_" in problems["other"]
    assert "check characters" in problems["cut"]
    assert problems["unknown"] == problems["forged"] == "The token is unknown, expired or revoked."


async def test_refused_logins_are_counted_and_logged_without_the_token(
    stranger: Browser, closed_console: RunningApp, clients: ConsoleClients, events: Events
) -> None:
    forged = TestToken(id=clients.tokens["read"].id)
    await stranger.send("/login", {"token": forged.text})
    await stranger.send("/login", {"token": forged.text})

    async with probe_http(closed_console.http) as probe:
        metrics = await probe.scrape()
    assert metrics.by("reason", "gcsched_calls_refused_total") == {"unknown": 2}
    [logged] = find_events(events, "call refused")
    assert (logged["method"], logged["peer"]) == ("console login", "127.0.0.1")
    assert not any(forged.secret in str(each) for each in events)


async def test_many_refused_logins_wait_and_a_right_one_does_not(
    stranger: Browser, closed_console: RunningApp, clients: ConsoleClients
) -> None:
    async with asyncio.TaskGroup() as tasks:
        tries = [
            tasks.create_task(stranger.send("/login", {"token": make_token().text}))
            for _ in range(15)
        ]
        await until(lambda: sum(each.done() for each in tries) >= 10)
        async with open_browser(find_base(closed_console)) as other:
            assert (await other.log_in(clients.tokens["read"])).status == 303
        assert sum(each.done() for each in tries) < 15
        for each in tries:
            each.cancel()


async def test_a_client_without_the_scope_read_cannot_log_in(
    stranger: Browser, clients: ConsoleClients
) -> None:
    answer = await stranger.log_in(clients.tokens["schedule"])

    assert (answer.status, answer.set_cookies) == (403, ())
    assert "it needs the scope read" in answer.words


async def test_the_end_of_a_token_ends_its_logins(
    logged_in: Browser, clients: ConsoleClients
) -> None:
    assert (await logged_in.open("/")).status == 200
    clients.remove("read")

    async def is_over() -> bool:
        return (await logged_in.open("/")).status == 401

    await until(is_over)


async def test_a_scope_that_is_taken_away_counts_at_once(
    logged_in: Browser, clients: ConsoleClients
) -> None:
    token = clients.tokens["read"]
    clients.give("read", ["schedule"])

    async def is_refused() -> bool:
        return (await logged_in.open("/")).status == 403

    await until(is_refused)
    assert clients.tokens["read"] is token


async def test_after_the_logout_the_cookie_is_gone(logged_in: Browser) -> None:
    answer = await logged_in.send("/logout")

    assert logged_in.follow(answer, "/logout") == "/login"
    assert (await logged_in.open("/")).status == 401


async def test_who_has_logged_in_needs_no_login(logged_in: Browser) -> None:
    answer = await logged_in.open("/login?back=/keys")

    assert (answer.status, logged_in.follow(answer, "/login")) == (303, "/keys")


async def test_a_console_without_logins_has_no_login_and_no_logout(browser: Browser) -> None:
    page = await browser.open("/")
    login = await browser.send("/login", {"token": "x"})

    assert not [each for each in page.find("form") if "logout" in each.get("action", "")]
    assert (login.status, login.set_cookies) == (303, ())
