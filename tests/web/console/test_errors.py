"""Errors are pages in the frame: each with its status, its sentence, and what to do."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest
from aiohttp import web

from gcsched import errors
from gcsched.errors import GcschedError, Violation
from gcsched.rpc.status import STATUS
from gcsched.usecases.monitoring.store_health import StoreHealth, StoreReport
from gcsched.web.console import problems, routes, server
from gcsched.web.console.call import Call
from gcsched.web.console.pages.errors import STATUSES, TITLES
from gcsched.web.console.routing import Kind, Route
from tests.support.console import Browser
from tests.support.in_process_app import RunningApp
from tests.support.log_events import Events, find_events
from tests.support.probes import probe_http

SHARED = pytest.mark.asyncio(loop_scope="module")

SINCE = datetime(2026, 11, 30, 12, 0, 3, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"
SAMPLES: dict[str, tuple[GcschedError | Exception, int, str]] = {
    "invalid": (errors.InvalidRequest([Violation("by", "is too long")]), 400, "By: is too long."),
    "job": (errors.UnknownJob("x" + HOSTILE), 404, f"No job with id 'x{HOSTILE}'"),
    "etag": (errors.EtagMismatch("1"), 409, "has changed since it was read"),
    "limit": (
        errors.ClientLimit(
            "eva", "calls_per_second", "made too many calls", retry_after=timedelta(seconds=2.2)
        ),
        429,
        "made too many calls; call again later. Try again in 3 s.",
    ),
    "overloaded": (errors.Overloaded(5), 503, "5 requests are waiting already"),
    "store": (errors.StoreUnavailable("reading a job"), 503, "while reading a job; call again."),
    "refused": (
        errors.StoreRefused("reading a job", "auth", "it needs a login"),
        503,
        "MongoDB refused while reading a job: it needs a login",
    ),
    "defect": (RuntimeError(HOSTILE), 500, "ask the operator to look at its log"),
}


async def raise_sample(call: Call) -> NoReturn:
    raise SAMPLES[call.request.match_info["name"]][0]


async def wait_too_long(_: Call) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError


async def take_form(call: Call) -> web.StreamResponse:
    return web.Response(text=str(len((await call.form())["text"])))


@pytest.fixture(scope="module", autouse=True)
def more_routes() -> Iterator[None]:
    added = (
        Route(method="GET", path="/fails/{name}", act="GetStatus", handler=raise_sample),
        Route(
            method="GET",
            path="/slow",
            act="GetStatus",
            handler=wait_too_long,
            within=timedelta(seconds=0.05),
        ),
        Route(
            method="POST", path="/form", act="GetStatus", handler=take_form, kind=Kind.ACT, page="/"
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "ROUTES", (*routes.ROUTES, *added))
        yield


def subclasses(kind: type[GcschedError]) -> Iterator[type[GcschedError]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_each_error_that_a_caller_of_grpc_can_see_has_a_status_here() -> None:
    own = {each for each in subclasses(GcschedError) if each.__module__ == problems.__name__}

    assert set(STATUSES) == {*STATUS, *own, errors.RedisUnavailable}
    assert set(STATUSES.values()) == set(TITLES)


@SHARED
async def test_each_error_is_a_page_with_its_sentence(visitor: Browser) -> None:
    for name, (_, status, sentence) in SAMPLES.items():
        page = await visitor.open(f"/fails/{name}")
        refresh = await visitor.refresh(f"/fails/{name}")

        assert page.status == refresh.status == status, name
        assert sentence in page.words
        assert TITLES[status] in page.words
        assert not page.find("main script")
        assert page.find("header nav")
        assert refresh.headers["Content-Type"] == "text/plain; charset=utf-8"


@SHARED
async def test_a_limit_says_after_how_many_seconds(visitor: Browser) -> None:
    page = await visitor.open("/fails/limit")

    assert page.headers["Retry-After"] == "3"


@SHARED
async def test_a_defect_is_logged_and_shows_nothing_of_itself(
    visitor: Browser, events: Events
) -> None:
    page = await visitor.open("/fails/defect")

    assert "alert" not in page.words
    [logged] = find_events(events, "page failed")
    assert (logged["log_level"], logged["page"]) == ("error", "/fails/{name}")


@SHARED
async def test_a_store_that_is_away_is_named_with_its_time(
    visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = StoreReport(name="mongodb", problem="no answer", state_time=SINCE)
    monkeypatch.setattr(StoreHealth, "report", lambda _: report)

    page = await visitor.open("/fails/store")

    assert "MongoDB has not answered since 30 Nov 12:00:03: the store did not confirm" in page.words
    assert page.find("#bands .band.failed")[0].text_content().startswith("MongoDB cannot be used")


@SHARED
async def test_a_store_that_was_not_checked_yet_is_not_shown_as_away(
    visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = StoreReport(name="redis", problem="not checked yet", state_time=SINCE)
    monkeypatch.setattr(StoreHealth, "report", lambda _: report)

    page = await visitor.open("/")

    assert not page.find("#bands .band")
    assert "Redis cannot be used" not in page.words


@SHARED
async def test_a_page_that_takes_too_long_is_ended_and_counted(
    visitor: Browser, console: RunningApp
) -> None:
    page = await visitor.open("/slow")

    assert (page.status, "while answering a page" in page.words) == (503, True)
    async with probe_http(console.http) as probe:
        metrics = await probe.scrape()
    assert metrics.by("page", "gcsched_console_seconds_count")["/slow"] == 1
    assert metrics.by("page", "gcsched_console_seconds_sum")["/slow"] >= 0.05


@SHARED
async def test_a_form_has_64_kib_at_most(visitor: Browser) -> None:
    fits = await visitor.send("/form", {"text": "x" * 65_000})
    too_large = await visitor.send("/form", {"text": "x" * 66_000})

    assert (fits.status, fits.text) == (200, "65000")
    assert (too_large.status, "too large" in too_large.words) == (413, True)


@SHARED
async def test_a_form_of_another_kind_is_no_defect(visitor: Browser) -> None:
    answer = await visitor.request(
        "POST",
        "/form",
        data=b"\xff\xfe",
        **{"Content-Type": "multipart/form-data", "Sec-Fetch-Site": "same-origin"},
    )

    assert answer.status == 400
