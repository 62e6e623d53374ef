"""The list of jobs: its search field, its filters, its pages, what it shows to whom."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from gcsched.domain.job import Job, State
from tests.support.builders import an_invitation
from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.console_jobs import a_failed_job, a_hostile_job, a_kept_job, keep
from tests.support.in_process_app import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC).replace(microsecond=0)


def list_employees(page: Answer) -> list[str]:
    return [row.cssselect("td")[-5].text_content() for row in page.find("[data-rows] tbody tr")]


def number_jobs(count: int, *, first: int = 0, **others: object) -> list[Job]:
    """Build jobs in the order of their creation: the last one is the newest."""
    return [
        a_kept_job(NOW, id=f"{number:032x}", empid=f"N{number}", **others)
        for number in range(first, first + count)
    ]


async def search(visitor: Browser, text: str) -> Answer:
    return await visitor.send("/jobs", {"q": text})


async def test_a_row_has_the_state_the_address_and_the_last_code(
    visitor: Browser, console: RunningApp
) -> None:
    job = a_failed_job(NOW, empid="E77", client="payroll", email="ada@example.org")
    await keep(console, job)

    page = await visitor.open("/jobs")

    titles = [each.text_content() for each in page.find("[data-rows] thead th")]
    [row] = page.find("[data-rows] tbody tr")
    cells = [" ".join(each.text_content().split()) for each in row]
    assert dict(zip(titles, cells, strict=True)) | {"Due": ""} == {
        "Tick": "",
        "State": f"✕ FAILED job {job.id}",
        "Due": "",
        "Tries": "2",
        "Employee": "E77",
        "Address": "ada@example.org",
        "Template": "doc",
        "Client": "payroll",
        "Last code": "550 5.1.1",
    }
    [link] = row.cssselect("th a")
    assert (
        visitor.follow(Answer(status=303, headers={"Location": link.get("href")}, text=""), "/jobs")
        == f"/jobs/{job.id}"
    )


async def test_without_the_scope_content_addresses_are_masked(
    guest: Browser, shared_clients: ConsoleClients, locked_console: RunningApp
) -> None:
    job = a_failed_job(NOW, email="ada@example.org", message="Interview", name="Ada Lovelace")
    await keep(locked_console, job)
    await guest.log_in(shared_clients.tokens["read"])

    for path in ("/jobs", f"/jobs/{job.id}"):
        page = await guest.open(path)
        assert "a…@example.org" in page.words
        assert not any(each in page.text for each in ("ada@", "Lovelace", "Interview"))
    assert "need the scope content" in page.words
    assert (await guest.open(f"/jobs/{job.id}/mail")).status == 403
    assert (await guest.open(f"/jobs/{job.id}/again")).status == 403
    assert not page.find(".acts")


async def test_pages_follow_each_other_by_tokens(visitor: Browser, console: RunningApp) -> None:
    await keep(console, *number_jobs(60))

    first = await visitor.open("/jobs")
    [following] = first.find(".pages [rel=next]")
    second = await visitor.open(f"/{following.get('href').removeprefix('./')}")
    [begin] = second.find(".pages [rel=prev]")

    assert list_employees(first) == [f"N{number}" for number in reversed(range(10, 60))]
    assert list_employees(second) == [f"N{number}" for number in reversed(range(10))]
    assert begin.get("href") == "./jobs"
    assert not second.find(".pages [rel=next]")


async def test_the_count_is_a_part_of_its_own(admin: Browser, locked_console: RunningApp) -> None:
    await keep(locked_console, *number_jobs(3), *number_jobs(2, first=7, client="payroll"))

    page = await admin.open("/jobs?client=payroll")
    [part] = page.find("[hx-get*=count]")
    counted = await admin.open(f"/{part.get('hx-get').removeprefix('./')}")

    assert counted.text.strip() == "2 jobs in all"


async def test_new_jobs_do_not_push_rows_away(visitor: Browser, console: RunningApp) -> None:
    await keep(console, *number_jobs(3))
    page = await visitor.open("/jobs")
    [live] = page.find("#live")
    source = f"/{live.get('hx-get').removeprefix('./')}"
    before = await visitor.refresh(source)
    await keep(console, *number_jobs(2, first=3))

    after = await visitor.refresh(source, before.headers["ETag"])
    more = await visitor.refresh(source, after.headers["ETag"])

    assert list_employees(before) == list_employees(after) == ["N2", "N1", "N0"]
    [newer] = after.find(".notice a")
    assert (newer.text_content(), newer.get("href")) == ("2 newer: show", "./jobs")
    assert more.status == 304


@pytest_asyncio.fixture(loop_scope="module")
async def admin(guest: Browser, shared_clients: ConsoleClients) -> Browser:
    """Return a browser of a console with logins, which has jobs of named clients."""
    await guest.log_in(shared_clients.tokens["admin"])
    return guest


@pytest_asyncio.fixture(loop_scope="module")
async def found(locked_console: RunningApp) -> Job:
    """Return a job that can be found by each of its marks, among others."""
    job = a_failed_job(
        NOW,
        empid="E77",
        email="Grace@example.org",
        request_id="9d4c1c60-request",
        client="payroll",
    )
    await keep(locked_console, job, *number_jobs(3))
    return job


async def test_the_search_field_takes_whatever_was_pasted(admin: Browser, found: Job) -> None:
    text = (found.id, f" {found.id.upper()}\n", f"<{found.message_id}>", found.message_id)
    others = (found.email, "grace@EXAMPLE.org", found.empid, found.request_id, found.id[:20])
    for each in (*text, *others):
        answer = await search(admin, each)
        assert answer.status == 303, each
        assert admin.follow(answer, "/jobs") == f"/jobs/{found.id}", each


async def test_several_jobs_of_an_employee_are_listed(
    visitor: Browser, console: RunningApp
) -> None:
    await keep(console, a_kept_job(NOW, empid="E 5&x"), a_kept_job(NOW, empid="E 5&x"))

    answer = await search(visitor, "E 5&x")
    page = await visitor.open(visitor.follow(answer, "/jobs"))

    assert parse_qs(urlsplit(answer.location).query) == {"empid": ["E 5&x"]}
    assert list_employees(page) == ["E 5&x", "E 5&x"]


async def test_a_searched_address_is_in_no_address_of_a_page(
    visitor: Browser, console: RunningApp
) -> None:
    await keep(console, *number_jobs(60, email="ada@example.org"))

    first = await search(visitor, "ada@example.org")
    fields = {each.get("name"): each.get("value") for each in first.find(".pages input")}
    second = await visitor.send("/jobs", fields)

    assert (first.status, second.status) == (200, 200)
    assert [len(list_employees(each)) for each in (first, second)] == [50, 10]
    assert "60 jobs in all" in first.words
    assert "Jobs with address ada@example.org" in first.words
    for page in (first, second):
        for each in page.find("[href], [action], [hx-get]"):
            link = each.get("href") or each.get("action") or each.get("hx-get")
            assert "ada" not in link
        assert not page.find("[data-live]")


@pytest.mark.parametrize(
    "text",
    ["f" * 32, "nothing", "x@example.org", "<x", "\x00", "@", "é" * 400, '"><script>', "a" * 64000],
)
async def test_a_search_without_a_hit_explains_itself(visitor: Browser, text: str) -> None:
    page = await search(visitor, text)

    assert page.status == 200
    assert page.words.startswith("Nothing found")
    assert "Finished jobs are kept for 30 days" in page.words
    assert not page.find("main script")


async def test_the_filter_is_that_of_the_contract(
    admin: Browser, locked_console: RunningApp
) -> None:
    invitation = an_invitation(id="e" * 32, message_id="e@example.org", dedup_key="e", empid="M")
    assert invitation.meeting is not None
    jobs = [
        a_kept_job(NOW, id="a" * 32, empid="A", client="payroll", request_id="r-1"),
        a_kept_job(NOW, id="b" * 32, empid="B", due_time=NOW + timedelta(days=3)),
        a_kept_job(NOW, id="c" * 32, empid="C", state=State.SENT, email="Eve@example.org"),
        invitation,
    ]
    await keep(locked_console, *jobs)
    later = f"{NOW + timedelta(days=2, hours=12):%Y-%m-%dT%H:%M}"
    cases: list[tuple[dict[str, str], list[str]]] = [
        ({"state": "SENT"}, ["C"]),
        ({"state": "SCHEDULED", "due_from": later}, ["B"]),
        ({"state": "SCHEDULED", "due_before": later}, ["M", "A"]),
        ({"empid": "B"}, ["B"]),
        ({"email": "eve@example.org"}, ["C"]),
        ({"request_id": "r-1"}, ["A"]),
        ({"id_prefix": "bb"}, ["B"]),
        ({"meeting_id": invitation.meeting.meeting_id}, ["M"]),
        ({"client": "payroll"}, ["A"]),
        ({"client": "payroll", "empid": "A"}, ["A"]),
        ({"order": "CREATE_TIME_ASC"}, ["A", "B", "C", "M"]),
        ({"state": "SCHEDULED", "order": "DUE_TIME_DESC"}, ["B", "A", "M"]),
    ]
    for fields, expected in cases:
        answer = await admin.send("/jobs", fields)
        if answer.status == 303:
            answer = await admin.open(admin.follow(answer, "/jobs"))
        assert (answer.status, list_employees(answer)) == (200, expected), fields


async def test_a_filter_that_no_index_serves_is_explained_and_kept(visitor: Browser) -> None:
    both = await visitor.send("/jobs", {"state": "SENT", "empid": "E1"})
    order = await visitor.send("/jobs", {"empid": "E1", "order": "DUE_TIME_ASC"})
    wrong = await visitor.open("/jobs?state=LOST&due_from=soon&client=%00")
    stale = await visitor.open("/jobs?page=x")

    assert "no index serves that" in both.words
    assert both.find("#empid")[0].get("value") == "E1"
    assert order.find("#order-problem")[0].text_content() == "does not go with this filter"
    assert {each.get("id") for each in wrong.find("p.problem[id]")} == {
        *("state-problem", "due_from-problem", "client-problem")
    }
    assert [each.status for each in (both, order, wrong, stale)] == [400] * 4


async def test_an_empty_list_says_why(visitor: Browser) -> None:
    empty = await visitor.open("/jobs")
    filtered = await visitor.open("/jobs?state=FAILED")

    assert "No job yet. This makes one:" in empty.words
    assert "Jobs with state FAILED, due first. Clear it" in filtered.words
    assert "No job is like that." in filtered.words


async def test_hostile_texts_are_text(visitor: Browser, console: RunningApp) -> None:
    job = a_hostile_job(NOW)
    await keep(console, job)
    for path in ("/jobs", f"/jobs/{job.id}", f"/jobs/{job.id}/again"):
        page = await visitor.open(path)
        assert page.status == 200
        assert not page.find("main script, main img, [onerror]"), path
        for each in page.find("[hx-get]"):
            assert each.get("hx-get") != "/x"
