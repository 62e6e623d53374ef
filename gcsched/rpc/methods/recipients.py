"""GetRecipient and ForgetRecipient: convert the request, call the use case, convert the reply."""

from dataclasses import dataclass

from gcsched.domain.checks import require_valid
from gcsched.domain.recipient import Recipient
from gcsched.domain.validation import empid_violations
from gcsched.pb import task_pb2
from gcsched.rpc.call import MAX_BULK_CALL, Context, call_timeout_scope
from gcsched.usecases.management.recipients import ManageRecipients


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientMethods:
    recipients: ManageRecipients

    async def GetRecipient(
        self, request: task_pb2.GetRecipientRequest, context: Context
    ) -> task_pb2.Recipient:
        async with call_timeout_scope(request, context, "reading a recipient"):
            require_valid(empid_violations(request.empid))
            return recipient_message(await self.recipients.get(request.empid))

    async def ForgetRecipient(
        self, request: task_pb2.ForgetRecipientRequest, context: Context
    ) -> task_pb2.ForgetRecipientResponse:
        doing = "forgetting a recipient"
        async with call_timeout_scope(request, context, doing, longest=MAX_BULK_CALL):
            require_valid(empid_violations(request.empid))
            forgotten = await self.recipients.forget(request.empid)
            return task_pb2.ForgetRecipientResponse(
                erased_jobs=forgotten.erased_jobs,
                unfinished_jobs=forgotten.unfinished_jobs,
                details_erased=forgotten.details_erased,
            )


def recipient_message(recipient: Recipient) -> task_pb2.Recipient:
    return task_pb2.Recipient(
        empid=recipient.empid,
        name=recipient.name,
        email=recipient.email,
        first_seen_time=recipient.first_seen_time,
        last_seen_time=recipient.last_seen_time,
        accepted_count=recipient.accepted_count,
    )
