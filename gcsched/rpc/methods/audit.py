"""ListAudit: convert the request, call the use case, convert the reply."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gcsched.domain.audit import (
    AuditEntry,
    AuditFilter,
    audit_text_violations,
    find_digests,
)
from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.page_token import parse_page_size
from gcsched.pb import task_pb2
from gcsched.rpc.call import Context, call_timeout_scope
from gcsched.rpc.requests import parse_timestamp
from gcsched.usecases.audit import Audit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditMethods:
    audit: Audit

    async def ListAudit(
        self, request: task_pb2.ListAuditRequest, context: Context
    ) -> task_pb2.ListAuditResponse:
        async with call_timeout_scope(request, context, "listing the audit"):
            entry_filter, limit = require_valid(list_from(request))
            after = require_valid(entry_filter.parse_cursor(request.page_token))
            page = await self.audit.read_page(entry_filter, after, most=limit)
            return task_pb2.ListAuditResponse(
                entries=[entry_message(each) for each in page.entries],
                next_page_token=entry_filter.encode_cursor(page.next_after),
            )


def list_from(request: task_pb2.ListAuditRequest) -> Checked[tuple[AuditFilter, int]]:
    """Parse the filter and the page size."""
    limit = yield from parse_page_size(request.page_size)
    yield from audit_text_violations(client=request.client, subject=request.subject)
    entry_filter = AuditFilter(
        client=request.client,
        subjects=find_digests(request.subject) if request.subject else (),
        from_time=(yield from optional_time(request, "from_time")),
        before_time=(yield from optional_time(request, "before_time")),
    )
    return entry_filter, limit


def optional_time(
    request: task_pb2.ListAuditRequest, name: Literal["from_time", "before_time"]
) -> Checked[datetime | None]:
    if not request.HasField(name):
        return None
    return (yield from parse_timestamp(getattr(request, name), name))


def entry_message(entry: AuditEntry) -> task_pb2.AuditEntry:
    return task_pb2.AuditEntry(
        id=entry.id,
        time=entry.time,
        client=entry.client,
        via=entry.via,
        method=entry.method,
        details=entry.details,
        outcome=entry.outcome.value,
        count=entry.count,
        error=entry.error,
        end_time=entry.end_time,
    )
