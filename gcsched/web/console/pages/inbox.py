"""Inbox: the mails that `gcsched dev` has caught, for people and for suites of tests."""

import math
import time
from collections.abc import Sequence
from datetime import timedelta

from aiohttp import web

from gcsched.web.console.call import Call
from gcsched.web.console.inbox import Inbox, InboxEntry, InboxMail
from gcsched.web.console.mail_view import MailFacts, read_facts, show_mail
from gcsched.web.console.problems import UnknownPage
from gcsched.web.console.routing import Kind, Route

ACT = "inbox"
PAGE_SIZE = 50
MAX_MESSAGES = 100
MAX_WAIT_SECONDS = 30.0
WAIT_WITHIN = timedelta(seconds=MAX_WAIT_SECONDS + 10)
MAX_SHOWN = 500_000
"""Of a text and of a source; the file of the mail has it all."""
TABS = ("html", "text", "headers", "source")
TITLES = {"html": "HTML", "text": "Text", "headers": "Headers", "source": "Source"}
NO_FACTS = MailFacts([], has_remote_images=False)


def find_inbox(call: Call) -> Inbox:
    """Return the inbox. Raises UnknownPage where there is none: only `gcsched dev` has it."""
    if call.installation.inbox is None:
        raise UnknownPage
    return call.installation.inbox


async def show(call: Call) -> web.StreamResponse:
    query = call.request.query
    words, before = query.get("q", "").strip(), query.get("before", "")
    found = await find_inbox(call).list_mails(words=words, before=before, most=PAGE_SIZE + 1)
    mails = found[:PAGE_SIZE]
    return call.page(
        "inbox.html",
        words=words,
        mails=mails,
        is_first=not before,
        next=mails[-1].id if len(found) > PAGE_SIZE else "",
    )


async def find_mail(call: Call) -> InboxMail:
    mail = await find_inbox(call).read_mail(call.request.match_info["id"])
    if mail is None:
        raise UnknownPage
    return mail


async def show_one(call: Call) -> web.StreamResponse:
    """Show a mail: one tab of it, its attachments, and the link to its job."""
    mail, chosen = await find_mail(call), call.request.query.get("tab", "")
    has = {"html": mail.html is not None, "text": mail.text is not None}
    tabs = [each for each in TABS if has.get(each, True)]
    return call.page(
        "inbox_mail.html",
        mail=mail,
        tabs=tabs,
        titles=TITLES,
        tab=chosen if chosen in tabs else tabs[0],
        facts=NO_FACTS if mail.html is None else read_facts(mail.html),
        has_images="images" in call.request.query,
        most=MAX_SHOWN,
    )


async def show_html(call: Call) -> web.StreamResponse:
    """Answer with the HTML of a mail alone."""
    mail = await find_mail(call)
    if mail.html is None:
        raise UnknownPage
    return show_mail(mail.html, parts=mail.parts, has_images="images" in call.request.query)


async def send_attachment(call: Call) -> web.StreamResponse:
    """Send an attachment as a file to save: no browser opens it as a page of the console."""
    mail, number = await find_mail(call), call.request.match_info["number"]
    places = {str(place): each for place, each in enumerate(mail.attachments)}
    if number not in places:
        raise UnknownPage
    # The name comes from the mail, so the browser gets it from the link that offers it.
    return web.Response(
        body=places[number].content,
        content_type="application/octet-stream",
        headers={"Content-Disposition": "attachment"},
    )


async def delete_all(call: Call) -> web.StreamResponse:
    await find_inbox(call).delete_mails()
    return call.redirect("/inbox", done="emptied")


async def list_messages(call: Call) -> web.StreamResponse:
    """Answer with the mails to an address as JSON; wait for the first one if there is none."""
    inbox, recipient = find_inbox(call), call.request.query.get("to", "")
    until = time.monotonic() + parse_wait(call.request.query.get("wait", ""))
    while True:
        found = await inbox.list_mails(recipient=recipient, most=MAX_MESSAGES)
        left = until - time.monotonic()
        if found or left <= 0:
            return web.json_response({"messages": await describe_all(inbox, found)})
        await inbox.wait_for_mail(left)


def parse_wait(text: str) -> float:
    try:
        seconds = float(text or 0)
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), MAX_WAIT_SECONDS) if math.isfinite(seconds) else 0.0


async def describe_all(inbox: Inbox, found: Sequence[InboxEntry]) -> list[dict[str, object]]:
    mails = [await inbox.read_mail(each.id) for each in found]
    return [describe(each) for each in mails if each is not None]


def describe(mail: InboxMail) -> dict[str, object]:
    entry = mail.entry
    return {
        "id": entry.id,
        "time": entry.time.isoformat(),
        "to": list(entry.recipients),
        "from": entry.sender,
        "subject": entry.subject,
        "message_id": entry.message_id,
        "job_id": entry.job_id,
        "text": mail.text,
        "html": mail.html,
        "html_path": f"/inbox/{entry.id}/html" if mail.html is not None else None,
        "headers": [list(each) for each in mail.headers],
        "attachments": [
            {"name": each.name, "type": each.content_type, "octets": len(each.content)}
            for each in mail.attachments
        ],
    }


async def delete_messages(call: Call) -> web.StreamResponse:
    """Delete the mails to an address, or all, and answer with their number."""
    recipient = call.request.query.get("to", "")
    return web.json_response({"deleted": await find_inbox(call).delete_mails(recipient=recipient)})


ROUTES = (
    Route(method="GET", path="/inbox", act=ACT, handler=show),
    Route(method="GET", path="/inbox/messages", act=ACT, handler=list_messages, within=WAIT_WITHIN),
    Route(
        method="DELETE",
        path="/inbox/messages",
        act=ACT,
        handler=delete_messages,
        kind=Kind.ACT,
        page="/inbox",
    ),
    Route(method="POST", path="/inbox", act=ACT, handler=delete_all, kind=Kind.ACT, page="/inbox"),
    Route(method="GET", path="/inbox/{id}", act=ACT, handler=show_one),
    Route(method="GET", path="/inbox/{id}/html", act=ACT, handler=show_html),
    Route(method="GET", path="/inbox/{id}/parts/{number}", act=ACT, handler=send_attachment),
)
