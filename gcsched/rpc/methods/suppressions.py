"""The methods for blocked addresses: convert, call the use case, convert."""

from dataclasses import dataclass
from datetime import datetime

from gcsched.domain.address import parse_new_address, parse_stored_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.page_token import encode_page_token, parse_page_size, parse_page_token
from gcsched.domain.suppression import expire_time_violations
from gcsched.domain.validation import reason_violations
from gcsched.pb import task_pb2
from gcsched.rpc.call import Context, timed_call_scope
from gcsched.rpc.messages import suppression_message
from gcsched.rpc.requests import parse_timestamp
from gcsched.usecases.management.suppressions import ManageSuppressions
from gcsched.usecases.ports import Clock

LIST_NAME = "suppressions"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionMethods:
    suppressions: ManageSuppressions
    now: Clock
    addresses: AddressRules = AddressRules.PUBLIC

    async def ListSuppressions(
        self, request: task_pb2.ListSuppressionsRequest, context: Context
    ) -> task_pb2.ListSuppressionsResponse:
        async with timed_call_scope(request, context, "listing blocked addresses"):
            most, after = require_valid(page_from(request))
            page = await self.suppressions.read_page(after, most=most)
            return task_pb2.ListSuppressionsResponse(
                suppressions=[suppression_message(each) for each in page.suppressions],
                next_page_token=encode_page_token(LIST_NAME, [page.next_address])
                if page.next_address
                else "",
            )

    async def GetSuppression(
        self, request: task_pb2.GetSuppressionRequest, context: Context
    ) -> task_pb2.Suppression:
        async with timed_call_scope(request, context, "looking for a blocked address"):
            address = require_valid(parse_stored_address(request.email, field="email"))
            return suppression_message(await self.suppressions.find(address))

    async def AddSuppression(
        self, request: task_pb2.AddSuppressionRequest, context: Context
    ) -> task_pb2.Suppression:
        async with timed_call_scope(request, context, "blocking an address"):
            address, reason, until = require_valid(self._suppression_from(request))
            blocked = await self.suppressions.add(address, reason=reason, until=until)
            return suppression_message(blocked)

    async def RemoveSuppression(
        self, request: task_pb2.RemoveSuppressionRequest, context: Context
    ) -> task_pb2.RemoveSuppressionResponse:
        async with timed_call_scope(request, context, "freeing an address"):
            address = require_valid(parse_stored_address(request.email, field="email"))
            freed = await self.suppressions.remove(address)
            return task_pb2.RemoveSuppressionResponse(suppression=suppression_message(freed))

    def _suppression_from(
        self, request: task_pb2.AddSuppressionRequest
    ) -> Checked[tuple[str, str, datetime | None]]:
        """Read the address, the reason, and until when; None: as long as the operator has set."""
        address = yield from parse_new_address(request.email, field="email", rules=self.addresses)
        reason = request.reason.strip()
        yield from reason_violations(reason, at_least=1)
        until = None
        if request.HasField("expire_time"):
            until = yield from parse_timestamp(request.expire_time, "expire_time")
        if until is not None:
            yield from expire_time_violations(until, now=self.now())
        return address, reason, until


def page_from(request: task_pb2.ListSuppressionsRequest) -> Checked[tuple[int, str]]:
    """Read how many addresses are wanted, and after which one."""
    most = yield from parse_page_size(request.page_size)
    place = yield from parse_page_token(LIST_NAME, request.page_token, parts=1)
    return most, "".join(place)
