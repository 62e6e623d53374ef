"""The calls about suppressions, recipients and templates. Pure."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TypedDict, Unpack
from uuid import uuid4

from gcsched.client.argument_values import (
    check_count,
    check_text,
    check_text_mapping,
    timestamp,
)
from gcsched.client.calls.call import Call, Listing
from gcsched.client.calls.scheduling import parse_reply
from gcsched.client.results.jobs import Preview, ScheduledJob
from gcsched.client.results.reading import read_message
from gcsched.client.results.records import ForgottenRecipient, Recipient, Suppression, Template
from gcsched.client.suggestions import refuse_unknown
from gcsched.pb import task_pb2

read_suppression = partial(read_message, Suppression)


class SampleFields(TypedDict, total=False):
    """What a template is rendered with; what is not given has an example value."""

    variables: Mapping[str, str]
    empid: str
    name: str
    message: str


class PreviewFields(SampleFields, total=False):
    """What a preview is made of; what is not given has an example value."""

    email: str


def list_suppressions(*, page_size: int) -> Listing[Suppression]:
    request = task_pb2.ListSuppressionsRequest(page_size=check_count("page_size", page_size))
    return Listing("ListSuppressions", request, "suppressions", read_suppression)


def get_suppression(email: str) -> Call[Suppression]:
    request = task_pb2.GetSuppressionRequest(email=check_text("email", email))
    return Call("GetSuppression", request, read_suppression)


def add_suppression(
    email: str, *, reason: str, expire_time: datetime | int | None
) -> Call[Suppression]:
    request = task_pb2.AddSuppressionRequest(
        email=check_text("email", email),
        reason=check_text("reason", reason),
        expire_time=timestamp("expire_time", expire_time),
    )
    return Call("AddSuppression", request, read_suppression)


def remove_suppression(email: str) -> Call[Suppression]:
    request = task_pb2.RemoveSuppressionRequest(email=check_text("email", email))
    return Call("RemoveSuppression", request, read_removed_suppression)


def read_removed_suppression(reply: task_pb2.RemoveSuppressionResponse) -> Suppression:
    return read_suppression(reply.suppression)


def get_recipient(empid: str) -> Call[Recipient]:
    request = task_pb2.GetRecipientRequest(empid=check_text("empid", empid))
    return Call("GetRecipient", request, partial(read_message, Recipient))


def forget_recipient(empid: str) -> Call[ForgottenRecipient]:
    request = task_pb2.ForgetRecipientRequest(empid=check_text("empid", empid))
    return Call("ForgetRecipient", request, partial(read_message, ForgottenRecipient))


def list_templates() -> Listing[Template]:
    read = partial(read_message, Template)
    return Listing("ListTemplates", task_pb2.ListTemplatesRequest(), "templates", read)


def preview_template(template: str, **options: Unpack[PreviewFields]) -> Call[Preview]:
    keywords = {"template", "timeout", *PreviewFields.__optional_keys__}
    refuse_unknown(options, keywords, caller="preview_template")
    request = task_pb2.PreviewTemplateRequest(
        template=check_text("template", template),
        variables=check_text_mapping("variables", options.get("variables")),
        empid=check_text("empid", options.get("empid")),
        email=check_text("email", options.get("email")),
        name=check_text("name", options.get("name")),
        message=check_text("message", options.get("message")),
    )
    return Call("PreviewTemplate", request, partial(read_message, Preview))


class SampleMailFields(SampleFields, total=False):
    """What a test mail is made of; what is not given has an example value."""

    sender: str
    request_id: str


def send_test_mail(
    email: str, template: str, **options: Unpack[SampleMailFields]
) -> Call[ScheduledJob]:
    keywords = {"email", "template", "timeout", *SampleMailFields.__optional_keys__}
    refuse_unknown(options, keywords, caller="send_test_mail")
    request = task_pb2.SendTestMailRequest(
        template=check_text("template", template),
        variables=check_text_mapping("variables", options.get("variables")),
        empid=check_text("empid", options.get("empid")),
        email=check_text("email", email),
        name=check_text("name", options.get("name")),
        message=check_text("message", options.get("message")),
        sender=check_text("sender", options.get("sender")),
        # One of its own: otherwise a repetition of the call a second later would be a second mail.
        request_id=check_text("request_id", options.get("request_id")) or str(uuid4()),
    )
    return Call("SendTestMail", request, parse_reply)
