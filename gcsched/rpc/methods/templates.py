"""ListTemplates, PreviewTemplate and SendTestMail: convert, call the use case, convert."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gcsched.domain.mail import TemplateInfo
from gcsched.domain.validation import MAX_VARIABLES
from gcsched.pb import task_pb2
from gcsched.rpc.call import Context, call_scope, check_size
from gcsched.rpc.caller import current_caller
from gcsched.rpc.messages import meet_response, preview_message
from gcsched.rpc.requests import copy_bounded
from gcsched.rpc.status import ErrorsAsStatus
from gcsched.usecases.admission.preview import PreviewTemplate, SampleRecipient
from gcsched.usecases.admission.send_test import TEST_EMPID, SendTestMail

SAMPLE_FIELDS = ("template", "empid", "email", "name", "message")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateMethods:
    templates: Callable[[], Sequence[TemplateInfo]]
    preview: PreviewTemplate
    test: SendTestMail

    async def ListTemplates(
        self, _: task_pb2.ListTemplatesRequest, __: Context
    ) -> task_pb2.ListTemplatesResponse:
        return task_pb2.ListTemplatesResponse(
            templates=[
                task_pb2.Template(
                    name=each.name,
                    required_variables=each.required_variables,
                    has_text=each.has_text,
                )
                for each in self.templates()
            ]
        )

    async def PreviewTemplate(
        self, request: task_pb2.PreviewTemplateRequest, context: Context
    ) -> task_pb2.Preview:
        async with ErrorsAsStatus(context):
            check_size(request)
            return preview_message(self.preview.preview(sample_from(request), current_caller()))

    async def SendTestMail(
        self, request: task_pb2.SendTestMailRequest, context: Context
    ) -> task_pb2.MeetResponse:
        async with call_scope(request, context) as within:
            result = await self.test.send(
                replace(
                    sample_from(request),
                    email=request.email,
                    empid=request.empid or TEST_EMPID,
                    sender=request.sender,
                ),
                request_id=request.request_id,
                within=within,
                client=current_caller(),
            )
            return meet_response(result)


def sample_from(
    message: task_pb2.PreviewTemplateRequest | task_pb2.SendTestMailRequest,
) -> SampleRecipient:
    """Return the fields that the request sets; the sample recipient has examples for the others."""
    given = {name: value for name in SAMPLE_FIELDS if (value := getattr(message, name))}
    return SampleRecipient(**given, variables=copy_bounded(message.variables, limit=MAX_VARIABLES))
