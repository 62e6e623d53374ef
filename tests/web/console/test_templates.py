"""Templates: what each needs, its mails with examples, with typed values and those of a job."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.console_jobs import HOSTILE, a_kept_job, keep
from tests.support.in_process_app import RunningApp
from tests.support.relay.server import Relay
from tests.support.template_folders import a_folder
from tests.support.wait import until

NOW = datetime.now(UTC).replace(microsecond=0)
BILL = (
    "<style>b { color: red }</style><p>Dear {{ username }}, <b>{{ amount }}</b> for"
    ' {{ invoice_number }}: <a href="https://pay.example.org/{{ empid }}">pay</a></p>'
)


@pytest.fixture
def console_settings(tmp_path: Path) -> dict[str, str]:
    (folder := tmp_path / "templates").mkdir()
    a_folder(folder, bill_html=BILL, bill_txt="{{ amount }} for {{ invoice_number }}")
    a_folder(folder, photo_html='<p><img src="https://img.example.org/x" alt="x"></p>')
    allowed = "example.org,zoe@bench.test"
    return {
        "templates_dir": str(folder),
        "test_recipients": allowed,
        "internal_domains": "bench.test",
    }


@pytest.fixture
def clients(clients: ConsoleClients) -> ConsoleClients:
    clients.add("read", "schedule")
    clients.add("read", "schedule", "content")
    return clients


def read_fields(page: Answer) -> dict[str, str]:
    """Return the values in the form of the preview."""
    [form] = page.find(".sample form.card[method=post][action$='#mail']")
    return {each.get("name"): each.get("value") for each in form.cssselect("input")}


async def test_the_list_says_what_each_template_needs(browser: Browser) -> None:
    page = await browser.open("/templates")

    rows = [" ".join(each.text_content().split()) for each in page.find("main tbody tr")]
    assert rows == [
        "bill amount, invoice_number its own",
        "cancellation a meeting its own",
        "doc nothing more made from the HTML",
        "invitation a meeting its own",
        "photo nothing more made from the HTML",
        "reminder a meeting its own",
        "update a meeting its own",
    ]


async def test_a_template_is_shown_with_an_example_for_each_field(browser: Browser) -> None:
    page = await browser.open("/templates/bill")
    mail = await browser.open("/templates/bill/mail")

    fields = read_fields(page)
    assert fields["var.amount"] == "(amount)"
    assert fields["var.invoice_number"] == "(invoice number)"
    assert page.find("iframe[sandbox='']")[0].get("src").startswith("../templates/bill/mail")
    assert f"Dear {fields['name']}, " in mail.tree.text_content()
    assert "sandbox" in mail.headers["Content-Security-Policy"]
    assert "pay: https://pay.example.org/E-17" in page.words


async def test_typed_values_are_in_all_views_and_in_no_address(browser: Browser) -> None:
    fields = read_fields(await browser.open("/templates/bill"))
    typed = {**fields, "name": "Ada", "var.amount": "12 € & more", "var.invoice_number": "A/7"}

    html = await browser.send("/templates/bill/mail", typed)
    text = await browser.send("/templates/bill", {**typed, "tab": "text"})
    headers = await browser.send("/templates/bill", {**typed, "tab": "headers", "message": "Hm é"})

    assert "Dear Ada, 12 € & more for A/7: pay" in html.tree.text_content()
    assert text.find("#mail pre")[0].text_content().strip() == "12 € & more for A/7"
    assert "Subject Hm é" in headers.words
    assert read_fields(text)["var.amount"] == "12 € & more"
    for page in (text, headers):
        assert not page.find("[href*='Ada'], [src*='Ada'], [action*='Ada']")
        assert not page.find("iframe[src]")


async def test_the_phone_view_has_the_width_of_a_phone(browser: Browser) -> None:
    page = await browser.open("/templates/bill?tab=phone")

    assert page.find("iframe.phone")
    assert [each.text_content() for each in page.find(".tabs [aria-current]")] == ["Phone"]


async def test_the_size_is_that_of_the_mail_as_it_is_sent(browser: Browser) -> None:
    page = await browser.open("/templates/doc")

    octets = int(page.words.partition(" octets as it is sent")[0].split()[-1].replace(",", ""))
    html = int(page.words.partition(" of them HTML")[0].split()[-1].replace(",", ""))
    assert html == len("<p>Zoë O&#39;Neil</p>".encode())
    assert 300 < octets - html < 3_000


async def test_as_for_a_job_the_values_are_those_of_its_recipient(
    browser: Browser, open_console: RunningApp
) -> None:
    variables = {"amount": "99 €", "more": "x"}
    job = a_kept_job(NOW, name="Grace", empid="E9", variables=variables, template="bill")
    await keep(open_console, job)

    page = await browser.open(f"/templates/bill?job={job.id}")
    mail = await browser.open(f"/templates/bill/mail?job={job.id}")

    fields = read_fields(page)
    assert (fields["name"], fields["email"], fields["empid"]) == ("Grace", job.email, "E9")
    assert (fields["var.amount"], fields["var.more"]) == ("99 €", "x")
    assert fields["var.invoice_number"] == "(invoice number)"
    assert "Dear Grace, 99 € for (invoice number)" in mail.tree.text_content()


@pytest.mark.parametrize(
    ("job_id", "problem"),
    [("4f1c62d8a1b2c3d4", "There is no such job"), ("x" * 200, "must have 1 to 128 characters")],
)
async def test_a_job_that_is_none_is_marked_at_its_field(
    browser: Browser, job_id: str, problem: str
) -> None:
    page = await browser.open(f"/templates/bill?job={job_id}")

    assert page.status == 400
    assert problem in page.find("#job-problem")[0].text_content()
    assert page.find("iframe[src]")


async def test_the_values_of_a_job_need_the_scope_content(
    stranger: Browser, closed_console: RunningApp, clients: ConsoleClients
) -> None:
    job = a_kept_job(NOW, name="Grace")
    await keep(closed_console, job)

    await stranger.log_in(clients.tokens["read-schedule"])
    refused = [await stranger.open(f"/templates/bill{p}?job={job.id}") for p in ("", "/mail")]
    await stranger.log_in(clients.tokens["read-schedule-content"])
    shown = await stranger.open(f"/templates/bill?job={job.id}")

    assert [each.status for each in refused] == [403, 403]
    assert not [each for each in refused if "Grace" in each.text]
    assert read_fields(shown)["name"] == "Grace"


async def test_a_mail_that_cannot_be_made_says_why(browser: Browser) -> None:
    typed = {"name": "\x00", "var.amount": "1", "var.invoice_number": "2"}

    page = await browser.send("/templates/bill", typed)

    assert "This mail cannot be made: name must not contain" in page.words
    assert not page.find("iframe")


async def test_hostile_values_are_text(browser: Browser) -> None:
    fields = read_fields(await browser.open("/templates/bill"))
    typed = {name: HOSTILE if name != "email" else value for name, value in fields.items()}

    page = await browser.send("/templates/bill", {**typed, "tab": "html"})

    assert page.status == 200
    assert not page.find("main img, main script, main [hx-get='/x']")
    assert read_fields(page)["var.amount"] == HOSTILE


async def test_images_of_other_servers_load_only_after_a_click(browser: Browser) -> None:
    closed = await browser.open("/templates/photo")
    [link] = [each.get("href") for each in closed.find("#mail .notice a")]
    opened = await browser.open("/templates/photo" + link[link.index("?") :].partition("#")[0])
    typed = {"name": "Ada"}
    buttons = (await browser.send("/templates/photo", typed)).find("#mail button[name=images]")
    frames = [page.find("iframe")[0].get("src") for page in (closed, opened)]
    mails = [
        *[await browser.open("/templates" + each.partition("templates")[2]) for each in frames],
        await browser.send("/templates/photo/mail", typed),
        await browser.send("/templates/photo/mail", {**typed, "images": "1"}),
    ]

    policies = [each.headers["Content-Security-Policy"] for each in mails]
    assert ["img-src data:;" in each for each in policies] == [True, False, True, False]
    assert [each.get("value") for each in buttons] == ["1"]
    assert not opened.find("#mail .notice")


async def test_an_unknown_template_is_not_found(browser: Browser) -> None:
    page = await browser.open("/templates/nothing")

    assert (page.status, page.words) == (
        404,
        "Not found The service has no template of this name. Open Templates",
    )


def fill_test(page: Answer, to: str) -> dict[str, str]:
    [form] = page.find("form[action$='/send']")
    given = {each.get("name"): each.get("value") for each in form.cssselect("input")}
    return {**given, "to": to}


async def test_a_test_mail_has_the_values_of_the_preview_and_is_sent_once(
    browser: Browser, relay: Relay
) -> None:
    typed = {"name": "Ada", "var.amount": "12 EUR", "var.invoice_number": "7", "tab": "text"}
    form = fill_test(await browser.send("/templates/bill", typed), "me@example.org")

    sent = await browser.send("/templates/bill/send", form)
    again = await browser.send("/templates/bill/send", form)

    job = browser.follow(sent, "/templates/bill/send").partition("?")[0]
    assert (sent.status, again.status) == (303, 303)
    assert browser.follow(again, "/templates/bill/send").partition("?")[0] == job
    [mail] = await until(lambda: relay.ledger)
    assert mail.recipient == "me@example.org"
    assert b"12 EUR for 7" in mail.content
    assert "The test mail is on its way." in (await browser.open(f"{job}?done=test")).words


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ("me@elsewhere.org", "must be one of GCSCHED_TEST_RECIPIENTS"),
        ("ada@bench.test", "must be one of GCSCHED_TEST_RECIPIENTS"),
        ("", "must have 1 to 254 characters"),
    ],
)
async def test_only_listed_addresses_get_test_mails(
    browser: Browser, open_console: RunningApp, to: str, problem: str
) -> None:
    form = fill_test(await browser.open("/templates/bill"), to)

    page = await browser.send("/templates/bill/send", form)

    assert page.status == 400
    assert problem in page.find("#to-problem")[0].text_content()
    assert read_fields(page)["var.amount"] == "(amount)"
    assert await open_console.resources.mongo.jobs.count_documents({}) == 0
