"""The methods for blocked addresses: convert, call the use case, convert."""

from dataclasses import dataclass
from datetime import datetime

from gcsched.domain.address import kept_address, new_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import Checked, checked
from gcsched.domain.page_token import page_size, page_token, place_in
from gcsched.domain.suppression import until_violations
from gcsched.domain.validation import reason_violations
from gcsched.pb import task_pb2
from gcsched.rpc.call import Context, answering
from gcsched.rpc.messages import suppression_message
from gcsched.rpc.requests import moment
from gcsched.usecases.management.suppressions import Blocklist
from gcsched.usecases.ports import Clock

LIST = "suppressions"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionMethods:
    blocklist: Blocklist
    now: Clock
    addresses: AddressRules = AddressRules.PUBLIC

    async def ListSuppressions(
        self, request: task_pb2.ListSuppressionsRequest, context: Context
    ) -> task_pb2.ListSuppressionsResponse:
        async with answering(request, context, "listing blocked addresses"):
            most, after = checked(page_from(request))
            page = await self.blocklist.page(after, most=most)
            return task_pb2.ListSuppressionsResponse(
                suppressions=[suppression_message(each) for each in page.suppressions],
                next_page_token=page_token(LIST, [page.following]) if page.following else "",
            )

    async def GetSuppression(
        self, request: task_pb2.GetSuppressionRequest, context: Context
    ) -> task_pb2.Suppression:
        async with answering(request, context, "looking for a blocked address"):
            address = checked(kept_address(request.email, field="email"))
            return suppression_message(await self.blocklist.find(address))

    async def AddSuppression(
        self, request: task_pb2.AddSuppressionRequest, context: Context
    ) -> task_pb2.Suppression:
        async with answering(request, context, "blocking an address"):
            address, reason, until = checked(self._block_from(request))
            blocked = await self.blocklist.block(address, reason=reason, until=until)
            return suppression_message(blocked)

    async def RemoveSuppression(
        self, request: task_pb2.RemoveSuppressionRequest, context: Context
    ) -> task_pb2.RemoveSuppressionResponse:
        async with answering(request, context, "freeing an address"):
            address = checked(kept_address(request.email, field="email"))
            freed = await self.blocklist.free(address)
            return task_pb2.RemoveSuppressionResponse(suppression=suppression_message(freed))

    def _block_from(
        self, request: task_pb2.AddSuppressionRequest
    ) -> Checked[tuple[str, str, datetime | None]]:
        """Read the address, the reason, and until when; None: as long as the operator has set."""
        address = yield from new_address(request.email, field="email", rules=self.addresses)
        reason = request.reason.strip()
        yield from reason_violations(reason, at_least=1)
        until = None
        if request.HasField("expire_time"):
            until = yield from moment(request.expire_time, "expire_time")
        if until is not None:
            yield from until_violations(until, now=self.now())
        return address, reason, until


def page_from(request: task_pb2.ListSuppressionsRequest) -> Checked[tuple[int, str]]:
    """Read how many addresses are wanted, and after which one."""
    most = yield from page_size(request.page_size)
    place = yield from place_in(LIST, request.page_token, parts=1)
    return most, "".join(place)
