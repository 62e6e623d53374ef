"""`gcsched meeting`: show and list meetings, write their calendar files, and change one."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, output, output_file, paging
from gcsched.cli.call import with_client, with_client_arguments
from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.commands import meeting_actions, meeting_arguments, meeting_values, meeting_view
from gcsched.cli.commands.audit import build_timestamp
from gcsched.cli.exit_codes import DONE
from gcsched.cli.times import TIME_FORMS_WITHOUT_DAILY
from gcsched.domain.caller_text import replace_unprintable

if TYPE_CHECKING:
    from pathlib import Path

    from gcsched.client import Client

ORDERS = ("create-time-desc", "create-time-asc", "start-time-asc", "start-time-desc")
COMBINATIONS = (
    "filter by start times, with or without an organizer, or by an attendee; each also with a"
    " client, or by a client alone"
)


def show_meeting(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.GetMeetingRequest(meeting_id=chosen.id, view=task_pb2.Meeting.FULL)
    return meeting_view.print_meeting(chosen, service.call("GetMeeting", request))


def add_list_arguments(parser: ArgumentParser) -> None:
    add, text = (
        parser.add_argument_group("which meetings", COMBINATIONS).add_argument,
        arguments.parse_text,
    )
    add(
        "--start-time-from",
        type=arguments.parse_second,
        metavar="TIME",
        help=f"that start at this time or later: {TIME_FORMS_WITHOUT_DAILY}",
    )
    add(
        "--start-time-before",
        type=arguments.parse_second,
        metavar="TIME",
        help="that start before this time",
    )
    add("--organizer", default="", type=text, metavar="ADDRESS", help="of this organizer")
    add("--attendee", default="", type=text, metavar="ADDRESS", help="with this attendee")
    add("--client", default="", type=text, metavar="NAME", help="that it created")
    parser.add_argument(
        "--order",
        choices=ORDERS,
        metavar="ORDER",
        help=f"{' or '.join(ORDERS)}",
    )
    paging.add_argument(parser)
    parser.add_argument("--full", action="store_true", help="include all fields and steps")


def list_meetings(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.ListMeetingsRequest(
        filter=task_pb2.MeetingFilter(
            start_time_from=build_timestamp(chosen.start_time_from),
            start_time_before=build_timestamp(chosen.start_time_before),
            organizer=chosen.organizer,
            attendee=chosen.attendee,
            client=chosen.client,
        ),
        order=chosen.order and chosen.order.upper().replace("-", "_"),
        view=task_pb2.Meeting.FULL if chosen.full else task_pb2.Meeting.BASIC,
    )
    found = paging.iterate_items(
        service, "ListMeetings", request, field="meetings", limit=chosen.limit
    )
    if chosen.json:
        paging.print_json_lines(found)
    elif chosen.full:
        output.print_blocks(
            [block for each in found for block in meeting_view.format_meeting(each)]
        )
    else:
        output.print_blocks([meeting_view.format_meetings(found)])
    return DONE


def add_calendar_arguments(parser: ArgumentParser) -> None:
    meeting_arguments.add_id_argument(parser)
    add = parser.add_argument
    add(
        "--attendee",
        default="",
        type=arguments.parse_text,
        metavar="ADDRESS",
        help="the file of the latest mail to this attendee; unset: one without attendees",
    )
    add(
        "--output",
        type=arguments.parse_path,
        default=output_file.STANDARD_OUTPUT,
        metavar="FILE",
        help="write a new file, as invite.ics; - prints it (%(default)s)",
    )
    add("--force", action="store_true", help="let --output overwrite a file")


def write_calendar(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.GetMeetingCalendarRequest(meeting_id=chosen.id, email=chosen.attendee)
    found = service.call("GetMeetingCalendar", request)
    file: Path = chosen.output
    if chosen.json:
        output.print_lines(output.as_json(found))
        return DONE
    output_file.write_file(file, found.content, option="--output", force=chosen.force)
    if file != output_file.STANDARD_OUTPUT:
        output.print_note(replace_unprintable(f"wrote {file} ({len(found.content):,} bytes)"))
    return DONE


create, *changes = meeting_actions.COMMANDS
COMMANDS = CommandGroup(
    name="meeting",
    help="Create, show, list and change meetings; write their calendar files.",
    commands=(
        create,
        Command(
            name="show",
            help="Show a meeting: its attendees with their mails, and the steps of callers.",
            run=with_client(show_meeting, meeting_values.OPTION_NAMES),
            arguments=with_client_arguments(meeting_arguments.add_id_argument),
        ),
        Command(
            name="list",
            help="List meetings; without a filter, the newest.",
            run=with_client(list_meetings, meeting_values.OPTION_NAMES),
            arguments=with_client_arguments(add_list_arguments),
        ),
        *changes,
        Command(
            name="ics",
            help="Write the calendar file of a meeting.",
            run=with_client(write_calendar, meeting_values.OPTION_NAMES),
            arguments=with_client_arguments(add_calendar_arguments),
        ),
    ),
)
