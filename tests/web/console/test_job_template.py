"""The page of a job says whether its template is still the one of its latest try."""

from pathlib import Path

import pytest

from gcsched.adapters.mail.templates import Templates
from gcsched.pb import task_pb2
from tests.support.console import Answer, Browser, find_base, open_browser, running_console
from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.template_folders import a_folder
from tests.support.wait import until

SAME = "It is the same as at the latest try."
CHANGED = "The template has changed since the latest try"


async def open_sent(browser: Browser, job_id: str) -> Answer:
    async def find() -> Answer | None:
        page = await browser.open(f"/jobs/{job_id}")
        return page if "✓ SENT" in page.words else None

    found = await until(find)
    assert isinstance(found, Answer)
    return found


async def test_the_page_says_so_after_the_template_was_edited(
    tmp_path: Path, mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    folder = a_folder(tmp_path, doc_html="{% include '_part.html' %}", _part_html="<p>one</p>")
    stores = {"mongo": mongo_uri, "redis": redis_url}
    settings = {"templates_dir": str(folder), "internal_domains": "bench.test"}

    async with (
        running_console(relay_port=relay.port, **stores, **settings) as app,
        scheduler_stub(app.target) as stub,
    ):
        job_id = (await stub.ScheduleMeet(a_meet())).job_id
        async with open_browser(find_base(app)) as browser:
            before = await open_sent(browser, job_id)
    (folder / "_part.html").write_text("<p>two</p>", "utf-8")
    async with running_console(relay_port=relay.port, **stores, **settings) as app:
        async with open_browser(find_base(app)) as browser:
            after = await open_sent(browser, job_id)
        await app.resources.mongo.jobs.update_one({}, {"$unset": {"attempts.0.template": ""}})
        async with open_browser(find_base(app)) as browser:
            unknown = await open_sent(browser, job_id)
        async with scheduler_stub(app.target) as stub:
            job = await stub.GetJob(task_pb2.GetJobRequest(job_id=job_id))

    assert SAME in before.words
    assert CHANGED not in before.words
    assert CHANGED in after.words
    assert SAME not in unknown.words
    assert CHANGED not in unknown.words
    assert len(job.attempts) == 1


@pytest.mark.parametrize("changed", ["doc.html", "doc.txt", "_part.html"])
def test_a_digest_is_that_of_all_files_of_a_template_and_of_no_other(
    tmp_path: Path, changed: str
) -> None:
    parts = {"doc_html": "{% include '_part.html' %}", "doc_txt": "a", "_part_html": "b"}
    folder = a_folder(tmp_path, **parts, other_html="c")
    first = Templates.load(folder)
    (folder / changed).write_text((folder / changed).read_text() + " ", "utf-8")
    second = Templates.load(folder)

    assert first.find_digest("doc") != second.find_digest("doc")
    assert first.find_digest("other") == second.find_digest("other")
    assert len(first.find_digest("doc")) == 8
    assert first.find_digest("nothing") == ""
