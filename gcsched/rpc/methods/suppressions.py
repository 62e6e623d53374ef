"""The methods for suppressions: convert the request, call the use case, convert the reply."""

from dataclasses import dataclass, replace
from datetime import datetime

from gcsched.domain.address import parse_stored_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.page_token import encode_page_token, parse_page_size, parse_page_token
from gcsched.domain.suppression import (
    NewSuppression,
    expire_time_violations,
    parse_new_suppression,
)
from gcsched.pb import task_pb2
from gcsched.rpc.call import Context, call_scope, call_timeout_scope
from gcsched.rpc.caller import current_actor
from gcsched.rpc.messages import suppression_message
from gcsched.rpc.requests import parse_timestamp
from gcsched.usecases.audited_acts import AuditedSuppressions
from gcsched.usecases.management.suppressions import ManageSuppressions
from gcsched.usecases.ports import Clock

LIST_NAME = "suppressions"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionMethods:
    suppressions: ManageSuppressions
    changing: AuditedSuppressions
    now: Clock
    addresses: AddressRules = AddressRules.PUBLIC

    async def ListSuppressions(
        self, request: task_pb2.ListSuppressionsRequest, context: Context
    ) -> task_pb2.ListSuppressionsResponse:
        async with call_timeout_scope(request, context, "listing suppressions"):
            limit, after = require_valid(page_from(request))
            page = await self.suppressions.read_page(after, most=limit)
            return task_pb2.ListSuppressionsResponse(
                suppressions=[suppression_message(each) for each in page.suppressions],
                next_page_token=encode_page_token(LIST_NAME, [page.next_address])
                if page.next_address
                else "",
            )

    async def GetSuppression(
        self, request: task_pb2.GetSuppressionRequest, context: Context
    ) -> task_pb2.Suppression:
        async with call_timeout_scope(request, context, "reading a suppression"):
            address = require_valid(parse_stored_address(request.email, field="email"))
            return suppression_message(await self.suppressions.find(address))

    async def AddSuppression(
        self, request: task_pb2.AddSuppressionRequest, context: Context
    ) -> task_pb2.Suppression:
        async with call_scope(request, context) as within:
            new = require_valid(suppression_from(request, rules=self.addresses, now=self.now()))
            added = await self.changing.add(
                new.address,
                reason=new.reason,
                until=new.expire_time,
                actor=current_actor("AddSuppression"),
                within=within,
            )
            return suppression_message(added)

    async def RemoveSuppression(
        self, request: task_pb2.RemoveSuppressionRequest, context: Context
    ) -> task_pb2.RemoveSuppressionResponse:
        async with call_scope(request, context) as within:
            address = require_valid(parse_stored_address(request.email, field="email"))
            removed = await self.changing.remove(
                address, actor=current_actor("RemoveSuppression"), within=within
            )
            return task_pb2.RemoveSuppressionResponse(suppression=suppression_message(removed))


def suppression_from(
    request: task_pb2.AddSuppressionRequest, *, rules: AddressRules, now: datetime
) -> Checked[NewSuppression]:
    """Parse address, reason and expire time; no time means the configured duration."""
    new = yield from parse_new_suppression(
        request.email, request.reason, None, rules=rules, now=now
    )
    if not request.HasField("expire_time"):
        return new
    expire_time = yield from parse_timestamp(request.expire_time, "expire_time")
    if expire_time is not None:
        yield from expire_time_violations(expire_time, now=now)
    return replace(new, expire_time=expire_time)


def page_from(request: task_pb2.ListSuppressionsRequest) -> Checked[tuple[int, str]]:
    """Parse the page size, and the address that the page starts after."""
    limit = yield from parse_page_size(request.page_size)
    position = yield from parse_page_token(LIST_NAME, request.page_token, parts=1)
    return limit, "".join(position)
