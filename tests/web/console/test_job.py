"""The page of a job: its headline, its timeline and its mail, and what is done about it."""

from datetime import UTC, datetime, timedelta

import pytest

from gcsched.domain.job import Job, State
from gcsched.pb import task_pb2
from tests.support.builders import an_invitation
from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.console_jobs import a_failed_job, a_kept_job, an_uncertain_job, keep
from tests.support.in_process_app import RunningApp
from tests.support.relay.server import Relay
from tests.support.service_process import Stub
from tests.support.wait import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def shared_settings() -> dict[str, str]:
    return {"timezone": "Europe/Berlin", "internal_domains": "bench.test"}


SCOPES = (("read", "steer"), ("read", "operate"), ("read", "schedule", "content"))


@pytest.fixture(scope="module")
def shared_clients(tmp_path_factory: pytest.TempPathFactory) -> ConsoleClients:
    found = ConsoleClients(file=tmp_path_factory.mktemp("clients") / "clients.toml")
    for scopes in (*SCOPES, ("admin",)):
        found.add(*scopes)
    return found


async def get_job(stub: Stub, job_id: str) -> task_pb2.Job:
    return await stub.GetJob(task_pb2.GetJobRequest(job_id=job_id))


def list_acts(page: Answer) -> list[str]:
    return [each.text_content() for each in page.find(".acts > a, .acts summary")]


def fill(page: Answer, act: str, **fields: str) -> dict[str, str]:
    """Return the fields of the form of *act*, filled in."""
    [form] = page.find(f"form[action$='/{act}']")
    given = {each.get("name"): each.get("value", "") for each in form.cssselect("input")}
    return given | fields


async def act(visitor: Browser, job: Job, name: str, **fields: str) -> Answer:
    """Open the page, fill in the form of the act *name*, and send it; follow a redirect."""
    page = await visitor.open(f"/jobs/{job.id}")
    path = f"/jobs/{job.id}/{name}"
    answer = await visitor.send(path, fill(page, name, **fields))
    if answer.status != 303:
        return answer
    return await visitor.open(visitor.follow(answer, path))


async def test_it_says_in_words_what_happened_in_order(
    visitor: Browser, console: RunningApp
) -> None:
    job = a_failed_job(NOW, client="payroll")
    await keep(console, job)

    page = await visitor.open(f"/jobs/{job.id}")

    [headline] = page.find(".headline")
    assert headline.text_content().startswith("✕ FAILED the address was refused, ")
    entries = [" ".join(each.text_content().split()) for each in page.find(".timeline li")]
    assert [each.partition(" ")[2] for each in entries] == [
        "accepted by payroll",
        (
            "try 1: refused for now by mx1.example.net in 60 s 451 4.7.1, a rule does not allow the"
            " delivery “451 4.7.1 at RCPT: try later”"
        ),
        (
            "try 2: the address was refused by mx1.example.net in 1 s 550 5.1.1, the mailbox does"
            " not exist “550 5.1.1 at RCPT: User unknown”"
        ),
    ]


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({}, "○ SCHEDULED waits until "),
        ({"state": State.QUEUED}, "○ QUEUED waits for the daily run "),
        ({"state": State.RETRYING, "attempt": 2}, "↻ RETRYING waits for its third try, at "),
        ({"state": State.CANCELLED, "dedup_key": None}, "\u2013 CANCELLED was withdrawn, "),
        ({"state": State.SENT}, "✓ SENT the relay took its mail, "),
        (
            {"state": State.SUPPRESSED, "dedup_key": None},
            "⊘ SUPPRESSED its address was blocked when it was due, ",
        ),
    ],
)
async def test_the_headline_of_each_state(
    visitor: Browser, console: RunningApp, others: dict[str, object], words: str
) -> None:
    job = a_kept_job(NOW, **others)
    await keep(console, job)

    page = await visitor.open(f"/jobs/{job.id}")

    assert page.find(".headline")[0].text_content().startswith(words)


async def test_a_job_that_is_not_there_says_how_long_jobs_are_kept(visitor: Browser) -> None:
    page = await visitor.open("/jobs/4f1c62d8a1b2c3d4")

    assert page.status == 404
    assert "4f1c62d8a1b2c3d4" in page.words


async def test_the_mail_is_beside_it_in_all_its_views(
    visitor: Browser, console: RunningApp
) -> None:
    job = a_kept_job(NOW, message="Grüße & more", name="Ada")
    await keep(console, job)
    views = {
        tab: await visitor.open(f"/jobs/{job.id}?tab={tab}")
        for tab in ("html", "text", "headers", "source", "json", "nothing")
    }
    bare = await visitor.open(f"/jobs/{job.id}/mail")

    [frame] = views["html"].find("iframe")
    assert (frame.get("sandbox"), frame.get("src")) == ("", f"../jobs/{job.id}/mail")
    assert views["nothing"].find("iframe")
    assert "Grüße &amp; more" in bare.text
    assert bare.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none';")
    assert "Grüße & more" in views["text"].words
    headers = {
        row.cssselect("th")[0].text_content(): row.cssselect("td")[0].text_content()
        for row in views["headers"].find("#mail tbody tr")
    }
    assert headers["Subject"] == "Grüße & more"
    assert headers["Message-ID"] == f"<{job.message_id}>"
    assert headers["Date"] == "(set when it leaves)"
    assert "Content-Type: multipart/alternative" in views["source"].words
    assert f'"job_id": "{job.id}"' in views["json"].words


async def test_a_refresh_does_not_make_the_mail_again(
    visitor: Browser, console: RunningApp
) -> None:
    job = a_kept_job(NOW)
    await keep(console, job)

    part = await visitor.refresh(f"/jobs/{job.id}")
    same = await visitor.refresh(f"/jobs/{job.id}", part.headers["ETag"])

    assert not part.find("iframe")
    assert same.status == 304


async def test_a_mail_that_cannot_be_made_says_why(visitor: Browser, console: RunningApp) -> None:
    gone, erased = a_kept_job(NOW, template="gone"), a_failed_job(NOW, email="", name="")
    await keep(console, gone, erased)

    assert "cannot be made now: " in (await visitor.open(f"/jobs/{gone.id}")).words
    forgotten = await visitor.open(f"/jobs/{erased.id}")
    assert "its recipient was forgotten" in forgotten.words
    assert list_acts(forgotten) == []


async def test_the_acts_are_those_of_the_state(visitor: Browser, console: RunningApp) -> None:
    meeting = an_invitation(
        id="e" * 32, message_id="e@example.org", dedup_key="e", due_time=NOW + timedelta(days=2)
    )
    expected = [
        (a_kept_job(NOW), ["Move…", "Cancel…", "Send again…", "Block address…"]),
        (a_failed_job(NOW), ["Retry…", "Send again…", "Block address…"]),
        (an_uncertain_job(NOW), ["Retry…", "Resolve…", "Send again…", "Block address…"]),
        (a_kept_job(NOW, state=State.SENT), ["Send again…", "Block address…"]),
        (meeting, ["Move…", "Cancel…", "Block address…"]),
    ]
    await keep(console, *(job for job, _ in expected))
    for job, acts in expected:
        page = await visitor.open(f"/jobs/{job.id}")
        assert list_acts(page) == acts
    assert meeting.meeting is not None
    [link] = page.find(f"a[href$='/meetings/{meeting.meeting.meeting_id}']")
    assert link.text_content() == meeting.meeting.meeting_id
    assert (await visitor.open(f"/jobs/{meeting.id}/again")).status == 400


async def test_cancel_keeps_who_and_why(visitor: Browser, console: RunningApp, stub: Stub) -> None:
    job = a_kept_job(NOW)
    await keep(console, job)

    page = await act(visitor, job, "cancel", reason="typed twice")

    assert "The job is cancelled." in page.words
    assert "CANCELLED" in page.find(".headline")[0].text_content()
    assert "“typed twice”" in page.words
    [step] = (await get_job(stub, job.id)).steps
    assert (step.via, step.method, step.reason) == ("console", "CancelJob", "typed twice")


async def test_a_moved_job_shows_its_new_time_in_the_zone_of_the_form(
    visitor: Browser, console: RunningApp, stub: Stub
) -> None:
    job = a_kept_job(NOW)
    await keep(console, job)

    page = await act(visitor, job, "reschedule", when="at", at="2027-01-15T09:30")
    moved = await get_job(stub, job.id)

    assert moved.due_time.ToDatetime(tzinfo=UTC) == datetime(2027, 1, 15, 8, 30, tzinfo=UTC)
    [time] = page.find(".headline time")
    assert time.text_content() == "2027-01-15 09:30:00"
    daily = await act(visitor, job, "reschedule", when="daily")
    assert "○ QUEUED waits for the daily run" in daily.words


@pytest.mark.parametrize("at", ["", "soon", "9999-12-31T23:59", "1960-01-01T00:00", "2027-01-15"])
async def test_a_time_that_cannot_be_is_a_problem_of_its_field(
    visitor: Browser, console: RunningApp, stub: Stub, at: str
) -> None:
    job = a_kept_job(NOW)
    await keep(console, job)

    page = await act(visitor, job, "reschedule", when="at", at=at)

    if at == "2027-01-15":  # midnight of that day
        assert page.status == 200
        return
    assert page.status == 400
    [form] = page.find("details.act[open]")
    assert form.cssselect("#move-at-problem")
    assert (await get_job(stub, job.id)).state == task_pb2.Job.SCHEDULED


async def test_retry_sends_the_mail(
    visitor: Browser, console: RunningApp, stub: Stub, shared_relay: Relay
) -> None:
    job = a_failed_job(NOW)
    await keep(console, job)

    page = await act(visitor, job, "retry")

    assert "The job is tried again." in page.words

    async def is_sent() -> bool:
        return (await get_job(stub, job.id)).state == task_pb2.Job.SENT

    await until(is_sent)
    assert list(shared_relay.per_recipient) == [job.email]


async def test_an_uncertain_job_is_resolved_with_its_evidence_and_a_reason(
    visitor: Browser, console: RunningApp, stub: Stub
) -> None:
    job = an_uncertain_job(NOW)
    await keep(console, job)

    page = await visitor.open(f"/jobs/{job.id}")
    without = await act(visitor, job, "resolve", state="SENT", reason=" ")
    settled = await act(visitor, job, "resolve", state="SENT", reason="in the log of mx1")

    assert "at mx1.example.net came as far as “BODY: the connection was closed”" in page.words
    assert without.status == 400
    assert without.find("#resolve-reason-problem")
    assert "settled as sent by anyone" in settled.words
    assert (await get_job(stub, job.id)).state == task_pb2.Job.SENT


async def test_a_form_of_an_older_version_changes_nothing_and_marks_what_is_new(
    visitor: Browser, console: RunningApp, stub: Stub
) -> None:
    job = a_kept_job(NOW)
    await keep(console, job)
    old = await visitor.open(f"/jobs/{job.id}")
    for_cancel = fill(old, "cancel", reason="typed <b>twice</b>")
    await act(visitor, job, "reschedule", when="daily")

    answer = await visitor.send(f"/jobs/{job.id}/cancel", for_cancel)

    assert answer.status == 409
    assert "The job has changed since this form was opened, so nothing was done." in answer.words
    assert "It was ○ SCHEDULED, and is ○ QUEUED now." in answer.words
    [new] = answer.find(".timeline li.new")
    assert "moved it" in new.text_content()
    [form] = answer.find("details.act[open]")
    assert form.cssselect("[name=reason]")[0].get("value") == "typed <b>twice</b>"
    again = await visitor.send(f"/jobs/{job.id}/cancel", fill(answer, "cancel"))
    assert again.status == 303
    assert (await get_job(stub, job.id)).state == task_pb2.Job.CANCELLED


async def test_without_an_etag_nothing_is_changed(
    visitor: Browser, console: RunningApp, stub: Stub
) -> None:
    job, failed, uncertain = a_kept_job(NOW), a_failed_job(NOW), an_uncertain_job(NOW)
    await keep(console, job, failed, uncertain)
    sent = {"reason": "x", "state": "SENT", "when": "daily", "zone": "UTC"}
    for each, name in (
        (job, "cancel"),
        (job, "reschedule"),
        (failed, "retry"),
        (job, "block"),
        (uncertain, "resolve"),
    ):
        assert (await visitor.send(f"/jobs/{each.id}/{name}", sent)).status == 409, name
        assert not (await get_job(stub, each.id)).steps


async def test_an_act_that_the_state_does_not_allow_says_why(
    visitor: Browser, console: RunningApp
) -> None:
    job = a_kept_job(NOW)
    await keep(console, job)
    fields = fill(await visitor.open(f"/jobs/{job.id}"), "cancel")

    answer = await visitor.send(f"/jobs/{job.id}/retry", fields)

    assert answer.status == 409
    assert "it waits to be sent; reschedule it instead" in answer.words


async def test_block_ends_what_is_sent_to_the_address(
    visitor: Browser, console: RunningApp, stub: Stub
) -> None:
    job = a_kept_job(NOW)
    await keep(console, job)

    without = await act(visitor, job, "block", reason="")
    late = await act(visitor, job, "block", reason="left", until="2001-01-01T00:00")
    page = await act(visitor, job, "block", reason="left the company", until="2030-06-01T00:00")
    found = await stub.GetSuppression(task_pb2.GetSuppressionRequest(email=job.email))
    audit = await stub.ListAudit(task_pb2.ListAuditRequest())

    assert (without.status, late.status) == (400, 400)
    assert without.find("#block-reason-problem")
    assert late.find("#block-until-problem")
    assert "The address is blocked" in page.words
    assert found.reason == "left the company"
    assert found.expire_time.ToDatetime(tzinfo=UTC) == datetime(2030, 5, 31, 22, tzinfo=UTC)
    assert (audit.entries[0].method, audit.entries[0].via) == ("AddSuppression", "console")


async def test_send_again_is_a_new_job_to_the_address_in_the_form(
    visitor: Browser, console: RunningApp, stub: Stub, shared_relay: Relay
) -> None:
    job = a_kept_job(
        NOW, state=State.SENT, email="adda@bench.test", variables={"note": "x"}, labels={"k": "v"}
    )
    await keep(console, job)
    path = f"/jobs/{job.id}/again"
    form = await visitor.open(path)
    fields = fill(form, "again", email="ada@bench.test")

    wrong = await visitor.send(path, fields | {"email": "no address"})
    first = await visitor.send(path, fields)
    repeated = await visitor.send(path, fields)
    other = await visitor.send(path, fields | {"email": "eve@bench.test"})
    page = await visitor.open(visitor.follow(first, path))

    assert wrong.status == other.status == 400
    assert wrong.find("#email")[0].get("value") == "no address"
    assert "This is the new job, which sends the mail again." in page.words
    new_id = first.location.rpartition("/")[2].partition("?")[0]
    assert new_id != job.id
    assert new_id in repeated.location
    assert repeated.location.endswith("done=again-before")
    made = await get_job(stub, new_id)
    assert (made.email, made.message, made.empid) == ("ada@bench.test", job.message, job.empid)
    assert (dict(made.labels), dict(made.variables)) == ({"k": "v"}, {"note": "x"})
    assert made.request_id.startswith(f"again-{job.id}-")
    await until(lambda: list(shared_relay.per_recipient) == ["ada@bench.test"])
    assert not (await get_job(stub, job.id)).steps


async def test_acts_need_the_scopes_of_their_methods(
    guest: Browser, shared_clients: ConsoleClients, locked_console: RunningApp
) -> None:
    job = an_uncertain_job(NOW)
    await keep(locked_console, job)
    shown = [["Retry…", "Resolve…"], ["Block address…"], ["Send again…"]]
    for scopes, acts in zip(SCOPES, shown, strict=True):
        await guest.log_in(shared_clients.tokens["-".join(scopes)])
        page = await guest.open(f"/jobs/{job.id}")
        assert list_acts(page) == acts, scopes
    answer = await guest.send(f"/jobs/{job.id}/retry", {"etag": "x"})
    assert (answer.status, "needs the scope steer" in answer.words) == (403, True)
