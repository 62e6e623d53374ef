"""What the options of `gcsched meeting` say, in the words of the contract and of the client."""

from argparse import Namespace
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from gcsched.cli import event_arguments
from gcsched.cli.call import COMMON_OPTION_NAMES
from gcsched.cli.commands.meeting_arguments import PURPOSES, ROLES
from gcsched.cli.failure import WrongUsage

if TYPE_CHECKING:
    from gcsched.client import Attendee, MeetingTexts

ATTENDEES = ", ".join(f"--{option}" for option in ROLES)
MEETING_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "summary": "--summary",
        "start": "--start",
        "end": "--end",
        "duration": "--duration",
        "time_zone": "--zone",
        "location": "--location",
        "url": "--url",
        "description": "--description",
        "organizer.email": "--organizer",
        "organizer.name": "--organizer",
        "attendees": ATTENDEES,
        "reminders": "--remind",
        "invite_at": "--invite-at",
        "labels": "--label",
        "sender": "--sender",
        "texts.variables": "--var",
        **{f"texts.{kind}.template": f"--template {kind}" for kind in PURPOSES},
        **{f"texts.{kind}.subject": f"--subject {kind}" for kind in PURPOSES},
    }
)
"""Field of Meeting → its option."""
OPTION_NAMES = {
    **COMMON_OPTION_NAMES,
    **{f"meeting.{name}": option for name, option in MEETING_OPTIONS.items()},
    "meeting_id": "ID",
    "request_id": "--request-id",
    "attendees": ATTENDEES,
    "emails": "ADDRESS",
    "email": "--attendee",
    "filter": "filter",
    "filter.start_time_from": "--start-time-from",
    "filter.start_time_before": "--start-time-before",
    "filter.organizer": "--organizer",
    "filter.attendee": "--attendee",
    "update_mask": "--clear",
}
"""Field of the requests about meetings → its option."""


def read_attendees(chosen: Namespace) -> "list[Attendee]":
    """Return the attendees, in the order of the roles. Raises WrongUsage."""
    from gcsched.client import Attendee

    empids: dict[str, str] = dict(chosen.empid)
    found: list[Attendee] = []
    for option, role in ROLES.items():
        for given in getattr(chosen, option):
            name, email = event_arguments.parse_person(given)
            empid = empids.pop(email, "")
            found.append(Attendee(email=email, name=name, empid=empid, role=role))
    if not found:
        raise WrongUsage("specify at least one attendee: --to, --optional or --informed")
    if empids:
        raise WrongUsage(f"--empid {next(iter(empids))}: no attendee has this address")
    return found


def read_fields(chosen: Namespace) -> dict[str, object]:
    """Return the fields of the meeting that were given, and no others; cleared ones are None."""
    from gcsched.client import Reminder

    values = {
        "summary": chosen.summary,
        "start": chosen.start,
        "end": chosen.end,
        "duration": chosen.duration,
        "time_zone": chosen.zone,
        "location": chosen.location,
        "url": chosen.url,
        "description": chosen.description,
        "guests_see_each_other": chosen.guests_see_each_other,
        "strict_time": chosen.strict_time,
        "invite_at": chosen.invite_at,
        "reminders": [Reminder(before=each) for each in chosen.remind] or None,
        "texts": read_texts(chosen),
        "labels": dict(chosen.label) or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def read_texts(chosen: Namespace) -> "MeetingTexts | None":
    """Return templates, subjects and variables; None if none was given."""
    from gcsched.client import MailText, MeetingTexts

    templates, subjects = dict(chosen.template), dict(chosen.subject)
    if not (templates or subjects or chosen.var):
        return None
    mails: dict[str, MailText] = {
        each: MailText(template=templates.get(each, ""), subject=subjects.get(each, ""))
        for each in PURPOSES
        if each in templates or each in subjects
    }
    return MeetingTexts(
        invitation=mails.get("invitation"),
        update=mails.get("update"),
        cancellation=mails.get("cancellation"),
        reminder=mails.get("reminder"),
        variables=dict(chosen.var),
    )


def read_changes(chosen: Namespace) -> dict[str, object]:
    """Return the fields to change; None takes one away. Raises WrongUsage."""
    fields = read_fields(chosen)
    cleared = [each.replace("-", "_") for each in chosen.clear]
    if both := [each for each in cleared if each in fields]:
        raise WrongUsage(f"cannot set and clear {', '.join(both)}: choose one")
    if not (fields or cleared):
        raise WrongUsage("specify what to change, as --start, or --clear")
    return {**fields, **dict.fromkeys(cleared)}
