"""Suppressions as files: all of them to download, and many at once from a file."""

import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from aiohttp import web

from gcsched.domain.checks import require_valid
from gcsched.domain.validation import reason_violations
from gcsched.errors import GcschedError, InvalidRequest
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.management.suppression_import import (
    ImportLine,
    ImportSuppressions,
    RefusedLine,
)
from gcsched.usecases.management.suppressions import SuppressionPage
from gcsched.web.console.call import Call
from gcsched.web.console.pages.suppressions import PAGE, read_page, show_refused
from gcsched.web.console.routing import CHANGE_MANY_WITHIN, Kind, Route
from gcsched.web.console.suppression_file import (
    MAX_OCTETS,
    ImportRules,
    Row,
    parse_row,
    read_rows,
    write_header,
    write_rows,
)
from gcsched.web.console.upload import Upload, read_upload

EXPORT_PAGE_SIZE = 200
EXPORT_WITHIN = CHANGE_MANY_WITHIN
MAX_SHOWN = 200
"""Of the lines that were refused; the count is that of all."""
REPORT_MARGIN = timedelta(seconds=2)
"""The page of the import needs some time too."""


async def export(call: Call) -> web.StreamResponse:
    """Send all suppressions as CSV, page by page, so that a long list needs no memory."""
    first = await read_page(call, "", most=EXPORT_PAGE_SIZE)
    name = f"suppressions-{call.times().now:%Y-%m-%d}.csv"
    return web.Response(
        body=write_pages(call, first),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def write_pages(call: Call, page: SuppressionPage) -> AsyncIterator[bytes]:
    """Yield the file from its first *page* on.

    A failure breaks the connection: a file that ends properly would be taken for the whole list.
    """
    until = time.monotonic() + EXPORT_WITHIN.total_seconds()
    yield write_header().encode()
    while True:
        yield write_rows(page.suppressions).encode()
        if not page.next_address:
            return
        try:
            page = await read_page(call, page.next_address, most=EXPORT_PAGE_SIZE)
        except GcschedError:
            break
        if time.monotonic() > until:
            break
    if call.request.transport is not None:
        call.request.transport.abort()


async def import_file(call: Call) -> web.StreamResponse:
    start = time.monotonic()
    upload = await read_upload(call.request, file_field="file", most=MAX_OCTETS)
    try:
        rows, rules = require_valid(read_rows(upload.content)), read_rules(call, upload)
    except InvalidRequest as error:
        return await show_refused(call, {}, error, act="import")
    parsed, services = await parse_rows(rows, rules), call.services
    importing = ImportSuppressions(
        suppressions=services.suppressions, changing=services.change_suppressions
    )
    async with services.slots.changing_many.slot(call.within):
        over = timedelta(seconds=time.monotonic() - start)
        report = await importing.add_all(
            [each for each in parsed if isinstance(each, ImportLine)],
            [each for each in parsed if isinstance(each, RefusedLine)],
            actor=call.actor("AddSuppression"),
            within=call.within - over - REPORT_MARGIN,
        )
    return call.page(
        "suppressions_imported.html",
        report=report,
        shown=report.refused[:MAX_SHOWN],
    )


async def parse_rows(
    rows: Sequence[tuple[int, Row]], rules: ImportRules
) -> list[ImportLine | RefusedLine]:
    """Parse *rows*; an address that is not ASCII takes a millisecond, so mails go on in between."""
    parsed, share = list[ImportLine | RefusedLine](), LoopShare()
    for number, cells in rows:
        if not share.try_take():
            await share.wait()
        parsed.append(parse_row(number, cells, rules))
    return parsed


def read_rules(call: Call, upload: Upload) -> ImportRules:
    reason = upload.fields.get("default_reason", "").strip()
    require_valid(reason_violations(reason))
    times = call.times()
    return ImportRules(
        addresses=call.services.rules.addresses,
        default_reason=reason,
        zone=times.zone,
        now=times.now,
    )


ROUTES = (
    Route(method="GET", path="/suppressions/export", act="ListSuppressions", handler=export),
    Route(
        method="POST",
        path="/suppressions/import",
        act="AddSuppression",
        handler=import_file,
        kind=Kind.ACT,
        page=PAGE,
        within=CHANGE_MANY_WITHIN,
    ),
)
