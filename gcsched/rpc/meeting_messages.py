"""Convert meetings, and what a call does about their mails, to messages of the contract."""

from collections.abc import Iterable, Sequence

from gcsched.domain.event import format_wall
from gcsched.domain.meetings.effects import Effect
from gcsched.domain.meetings.keys import etag_of_meeting
from gcsched.domain.meetings.meeting import (
    Attendee,
    Meeting,
    MeetingStep,
    MeetingTexts,
    Reminder,
)
from gcsched.pb import task_pb2
from gcsched.rpc.meeting_requests import TEXTS_BY_PURPOSE
from gcsched.usecases.loop_share import LoopShare

MAX_PAGE_BYTES = 3 * 1024 * 1024  # gRPC clients accept 4 MiB by default


def meeting_message(
    meeting: Meeting, *, is_full: bool, effects: Sequence[Effect] = (), time_note: str = ""
) -> task_pb2.Meeting:
    """Convert *meeting*; its texts and steps only if *is_full*."""
    revision = meeting.revision
    message = task_pb2.Meeting(
        meeting_id=meeting.id,
        uid=revision.uid,
        etag=etag_of_meeting(meeting),
        state=meeting.state.value,
        sequence=revision.sequence,
        summary=revision.summary,
        start=format_wall(revision.start_wall),
        end=format_wall(revision.end_wall),
        duration=revision.end - revision.start,
        time_zone=revision.zone,
        organizer=task_pb2.Person(email=revision.organizer.email, name=revision.organizer.name),
        attendees=[attendee_message(each) for each in meeting.attendees if each.is_listed],
        guests_see_each_other=meeting.guests_see_each_other,
        reminders=[reminder_message(each) for each in meeting.reminders],
        invite_at=meeting.invite_time,
        strict_time=meeting.strict_time,
        labels=meeting.labels,
        start_time=revision.start,
        end_time=revision.end,
        time_note=time_note,
        zone_version=revision.zone_version,
        create_time=meeting.create_time,
        update_time=meeting.update_time,
        effects=[effect_message(each) for each in effects],
        request_id=meeting.request_id,
        client=meeting.client,
        sender=meeting.sender,
    )
    if not meeting.is_scheduled:
        message.reason = revision.reason
    if is_full:
        message.location = revision.location
        message.url = revision.url
        message.description = revision.description
        if meeting.texts != MeetingTexts():
            message.texts.CopyFrom(texts_message(meeting.texts))
        message.steps.extend(map(step_message, meeting.steps))
    return message


def attendee_message(attendee: Attendee) -> task_pb2.Attendee:
    word = attendee.word
    return task_pb2.Attendee(
        email=attendee.email,
        name=attendee.name,
        empid=attendee.empid,
        role=attendee.role.value,
        told=word.told.value,
        told_sequence=word.sequence,
        delivery=attendee.delivery and attendee.delivery.value,
        job_id=attendee.job_id,
        delivery_reason=attendee.delivery_reason,
        removed=attendee.is_removed,
    )


def reminder_message(reminder: Reminder) -> task_pb2.Reminder:
    return task_pb2.Reminder(before=reminder.before, template=reminder.template)


def texts_message(texts: MeetingTexts) -> task_pb2.MeetingTexts:
    message = task_pb2.MeetingTexts(variables=texts.variables)
    for purpose, text in texts.mails.items():
        mail = task_pb2.MeetingTexts.Mail(template=text.template, subject=text.subject)
        getattr(message, TEXTS_BY_PURPOSE[purpose]).CopyFrom(mail)
    return message


def effect_message(effect: Effect) -> task_pb2.Effect:
    return task_pb2.Effect(
        email=effect.email,
        purpose=effect.purpose.value,
        what=effect.what.value,
        in_flight=effect.in_flight,
        count=effect.count,
    )


def step_message(step: MeetingStep) -> task_pb2.MeetingStep:
    return task_pb2.MeetingStep(
        time=step.time,
        client=step.client,
        via=step.via,
        method=step.method,
        revision=step.revision,
        reason=step.reason,
    )


async def build_fitting_meetings(
    meetings: Iterable[Meeting], share: LoopShare, *, is_full: bool
) -> list[task_pb2.Meeting]:
    """Return as many messages as fit into one reply, at least one; AIP-158 allows short pages."""
    messages: list[task_pb2.Meeting] = []
    left = MAX_PAGE_BYTES
    for meeting in meetings:
        if not share.try_take():
            await share.wait()
        message = meeting_message(meeting, is_full=is_full)
        left -= message.ByteSize()
        if left < 0 and messages:
            break
        messages.append(message)
    return messages
