"""Commands that create or change one meeting; each shows what is mailed because of it."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, confirm, event_arguments
from gcsched.cli.call import is_no_answer, with_client, with_client_arguments
from gcsched.cli.command import Command
from gcsched.cli.commands import meeting_arguments, meeting_values, meeting_view
from gcsched.domain.caller_text import quote

if TYPE_CHECKING:
    from gcsched.client import Client
    from gcsched.pb import task_pb2

CREATE_NOTES = """\
example:
  gcsched meeting create --summary Review --start 2030-01-05T09:00 --duration 30m \\
    --zone Europe/Berlin --to 'Ada <ada@example.org>' --optional bob@example.org --remind 1d"""
UPDATE_NOTES = """\
What is not named stays as it is. Without --end and --duration the meeting keeps its length.
--remind, --label, and --template, --subject and --var together, replace all that there were.

example:
  gcsched meeting update ID --start 2030-01-05T10:00 --clear location"""


def add_create_arguments(parser: ArgumentParser) -> None:
    parser.epilog = CREATE_NOTES
    add, text = parser.add_argument, arguments.parse_text
    add("--summary", required=True, type=text, metavar="TEXT", help="what it is called")
    add_when_arguments(parser, is_required=True)
    event_arguments.add_organizer_argument(add)
    meeting_arguments.add_attendee_arguments(parser)
    meeting_arguments.add_mail_arguments(parser)
    add(
        "--sender",
        default="",
        type=text,
        metavar="ADDRESS",
        help="the address that the mails come from, one of GCSCHED_SENDERS of the service",
    )
    add(
        "--request-id",
        default="",
        type=text,
        metavar="ID",
        help="the same id is the same meeting, and is refused with other content",
    )
    meeting_arguments.add_validate_argument(add)


def add_when_arguments(parser: ArgumentParser, *, is_required: bool = False) -> None:
    group = parser.add_argument_group("when, where and what")
    event_arguments.add_event_arguments(group.add_argument, default=None, is_required=is_required)
    meeting_arguments.add_strict_argument(group.add_argument)


def create(service: "Client", chosen: Namespace) -> int:
    from uuid import uuid4

    from gcsched.client import CallFailed
    from gcsched.client.calls.meeting_messages import meeting_message
    from gcsched.pb import task_pb2

    given: dict[str, object] = {
        **meeting_values.read_fields(chosen),
        "attendees": meeting_values.read_attendees(chosen),
        "organizer": event_arguments.read_organizer(chosen.organizer),
        "sender": chosen.sender,
    }
    request_id = chosen.request_id or ("" if chosen.validate_only else str(uuid4()))
    request = task_pb2.CreateMeetingRequest(
        meeting=meeting_message(given), request_id=request_id, validate_only=chosen.validate_only
    )
    try:
        meeting = service.call("CreateMeeting", request)
    except CallFailed as error:
        if is_no_answer(error) and request_id:  # the service may have created it
            again = f"--request-id {request_id}"
            error.add_note(f"To repeat the command without a second meeting, use {again}.")
        raise
    return meeting_view.print_change(chosen, meeting, "created")


def add_update_arguments(parser: ArgumentParser) -> None:
    parser.epilog = UPDATE_NOTES
    meeting_arguments.add_id_argument(parser)
    parser.add_argument(
        "--summary", type=arguments.parse_text, metavar="TEXT", help="what it is called"
    )
    add_when_arguments(parser)
    meeting_arguments.add_mail_arguments(parser)
    parser.add_argument(
        "--clear",
        action="append",
        default=[],
        choices=meeting_arguments.CLEARABLE,
        metavar="FIELD",
        help=f"take away {', '.join(meeting_arguments.CLEARABLE)}; may be repeated",
    )
    meeting_arguments.add_change_arguments(parser)


def update(service: "Client", chosen: Namespace) -> int:
    from google.protobuf.field_mask_pb2 import FieldMask

    from gcsched.client.calls.meeting_messages import meeting_message
    from gcsched.pb import task_pb2

    changes = meeting_values.read_changes(chosen)
    meeting = meeting_message(changes)
    meeting.meeting_id, meeting.etag = chosen.id, chosen.etag
    request = task_pb2.UpdateMeetingRequest(
        meeting=meeting,
        update_mask=FieldMask(paths=sorted(changes)),
        validate_only=chosen.validate_only,
    )
    return meeting_view.print_change(chosen, service.call("UpdateMeeting", request), "updated")


def add_cancel_arguments(parser: ArgumentParser) -> None:
    meeting_arguments.add_id_argument(parser)
    meeting_arguments.add_reason_argument(parser)
    meeting_arguments.add_change_arguments(parser)
    confirm.add_argument(parser)


def cancel(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.CancelMeetingRequest(
        meeting_id=chosen.id,
        etag=chosen.etag,
        reason=chosen.reason,
        validate_only=chosen.validate_only,
    )
    if not (chosen.yes or chosen.validate_only):
        confirm.ensure_can_ask(chosen)
        trial = task_pb2.CancelMeetingRequest(validate_only=True)
        trial.MergeFrom(request)
        confirm.require_confirmation(chosen, ask_to_cancel(service.call("CancelMeeting", trial)))
    return meeting_view.print_change(chosen, service.call("CancelMeeting", request), "cancelled")


def ask_to_cancel(meeting: "task_pb2.Meeting") -> str:
    from gcsched.pb import task_pb2

    count = sum(each.what == task_pb2.Effect.MAKES for each in meeting.effects)
    attendees = "1 attendee" if count == 1 else f"{count} attendees"
    return f"Cancel {quote(meeting.summary)} of {meeting.start}, with a mail to {attendees}?"


def add_add_arguments(parser: ArgumentParser) -> None:
    meeting_arguments.add_id_argument(parser)
    meeting_arguments.add_attendee_arguments(parser)
    parser.add_argument(
        "--tell-others", action="store_true", help="send the other attendees an update"
    )
    meeting_arguments.add_change_arguments(parser)


def add_attendees(service: "Client", chosen: Namespace) -> int:
    from gcsched.client.calls.meeting_messages import attendee_messages
    from gcsched.pb import task_pb2

    request = task_pb2.AddAttendeesRequest(
        meeting_id=chosen.id,
        etag=chosen.etag,
        attendees=attendee_messages("attendees", meeting_values.read_attendees(chosen)),
        tell_others=chosen.tell_others,
        validate_only=chosen.validate_only,
    )
    return meeting_view.print_change(chosen, service.call("AddAttendees", request), "updated")


def add_remove_arguments(parser: ArgumentParser) -> None:
    meeting_arguments.add_id_argument(parser)
    parser.add_argument(
        "emails",
        nargs="+",
        type=arguments.parse_text,
        metavar="ADDRESS",
        help="the address of an attendee, in any spelling",
    )
    meeting_arguments.add_reason_argument(parser)
    meeting_arguments.add_change_arguments(parser)


def remove_attendees(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.RemoveAttendeesRequest(
        meeting_id=chosen.id,
        etag=chosen.etag,
        emails=chosen.emails,
        reason=chosen.reason,
        validate_only=chosen.validate_only,
    )
    return meeting_view.print_change(chosen, service.call("RemoveAttendees", request), "updated")


COMMANDS = (
    Command(
        name="create",
        help="Create a meeting and invite its attendees.",
        run=with_client(create, meeting_values.OPTION_NAMES),
        arguments=with_client_arguments(add_create_arguments),
    ),
    Command(
        name="update",
        help="Change a meeting; who has an invitation gets an update.",
        run=with_client(update, meeting_values.OPTION_NAMES),
        arguments=with_client_arguments(add_update_arguments),
    ),
    Command(
        name="cancel",
        help="Cancel a meeting, after asking; who has an invitation gets a cancellation.",
        run=with_client(cancel, meeting_values.OPTION_NAMES),
        arguments=with_client_arguments(add_cancel_arguments),
    ),
    Command(
        name="add",
        help="Add attendees to a meeting, and invite them.",
        run=with_client(add_attendees, meeting_values.OPTION_NAMES),
        arguments=with_client_arguments(add_add_arguments),
    ),
    Command(
        name="remove",
        help="Remove attendees from a meeting; who has an invitation gets a cancellation.",
        run=with_client(remove_attendees, meeting_values.OPTION_NAMES),
        arguments=with_client_arguments(add_remove_arguments),
    ),
)
