"""The frame of all pages: navigation, who and scopes, zone and theme, bands, refreshes."""

from collections.abc import AsyncIterator

import pytest

from gcsched.pb import task_pb2
from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.in_process_app import RunningApp
from tests.support.service_process import Stub, scheduler_stub
from tests.support.wait import until

LABEL = "prod <eu>"
HOSTILE = '<img src=x onerror=alert(1)> "quoted" \u202e & more'


@pytest.fixture
def console_settings() -> dict[str, str]:
    return {"console_label": LABEL, "timezone": "Europe/Berlin"}


@pytest.fixture
async def stub(open_console: RunningApp) -> AsyncIterator[Stub]:
    async with scheduler_stub(open_console.target) as stub:
        yield stub


async def pause(stub: Stub, reason: str = "the relay moves") -> None:
    await stub.PauseSending(task_pb2.PauseSendingRequest(by="eva", reason=reason))


def titles_of_navigation(page: Answer) -> list[str]:
    return [each.text_content() for each in page.find("header nav a")]


async def test_each_page_names_the_installation_and_who_looks_at_it(browser: Browser) -> None:
    page = await browser.open("/")

    [title] = page.find("title")
    assert title.text_content() == f"{LABEL} · Now · gcsched"
    assert page.find(".name")[0].text_content() == f"{LABEL} · gcsched"
    assert "anyone (access is not controlled)" in page.find(".who")[0].text_content()


async def test_the_navigation_leads_only_where_the_scopes_do(
    stranger: Browser, clients: ConsoleClients
) -> None:
    before = await stranger.open("/login")
    await stranger.log_in(clients.tokens["read"])
    after = await stranger.open("/")

    assert titles_of_navigation(before) == []
    assert titles_of_navigation(after) == ["Now", "Jobs", "Relays"]
    [current] = after.find("header nav a[aria-current=page]")
    assert current.text_content() == "Now"


async def test_links_are_relative_so_that_a_proxy_may_put_a_path_before_them(
    browser: Browser,
) -> None:
    for path in ("/", "/keys", "/nothing/here/at/all"):
        page = await browser.open(path)
        root = "../" * (path.count("/") - 1) or "./"
        for element in page.find("[href], [src], [action]"):
            link = element.get("href") or element.get("src") or element.get("action")
            assert link.startswith((root, "#")), (path, link)


async def test_the_zone_and_the_theme_are_kept(browser: Browser, stub: Stub) -> None:
    await pause(stub)
    await until_paused(browser)
    zones = {}
    for zone in ("service", "utc", "browser"):
        fields = {"zone": zone, "browser_zone": "Asia/Kolkata", "back": "/keys", "theme": "dark"}
        answer = await browser.send("/view", fields)
        assert browser.follow(answer, "/view") == "/keys"
        page = await browser.open("/")
        zones[zone] = page.find("#bands time")[0].get("title").rpartition("(")[2]
        assert page.find("html")[0].get("data-theme") == "dark"

    assert zones == {"service": "Europe/Berlin)", "utc": "UTC)", "browser": "Asia/Kolkata)"}


async def until_paused(browser: Browser) -> Answer:
    async def find() -> Answer | None:
        page = await browser.open("/")
        return page if page.find(".band.paused") else None

    found = await until(find)
    assert isinstance(found, Answer)
    return found


async def test_a_pause_is_a_band_with_who_why_and_since(browser: Browser, stub: Stub) -> None:
    await pause(stub, HOSTILE)

    page = await until_paused(browser)

    [band] = page.find(".band.paused p")
    assert band.text_content().startswith("Sending is paused by eva since ")
    assert band.text_content().endswith(HOSTILE)
    assert not page.find("#bands img")
    [time] = page.find(".band.paused time")
    assert time.get("datetime").endswith("+00:00")
    assert "(Europe/Berlin)" in time.get("title")


async def test_resume_ends_the_pause_and_the_audit_has_it(browser: Browser, stub: Stub) -> None:
    await pause(stub)
    await until_paused(browser)

    answer = await browser.send("/resume", {"back": "/keys"})
    page = await browser.open(browser.follow(answer, "/resume"))

    assert "Sending goes on." in page.words
    assert not page.find(".band.paused")
    audit = await stub.ListAudit(task_pb2.ListAuditRequest())
    entry = audit.entries[0]
    assert (entry.method, entry.via, entry.count) == ("ResumeSending", "console", 1)
    assert entry.client == "anyone (access is not controlled)"


async def test_a_client_without_the_scope_sees_no_resume_and_cannot(
    stranger: Browser, clients: ConsoleClients
) -> None:
    await stranger.log_in(clients.tokens["read"])

    answer = await stranger.send("/resume")

    assert (answer.status, "needs the scope operate" in answer.words) == (403, True)


async def test_a_refresh_has_the_part_alone_and_is_short_if_nothing_changed(
    browser: Browser, stub: Stub
) -> None:
    first = await quiet_refresh(browser)
    same = await browser.refresh("/", first.headers["ETag"])
    await pause(stub)
    await until_paused(browser)
    changed = await browser.refresh("/", first.headers["ETag"])

    assert not first.text.lstrip().startswith("<!doctype")
    assert (same.status, same.text) == (304, "")
    assert changed.status == 200
    assert changed.find("[hx-swap-oob] .band.paused")


async def quiet_refresh(browser: Browser) -> Answer:
    """Return the refresh of the page once no store is named in a band any more."""

    async def find() -> Answer | None:
        page = await browser.refresh("/")
        return None if "band" in page.text.replace('id="bands"', "") else page

    found = await until(find)
    assert isinstance(found, Answer)
    return found


async def test_the_script_gets_an_error_as_one_sentence(
    stranger: Browser, clients: ConsoleClients
) -> None:
    login = await stranger.refresh("/")
    await stranger.log_in(clients.tokens["schedule"])

    assert (login.status, login.text) == (401, "Log in to see this page.")
    assert login.headers["Content-Type"].startswith("text/plain")


async def test_a_page_that_is_not_there_says_so_in_the_frame(browser: Browser) -> None:
    page = await browser.open("/nothing")

    assert (page.status, page.words) == (
        404,
        "Not found The console has no page at this address.",
    )
    assert titles_of_navigation(page) == ["Now", "Jobs", "Relays"]


async def test_a_page_has_the_landmarks_of_a_page(browser: Browser) -> None:
    for path in ("/", "/keys", "/nothing"):
        page = await browser.open(path)
        assert len(page.find("h1")) == len(page.find("main")) == len(page.find("header")) == 1
        assert page.find("html")[0].get("lang") == "en"
        assert page.find("a.skip")[0].get("href") == "#content"
        for table in page.find("table"):
            assert table.cssselect("caption")
            assert all(each.get("scope") for each in table.cssselect("th"))


async def test_the_files_are_named_by_their_content_and_kept_forever(browser: Browser) -> None:
    page = await browser.open("/")
    links = [each.get("href") or each.get("src") for each in page.find("link, script")]

    assert len(links) == 4
    for link in links:
        answer = await browser.open(link.removeprefix("."))
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_keys_can_be_switched_off(browser: Browser) -> None:
    before = await browser.open("/keys")
    await browser.send("/view", {"keys": "off", "back": "/keys"})
    after = await browser.open("/keys")

    assert before.find("body")[0].get("data-keys") == "on"
    assert after.find("body")[0].get("data-keys") == "off"
    assert "Keys are off" in after.words
