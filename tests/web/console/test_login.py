"""Logins: by a token, kept in a cookie, over with the token; wrong tokens are counted."""

import pytest
import pytest_asyncio

from tests.support.clients import TestToken, make_token
from tests.support.console import Browser, ConsoleClients
from tests.support.console_cookies import parse_set_cookie
from tests.support.in_process_app import RunningApp
from tests.support.wait import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def logged_in(guest: Browser, shared_clients: ConsoleClients) -> Browser:
    assert (await guest.log_in(shared_clients.tokens["read"])).status == 303
    return guest


async def test_a_token_opens_the_console(guest: Browser, shared_clients: ConsoleClients) -> None:
    before = await guest.open("/")
    answer = await guest.log_in(shared_clients.tokens["read"])
    after = await guest.open("/")

    assert (before.status, answer.status, after.status) == (401, 303, 200)
    assert "read" in after.find(".who")[0].text_content()
    assert "(read)" in after.find(".who")[0].text_content()


async def test_the_cookie_is_kept_from_scripts_and_other_sites(
    guest: Browser, locked_console: RunningApp, shared_clients: ConsoleClients
) -> None:
    token = shared_clients.tokens["read"]
    answer = await guest.log_in(token)

    [(name, value, attributes)] = map(parse_set_cookie, answer.set_cookies)
    assert name == f"gcsched-login-{locked_console.resources.console.port}"
    assert {"httponly", "samesite", "path", "max-age"} == set(attributes)
    assert (attributes["samesite"], attributes["path"]) == ("Lax", "/")
    assert attributes["max-age"] == str(12 * 3600)
    assert token.secret not in value


async def test_the_page_that_was_asked_for_is_opened_afterwards(
    guest: Browser, shared_clients: ConsoleClients
) -> None:
    asked = await guest.open("/keys?x=1")
    [back] = [each.get("value") for each in asked.find("main input[name=back]")]
    answer = await guest.send("/login", {"token": shared_clients.tokens["read"].text, "back": back})

    assert guest.follow(answer, "/login") == "/keys?x=1"


async def test_a_login_leads_to_no_other_site(
    guest: Browser, shared_clients: ConsoleClients
) -> None:
    for back in ("//evil.example.org/x", "https://evil.example.org", "/\\evil", ""):
        fields = {"token": shared_clients.tokens["read"].text, "back": back}
        answer = await guest.send("/login", fields)

        assert (answer.status, guest.follow(answer, "/login")) == (303, "/")


def forge(token: TestToken) -> str:
    return TestToken(id=token.id).text


async def test_what_is_no_token_is_explained_and_a_wrong_one_is_not(
    guest: Browser, shared_clients: ConsoleClients
) -> None:
    real = shared_clients.tokens["read"]
    problems = {}
    for name, text in {
        "none": "",
        "other": "password",
        "cut": real.text[:-1] + ("A" if real.text[-1] != "A" else "B"),
        "unknown": make_token().text,
        "forged": forge(real),
    }.items():
        answer = await guest.send("/login", {"token": text})
        assert (answer.status, answer.set_cookies) == (401, ())
        [problem] = answer.find(".problem")
        assert answer.find("#token")[0].get("aria-describedby").split()[0] == problem.get("id")
        assert answer.find("#token")[0].get("value") == ""
        problems[name] = problem.text_content()

    assert problems["none"] == "Enter a token."
    assert "gcs_" in problems["other"]
    assert "check characters" in problems["cut"]
    assert problems["unknown"] == problems["forged"] == "The token is unknown, expired or revoked."


async def test_a_client_without_the_scope_read_cannot_log_in(
    guest: Browser, shared_clients: ConsoleClients
) -> None:
    answer = await guest.log_in(shared_clients.tokens["schedule"])

    assert (answer.status, answer.set_cookies) == (403, ())
    assert "it needs the scope read" in answer.words


async def test_the_end_of_a_token_ends_its_logins(
    guest: Browser, shared_clients: ConsoleClients
) -> None:
    token = shared_clients.tokens["leaver"]
    assert (await guest.log_in(token)).status == 303
    assert (await guest.open("/")).status == 200
    shared_clients.remove("leaver")

    async def is_over() -> bool:
        return (await guest.open("/")).status == 401

    await until(is_over)


async def test_a_scope_that_is_taken_away_counts_at_once(
    guest: Browser, shared_clients: ConsoleClients
) -> None:
    token = shared_clients.tokens["mover"]
    assert (await guest.log_in(token)).status == 303
    shared_clients.give("mover", ["schedule"])

    async def is_refused() -> bool:
        return (await guest.open("/")).status == 403

    await until(is_refused)
    assert shared_clients.tokens["mover"] is token


async def test_after_the_logout_the_cookie_is_gone(logged_in: Browser) -> None:
    answer = await logged_in.send("/logout")

    assert logged_in.follow(answer, "/logout") == "/login"
    assert (await logged_in.open("/")).status == 401


async def test_who_has_logged_in_needs_no_login(logged_in: Browser) -> None:
    answer = await logged_in.open("/login?back=/keys")

    assert (answer.status, logged_in.follow(answer, "/login")) == (303, "/keys")


async def test_a_console_without_logins_has_no_login_and_no_logout(visitor: Browser) -> None:
    page = await visitor.open("/")
    login = await visitor.send("/login", {"token": "x"})

    assert not [each for each in page.find("form") if "logout" in each.get("action", "")]
    assert (login.status, login.set_cookies) == (303, ())
