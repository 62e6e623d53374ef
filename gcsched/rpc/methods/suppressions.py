"""The methods for blocked addresses: convert, call the use case, convert."""

from dataclasses import dataclass

import grpc
from google.protobuf.message import Message

from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import Checks
from gcsched.domain.invisible_text import unseen_violations
from gcsched.domain.page_token import page_size, page_token, place_in
from gcsched.domain.suppression import Suppression, until_violations
from gcsched.domain.validation import text_violations
from gcsched.pb import task_pb2
from gcsched.rpc.addresses import address_from
from gcsched.rpc.answering import answering
from gcsched.rpc.moments import moment
from gcsched.usecases.management.suppressions import Blocklist
from gcsched.usecases.ports import Clock

Context = grpc.aio.ServicerContext[Message, Message]

LIST = "suppressions"
LONGEST_REASON = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressing:
    blocklist: Blocklist
    now: Clock
    addresses: AddressRules = AddressRules.PUBLIC

    async def ListSuppressions(
        self, request: task_pb2.ListSuppressionsRequest, context: Context
    ) -> task_pb2.ListSuppressionsResponse:
        async with answering(request, context, "listing blocked addresses"):
            checks = Checks()
            most = checks.taken(page_size(request.page_size), otherwise=0)
            place = checks.taken(place_in(LIST, request.page_token, parts=1), otherwise=())
            checks.finish()
            page = await self.blocklist.page("".join(place), most=most)
            return task_pb2.ListSuppressionsResponse(
                suppressions=[suppression_message(each) for each in page.suppressions],
                next_page_token=page_token(LIST, [page.following]) if page.following else "",
            )

    async def GetSuppression(
        self, request: task_pb2.GetSuppressionRequest, context: Context
    ) -> task_pb2.Suppression:
        async with answering(request, context, "looking for a blocked address"):
            checks = Checks()
            address = checks.taken(address_from(request.email, "email"), otherwise="")
            checks.finish()
            return suppression_message(await self.blocklist.find(address))

    async def AddSuppression(
        self, request: task_pb2.AddSuppressionRequest, context: Context
    ) -> task_pb2.Suppression:
        async with answering(request, context, "blocking an address"):
            checks = Checks()
            found = address_from(request.email, "email", self.addresses)
            address = checks.taken(found, otherwise="")
            checks.add(unseen_violations("email", address))
            reason = request.reason.strip()
            checks.add(text_violations("reason", reason, at_least=1, at_most=LONGEST_REASON))
            until = None
            if request.HasField("until"):
                until = checks.taken(moment(request.until, "until"), otherwise=None)
            if until is not None:
                checks.add(until_violations(until, now=self.now()))
            checks.finish()
            blocked = await self.blocklist.block(address, reason=reason, until=until)
            return suppression_message(blocked)

    async def RemoveSuppression(
        self, request: task_pb2.RemoveSuppressionRequest, context: Context
    ) -> task_pb2.RemoveSuppressionResponse:
        async with answering(request, context, "freeing an address"):
            checks = Checks()
            address = checks.taken(address_from(request.email, "email"), otherwise="")
            checks.finish()
            freed = await self.blocklist.free(address)
            return task_pb2.RemoveSuppressionResponse(removed=suppression_message(freed))


def suppression_message(suppression: Suppression) -> task_pb2.Suppression:
    return task_pb2.Suppression(
        email=suppression.address,
        reason=suppression.reason,
        job_id=suppression.job_id,
        since=suppression.since,
        until=suppression.until,
    )
