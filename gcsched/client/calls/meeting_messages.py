"""Values of meetings, as a caller gives them, to the contract's messages. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from gcsched.client.argument_values import (
    check_bool,
    check_text,
    check_text_mapping,
    decode_text,
    enum_number,
    timestamp,
)
from gcsched.client.event import duration_message, person_message, wall_time
from gcsched.client.results.meetings import Attendee, MailText, MeetingTexts, Reminder
from gcsched.pb import task_pb2

T = TypeVar("T")
ROLES: Any = task_pb2.Attendee.Role.DESCRIPTOR


def meeting_message(fields: Mapping[str, object]) -> task_pb2.Meeting:
    """Return the meeting with *fields*, by their names. Raises TypeError, ValueError."""
    given = fields.get
    end = given("end")
    return task_pb2.Meeting(
        summary=check_text("summary", given("summary")),
        start=wall_time("start", given("start")),
        end="" if end is None else wall_time("end", end),
        duration=duration_message("duration", given("duration")),
        time_zone=check_text("time_zone", given("time_zone")),
        location=check_text("location", given("location")),
        url=check_text("url", given("url")),
        description=check_text("description", given("description")),
        organizer=person_message("organizer", given("organizer")),
        attendees=attendee_messages("attendees", given("attendees", ())),
        guests_see_each_other=check_bool("guests_see_each_other", given("guests_see_each_other")),
        reminders=reminder_messages("reminders", given("reminders")),
        invite_at=timestamp("invite_at", given("invite_at")),
        strict_time=check_bool("strict_time", given("strict_time")),
        texts=texts_message("texts", given("texts")),
        labels=check_text_mapping("labels", given("labels")),
        sender=check_text("sender", given("sender")),
    )


def attendee_messages(name: str, given: object) -> list[task_pb2.Attendee]:
    return [
        task_pb2.Attendee(
            email=check_text(f"{where}.email", each.email),
            name=check_text(f"{where}.name", each.name),
            empid=check_text(f"{where}.empid", each.empid),
            role=enum_number(f"{where}.role", each.role, ROLES),
        )
        for where, each in check_values(name, given, Attendee)
    ]


def reminder_messages(name: str, given: object) -> list[task_pb2.Reminder]:
    """Return the messages; none for None."""
    return [
        task_pb2.Reminder(
            before=duration_message(f"{where}.before", each.before),
            template=check_text(f"{where}.template", each.template),
        )
        for where, each in check_values(name, () if given is None else given, Reminder)
    ]


def texts_message(name: str, given: object) -> task_pb2.MeetingTexts | None:
    if given is None:
        return None
    texts = check_value(name, given, MeetingTexts)
    return task_pb2.MeetingTexts(
        invitation=mail_text_message(f"{name}.invitation", texts.invitation),
        update=mail_text_message(f"{name}.update", texts.update),
        cancellation=mail_text_message(f"{name}.cancellation", texts.cancellation),
        reminder=mail_text_message(f"{name}.reminder", texts.reminder),
        variables=check_text_mapping(f"{name}.variables", texts.variables),
    )


def mail_text_message(name: str, given: object) -> task_pb2.MeetingTexts.Mail | None:
    if given is None:
        return None
    text = check_value(name, given, MailText)
    return task_pb2.MeetingTexts.Mail(
        template=check_text(f"{name}.template", text.template),
        subject=check_text(f"{name}.subject", text.subject),
    )


def check_texts(name: str, given: object) -> list[str]:
    """Return the texts in *given*, which is not one text itself. Raises TypeError, ValueError."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"{name} is {given!r}; give a list of str")
    return [decode_text(f"{name}[{number}]", each) for number, each in enumerate(given)]


def check_values(name: str, given: object, kind: type[T]) -> list[tuple[str, T]]:
    """Return each of *given* with its name. Raises TypeError."""
    if not isinstance(given, Iterable):
        raise TypeError(f"{name} is {given!r}; give a list of gcsched.client.{kind.__name__}")
    names = ((f"{name}[{number}]", each) for number, each in enumerate(given))
    return [(where, check_value(where, each, kind)) for where, each in names]


def check_value(name: str, given: object, kind: type[T]) -> T:
    if not isinstance(given, kind):
        raise TypeError(f"{name} is {given!r}; give a gcsched.client.{kind.__name__}")
    return given
