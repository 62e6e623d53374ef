"""A meeting, and a list of meetings, formatted for people."""

from datetime import timedelta
from typing import TYPE_CHECKING

from gcsched.cli import fields, output
from gcsched.cli.blocks import Block, Table
from gcsched.cli.exit_codes import DONE

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from gcsched.pb import task_pb2

LIST_COLUMNS = ("meeting_id", "state", "start_time", "attendees", "organizer", "client", "summary")
EFFECT_COLUMNS = ("email", "purpose", "what", "count", "in_flight")
ATTENDEE_COLUMNS = (
    *("email", "name", "role", "told", "delivery", "job_id", "delivery_reason", "removed"),
)
STEP_COLUMNS = ("time", "client", "method", "revision", "via", "reason")
NOT_IN_TABLE = (
    *("duration", "organizer", "attendees", "reminders", "texts", "effects", "steps"),
    *("description", "time_note"),
)
"""The fields of a meeting that have a row or a block of their own."""
MINUTES_PER = {"d": 24 * 60, "h": 60, "m": 1}


def format_meetings(meetings: "Iterable[task_pb2.Meeting]") -> Table:
    found = list(meetings)
    has_clients = any(each.client for each in found)  # only where access is controlled
    columns = [each for each in LIST_COLUMNS if has_clients or each != "client"]
    return Table(
        columns=[each.upper() for each in columns],
        rows=[[format_cell(each, name) for name in columns] for each in found],
        uncut_columns=3,
    )


def format_cell(meeting: "task_pb2.Meeting", name: str) -> str:
    if name == "attendees":
        return str(sum(not each.removed for each in meeting.attendees))
    if name == "organizer":
        return meeting.organizer.email
    return fields.format_field(meeting, name)


def format_meeting(meeting: "task_pb2.Meeting") -> list[Block]:
    """Format all that is known of a meeting, its description last."""
    blocks: list[Block] = [format_fields(meeting), format_attendees(meeting)]
    if meeting.steps:
        blocks.append(fields.tabulate_messages(meeting.steps, STEP_COLUMNS, uncut_columns=3))
    return [*blocks, *([meeting.description] if meeting.description else [])]


def format_fields(meeting: "task_pb2.Meeting") -> Table:
    rows = [*fields.tabulate_fields(meeting, without=NOT_IN_TABLE).rows]
    if meeting.HasField("organizer"):
        rows.append(("organizer", format_person(meeting.organizer)))
    if meeting.reminders:
        rows.append(("reminders", ", ".join(map(format_reminder, meeting.reminders))))
    return Table(rows=[*rows, *list_texts(meeting.texts)])


def list_texts(texts: "task_pb2.MeetingTexts") -> list[tuple[str, str]]:
    """Return a row for each template and subject, and one for the variables."""
    rows = [
        (f"{kind.name} {part.name}", str(value))
        for kind, mail in texts.ListFields()
        if kind.name != "variables"
        for part, value in mail.ListFields()
    ]
    if texts.variables:
        rows.append(("variables", fields.format_field(texts, "variables")))
    return rows


def format_person(person: "task_pb2.Person") -> str:
    return f"{person.name} <{person.email}>" if person.name else person.email


def format_reminder(reminder: "task_pb2.Reminder") -> str:
    template = f" ({reminder.template})" if reminder.template else ""
    return f"{format_minutes(reminder.before.ToTimedelta())} before{template}"


def format_minutes(length: timedelta) -> str:
    """Format whole minutes as options take them: 1d, 1h30m."""
    left, text = int(length.total_seconds()) // 60, ""
    for unit, minutes in MINUTES_PER.items():
        count, left = divmod(left, minutes)
        text += f"{count}{unit}" if count else ""
    return text or "0m"


def format_attendees(meeting: "task_pb2.Meeting") -> Table:
    has_removed = any(each.removed for each in meeting.attendees)
    columns = [each for each in ATTENDEE_COLUMNS if has_removed or each != "removed"]
    return fields.tabulate_messages(meeting.attendees, columns)


def print_meeting(chosen: "Namespace", meeting: "task_pb2.Meeting") -> int:
    output.print_message(chosen, meeting, lambda: format_meeting(meeting))
    return DONE


def print_change(chosen: "Namespace", meeting: "task_pb2.Meeting", verb: str) -> int:
    """Print what a call that has *verb* in the past tense did, or would do, about mails."""
    output.print_message(
        chosen,
        meeting,
        lambda: [
            describe_change(meeting, verb, is_trial=chosen.validate_only),
            *format_effects(meeting),
        ],
    )
    return DONE


def describe_change(meeting: "task_pb2.Meeting", verb: str, *, is_trial: bool) -> str:
    what = f"meeting {meeting.meeting_id}" if meeting.meeting_id else "a meeting"
    done = f"{what} would be {verb}" if is_trial else f"{what} {verb}"
    note = f"; note that {meeting.time_note}" if meeting.time_note else ""
    etag = f", etag {meeting.etag}" if meeting.etag and not is_trial else ""
    return f"{done}: {meeting.start} to {meeting.end}, {meeting.time_zone}{etag}{note}"


def format_effects(meeting: "task_pb2.Meeting") -> list[Block]:
    """Format what happens to mails; attendees to whom nothing happens are left out."""
    found = [each for each in meeting.effects if each.what or each.in_flight]
    if not found:
        return ["no mail is made or changed"]
    return [fields.tabulate_messages(found, EFFECT_COLUMNS)]
