"""The frame of all pages: navigation, who and scopes, zone and theme, bands, refreshes."""

import pytest

from gcsched.pb import task_pb2
from gcsched.web.console.rendering import make_environment
from gcsched.web.console.static_files import FOLDER
from gcsched.wiring.console import load_static_files
from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.service_process import Stub
from tests.support.wait import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LABEL = "prod <eu>"
HOSTILE = '<img src=x onerror=alert(1)> "quoted" \u202e & more'


@pytest.fixture(scope="module")
def shared_settings() -> dict[str, str]:
    return {"console_label": LABEL, "timezone": "Europe/Berlin"}


async def pause(stub: Stub, reason: str = "the relay moves") -> None:
    await stub.PauseSending(task_pb2.PauseSendingRequest(by="eva", reason=reason))


def titles_of_navigation(page: Answer) -> list[str]:
    return [each.text_content() for each in page.find("header nav a")]


async def test_each_page_names_the_installation_and_who_looks_at_it(visitor: Browser) -> None:
    page = await visitor.open("/")

    [title] = page.find("title")
    assert title.text_content() == f"{LABEL} · Now · gcsched"
    assert page.find(".name")[0].text_content() == f"{LABEL} · gcsched"
    assert "anyone (access is not controlled)" in page.find(".who")[0].text_content()


async def test_the_navigation_leads_only_where_the_scopes_do(
    guest: Browser, shared_clients: ConsoleClients
) -> None:
    before = await guest.open("/login")
    await guest.log_in(shared_clients.tokens["read"])
    after = await guest.open("/")

    assert titles_of_navigation(before) == []
    assert titles_of_navigation(after) == ["Now", "Jobs", "Meetings", "Relays", "Lateness"]
    [current] = after.find("header nav a[aria-current=page]")
    assert current.text_content() == "Now"


async def test_links_are_relative_so_that_a_proxy_may_put_a_path_before_them(
    visitor: Browser,
) -> None:
    for path in ("/", "/keys", "/nothing/here/at/all"):
        page = await visitor.open(path)
        root = "../" * (path.count("/") - 1) or "./"
        for element in page.find("[href], [src], [action]"):
            link = element.get("href") or element.get("src") or element.get("action")
            assert link.startswith((root, "#")), (path, link)


async def test_the_zone_and_the_theme_are_kept(visitor: Browser, stub: Stub) -> None:
    await pause(stub)
    await until_paused(visitor)
    zones = {}
    for zone in ("service", "utc", "browser"):
        fields = {"zone": zone, "browser_zone": "Asia/Kolkata", "back": "/keys", "theme": "dark"}
        answer = await visitor.send("/view", fields)
        assert visitor.follow(answer, "/view") == "/keys"
        page = await visitor.open("/")
        zones[zone] = page.find("#bands time")[0].get("title").rpartition("(")[2]
        assert page.find("html")[0].get("data-theme") == "dark"

    assert zones == {"service": "Europe/Berlin)", "utc": "UTC)", "browser": "Asia/Kolkata)"}


async def until_paused(visitor: Browser) -> Answer:
    async def find() -> Answer | None:
        page = await visitor.open("/")
        return page if page.find(".band.paused") else None

    found = await until(find)
    assert isinstance(found, Answer)
    return found


async def test_a_pause_is_a_band_with_who_why_and_since(visitor: Browser, stub: Stub) -> None:
    await pause(stub, HOSTILE)

    page = await until_paused(visitor)

    [band] = page.find(".band.paused p")
    assert band.text_content().startswith("Sending is paused by eva since ")
    assert band.text_content().endswith(HOSTILE)
    assert not page.find("#bands img")
    [time] = page.find(".band.paused time")
    assert time.get("datetime").endswith("+00:00")
    assert "(Europe/Berlin)" in time.get("title")


async def test_resume_ends_the_pause_and_the_audit_has_it(visitor: Browser, stub: Stub) -> None:
    await pause(stub)
    await until_paused(visitor)

    answer = await visitor.send("/resume", {"back": "/keys"})
    page = await visitor.open(visitor.follow(answer, "/resume"))

    assert "Sending goes on." in page.words
    assert not page.find(".band.paused")
    audit = await stub.ListAudit(task_pb2.ListAuditRequest())
    entry = audit.entries[0]
    assert (entry.method, entry.via, entry.count) == ("ResumeSending", "console", 1)
    assert entry.client == "anyone (access is not controlled)"


async def test_a_client_without_the_scope_sees_no_resume_and_cannot(
    guest: Browser, shared_clients: ConsoleClients
) -> None:
    await guest.log_in(shared_clients.tokens["read"])

    answer = await guest.send("/resume")

    assert (answer.status, "needs the scope operate" in answer.words) == (403, True)


async def test_a_refresh_has_the_part_alone_and_is_short_if_nothing_changed(
    visitor: Browser, stub: Stub
) -> None:
    first, same = await quiet_refreshes(visitor)
    await pause(stub)
    await until_paused(visitor)
    changed = await visitor.refresh("/", first.headers["ETag"])

    assert not first.text.lstrip().startswith("<!doctype")
    assert (same.status, same.text) == (304, "")
    assert changed.status == 200
    assert changed.find("[hx-swap-oob] .band.paused")


async def quiet_refreshes(visitor: Browser) -> tuple[Answer, Answer]:
    """Return a refresh of the page and the next one, which has nothing new after the start."""
    found: list[Answer] = []

    async def is_quiet() -> bool:
        page = await visitor.refresh("/")
        found[:] = [page, await visitor.refresh("/", page.headers["ETag"])]
        return found[-1].status == 304

    await until(is_quiet)
    return found[0], found[1]


@pytest.mark.parametrize("file", ["console.css", "console.js", "htmx.min.js", "icon.svg"])
async def test_a_page_of_another_version_gets_the_files_of_this_one(
    visitor: Browser, file: str
) -> None:
    stem, suffix = file.rsplit(".", 1)

    answer = await visitor.open(f"/static/{stem}.0123456789ab.{suffix}")

    assert answer.text == (FOLDER / file).read_text(encoding="utf-8")
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await visitor.open(f"/static/{stem}.{suffix}x")).status == 404


async def test_templates_are_compiled_beside_the_start_and_not_by_a_page(
    visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To compile one takes long enough to make mails late."""
    environment = make_environment(load_static_files())
    assert environment.cache is not None
    names = environment.list_templates(extensions=["html"])
    await until(lambda: {name for _, name in environment.cache or {}} >= set(names))
    compiled: list[str] = []
    monkeypatch.setattr(environment, "compile", lambda _, name, *__: compiled.append(name))

    pages = [await visitor.open(path) for path in ("/", "/jobs", "/relays", "/keys", "/nothing")]

    assert [each.status for each in pages] == [200, 200, 200, 200, 404]
    assert compiled == []


async def test_a_notice_is_shown_after_an_act_and_not_in_a_link_from_elsewhere(
    visitor: Browser,
) -> None:
    after = await visitor.open("/?done=paused", Sec_Fetch_Site="same-origin")

    assert "Sending is paused." in after.words
    for site in ("none", "cross-site", "same-site"):
        linked = await visitor.open("/?done=paused", Sec_Fetch_Site=site)
        assert (linked.status, "Sending is paused." in linked.words) == (200, False)


@pytest.mark.parametrize("path", ["/keys", "/daily", "/audit", "/nothing"])
async def test_a_page_that_does_not_refresh_is_whole_for_the_script_too(
    visitor: Browser, path: str
) -> None:
    opened, refreshed = await visitor.open(path), await visitor.refresh(path)

    assert refreshed.status == opened.status
    assert refreshed.status == 404 or refreshed.find("main h1")


async def test_the_script_gets_an_error_as_one_sentence(
    guest: Browser, shared_clients: ConsoleClients
) -> None:
    login = await guest.refresh("/")
    await guest.log_in(shared_clients.tokens["schedule"])

    assert (login.status, login.text) == (401, "Log in to see this page.")
    assert login.headers["Content-Type"].startswith("text/plain")


async def test_a_page_that_is_not_there_says_so_in_the_frame(visitor: Browser) -> None:
    page = await visitor.open("/nothing")

    assert (page.status, page.words) == (
        404,
        "Not found The console has no page at this address. Open Now",
    )
    assert titles_of_navigation(page) == [
        *("Now", "Jobs", "Meetings", "Relays", "Lateness"),
        *("Suppressions", "Templates", "Audit", "Clients"),
    ]


async def test_a_page_has_the_landmarks_of_a_page(visitor: Browser) -> None:
    for path in ("/", "/keys", "/nothing"):
        page = await visitor.open(path)
        assert len(page.find("h1")) == len(page.find("main")) == len(page.find("header")) == 1
        assert page.find("html")[0].get("lang") == "en"
        assert page.find("a.skip")[0].get("href") == "#content"
        for table in page.find("table"):
            assert table.cssselect("caption")
            assert all(each.get("scope") for each in table.cssselect("th"))


async def test_the_files_are_named_by_their_content_and_kept_forever(visitor: Browser) -> None:
    page = await visitor.open("/")
    links = [each.get("href") or each.get("src") for each in page.find("link, script")]

    assert len(links) == 4
    for link in links:
        answer = await visitor.open(link.removeprefix("."))
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_keys_can_be_switched_off(visitor: Browser) -> None:
    before = await visitor.open("/keys")
    await visitor.send("/view", {"keys": "off", "back": "/keys"})
    after = await visitor.open("/keys")

    assert before.find("body")[0].get("data-keys") == "on"
    assert after.find("body")[0].get("data-keys") == "off"
    assert "Keys are off" in after.words
