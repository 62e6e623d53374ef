"""GetRecipient and ForgetRecipient: convert the request, call the use case, convert the reply."""

from dataclasses import dataclass

from gcsched.domain.checks import require_valid
from gcsched.domain.recipient import Recipient
from gcsched.domain.validation import empid_violations
from gcsched.pb import task_pb2
from gcsched.rpc.call import MAX_BULK_CALL, Context, call_scope, call_timeout_scope
from gcsched.rpc.caller import current_actor
from gcsched.usecases.audited_acts import AuditedRecipients
from gcsched.usecases.management.recipients import ManageRecipients


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientMethods:
    recipients: ManageRecipients
    erasing: AuditedRecipients

    async def GetRecipient(
        self, request: task_pb2.GetRecipientRequest, context: Context
    ) -> task_pb2.Recipient:
        async with call_timeout_scope(request, context, "reading a recipient"):
            require_valid(empid_violations(request.empid))
            return recipient_message(await self.recipients.get(request.empid))

    async def ForgetRecipient(
        self, request: task_pb2.ForgetRecipientRequest, context: Context
    ) -> task_pb2.ForgetRecipientResponse:
        async with call_scope(request, context, longest=MAX_BULK_CALL) as within:
            require_valid(empid_violations(request.empid))
            forgotten = await self.erasing.forget(
                request.empid, actor=current_actor("ForgetRecipient"), within=within
            )
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
