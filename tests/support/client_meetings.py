"""For each method of the clients about meetings: arguments, the request that they are, a reply."""

from datetime import timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from gcsched.client import (
    Attendee,
    MailText,
    MeetingOrder,
    MeetingTexts,
    Person,
    Reminder,
    Role,
    View,
)
from gcsched.pb import task_pb2
from tests.support.client_methods import NOON, NOON_SECONDS, MethodCase

MEETING = task_pb2.Meeting(
    meeting_id="M",
    state=task_pb2.Meeting.SCHEDULED,
    effects=[
        task_pb2.Effect(
            email="a@example.org",
            purpose=task_pb2.Job.INVITATION,
            what=task_pb2.Effect.MAKES,
            count=1,
        )
    ],
)
SHOWN = (
    "effects=(Effect(email='a@example.org', purpose='INVITATION', what='MAKES', in_flight=0,"
    " count=1),)"
)
ADA = Attendee(email="a@example.org", name="Ada", empid="E1")
GUEST = Attendee(  # as it was read: what the service sets is not sent
    email="g@example.org", role=Role.OPTIONAL, told="SURE", delivery="SENT", job_id="7"
)
ATTENDEES = [
    task_pb2.Attendee(email="a@example.org", name="Ada", empid="E1"),
    task_pb2.Attendee(email="g@example.org", role=task_pb2.Attendee.OPTIONAL),
]
TEXTS = MeetingTexts(
    invitation=MailText(template="offer"),
    update=MailText(subject="Moved"),
    cancellation=MailText(template="off", subject="Off"),
    reminder=MailText(),
    variables={"room": "4.2"},
)
FIELDS: dict[str, Any] = {
    "location": "Room 5",
    "url": "https://meet.example.org/1",
    "description": "Plan",
    "guests_see_each_other": True,
    "reminders": [
        Reminder(before=timedelta(days=1)),
        Reminder(before=timedelta(minutes=10), template="soon"),
    ],
    "invite_at": NOON_SECONDS,
    "strict_time": True,
    "texts": TEXTS,
    "labels": {"team": "hr"},
}
FIELDS_SENT: dict[str, Any] = {
    **FIELDS,
    "reminders": [
        task_pb2.Reminder(before=Duration(seconds=86_400)),
        task_pb2.Reminder(before=Duration(seconds=600), template="soon"),
    ],
    "invite_at": NOON,
    "texts": task_pb2.MeetingTexts(
        invitation=task_pb2.MeetingTexts.Mail(template="offer"),
        update=task_pb2.MeetingTexts.Mail(subject="Moved"),
        cancellation=task_pb2.MeetingTexts.Mail(template="off", subject="Off"),
        reminder=task_pb2.MeetingTexts.Mail(),
        variables={"room": "4.2"},
    ),
}

MEETING_CASES = [
    MethodCase(
        "create_meeting",
        {
            "summary": "Review",
            "start": "2030-01-05T09:00",
            "time_zone": "Europe/Berlin",
            "attendees": (ADA, GUEST),
            "duration": timedelta(minutes=30),
            "organizer": Person(email="eve@example.com", name="Eve"),
            "sender": "meet@example.org",
            "request_id": "r",
            "validate_only": True,
            **FIELDS,
        },
        "CreateMeeting",
        task_pb2.CreateMeetingRequest(
            meeting=task_pb2.Meeting(
                summary="Review",
                start="2030-01-05T09:00",
                time_zone="Europe/Berlin",
                attendees=ATTENDEES,
                duration=Duration(seconds=1800),
                organizer=task_pb2.Person(email="eve@example.com", name="Eve"),
                sender="meet@example.org",
                **FIELDS_SENT,
            ),
            request_id="r",
            validate_only=True,
        ),
        MEETING,
        SHOWN,
    ),
    MethodCase(
        "get_meeting",
        {"meeting_id": "M"},
        "GetMeeting",
        task_pb2.GetMeetingRequest(meeting_id="M", view=task_pb2.Meeting.FULL),
        MEETING,
        "state='SCHEDULED'",
    ),
    MethodCase(
        "list_meetings",
        {
            "start_time_from": NOON,
            "start_time_before": NOON_SECONDS + 60,
            "organizer": "eve@example.com",
            "attendee": "a@example.org",
            "client": "hr",
            "order": MeetingOrder.START_TIME_DESC,
            "view": View.FULL,
            "page_size": 9,
        },
        "ListMeetings",
        task_pb2.ListMeetingsRequest(
            filter=task_pb2.MeetingFilter(
                start_time_from=NOON,
                start_time_before=NOON + timedelta(minutes=1),
                organizer="eve@example.com",
                attendee="a@example.org",
                client="hr",
            ),
            order=task_pb2.ListMeetingsRequest.START_TIME_DESC,
            view=task_pb2.Meeting.FULL,
            page_size=9,
        ),
        task_pb2.ListMeetingsResponse(meetings=[MEETING]),
        "[Meeting(meeting_id='M'",
    ),
    MethodCase(
        "update_meeting",
        {
            "meeting_id": "M",
            "etag": "e",
            "validate_only": True,
            "summary": "Plan",
            "start": "2030-01-05T10:00",
            "end": "2030-01-05T11:00",
            "duration": None,
            "time_zone": "Europe/London",
            **FIELDS,
        },
        "UpdateMeeting",
        task_pb2.UpdateMeetingRequest(
            meeting=task_pb2.Meeting(
                meeting_id="M",
                etag="e",
                summary="Plan",
                start="2030-01-05T10:00",
                end="2030-01-05T11:00",
                time_zone="Europe/London",
                **FIELDS_SENT,
            ),
            update_mask=FieldMask(
                paths=[
                    *("description", "duration", "end", "guests_see_each_other", "invite_at"),
                    *("labels", "location", "reminders", "start", "strict_time", "summary"),
                    *("texts", "time_zone", "url"),
                ]
            ),
            validate_only=True,
        ),
        MEETING,
        SHOWN,
    ),
    MethodCase(
        "cancel_meeting",
        {"meeting_id": "M", "etag": "e", "reason": "postponed", "validate_only": True},
        "CancelMeeting",
        task_pb2.CancelMeetingRequest(
            meeting_id="M", etag="e", reason="postponed", validate_only=True
        ),
        MEETING,
        SHOWN,
    ),
    MethodCase(
        "add_attendees",
        {
            "meeting_id": "M",
            "etag": "e",
            "attendees": (ADA, GUEST),
            "tell_others": True,
            "validate_only": True,
        },
        "AddAttendees",
        task_pb2.AddAttendeesRequest(
            meeting_id="M", etag="e", attendees=ATTENDEES, tell_others=True, validate_only=True
        ),
        MEETING,
        SHOWN,
    ),
    MethodCase(
        "remove_attendees",
        {
            "meeting_id": "M",
            "etag": "e",
            "emails": ["a@example.org", "G@example.org"],
            "reason": "has left",
            "validate_only": True,
        },
        "RemoveAttendees",
        task_pb2.RemoveAttendeesRequest(
            meeting_id="M",
            etag="e",
            emails=["a@example.org", "G@example.org"],
            reason="has left",
            validate_only=True,
        ),
        MEETING,
        SHOWN,
    ),
    MethodCase(
        "meeting_calendar",
        {"meeting_id": "M", "email": "a@example.org"},
        "GetMeetingCalendar",
        task_pb2.GetMeetingCalendarRequest(meeting_id="M", email="a@example.org"),
        task_pb2.CalendarFile(name="invite.ics", content=b"BEGIN:VCALENDAR"),
        "CalendarFile(name='invite.ics', content=b'BEGIN:VCALENDAR')",
    ),
]
