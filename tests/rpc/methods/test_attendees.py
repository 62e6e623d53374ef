"""AddAttendees and RemoveAttendees with a real channel, stores and relay. Oracle: the contract."""

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from gcsched.pb import task_pb2
from tests.support.handler_server import read_error_status
from tests.support.log_events import Events
from tests.support.meeting_service import (
    ADA,
    BOB,
    EVE,
    an_attendee,
    create,
    effects_of,
    mails_to,
    read,
    read_lines,
    read_text,
    wait_for_mails,
    wait_until_told,
)
from tests.support.relay.server import Relay
from tests.support.service_process import Stub

LATER = datetime(2029, 1, 1, tzinfo=UTC)
SURE = task_pb2.Attendee.SURE


@pytest.fixture
def app_settings() -> dict[str, str]:
    return {"meeting_settle": "0"}


async def add(stub: Stub, meeting_id: str, *emails: str, **fields: Any) -> task_pb2.Meeting:
    attendees = [an_attendee(each) for each in emails]
    return await stub.AddAttendees(
        task_pb2.AddAttendeesRequest(meeting_id=meeting_id, attendees=attendees, **fields)
    )


async def remove(stub: Stub, meeting_id: str, *emails: str, **fields: Any) -> task_pb2.Meeting:
    return await stub.RemoveAttendees(
        task_pb2.RemoveAttendeesRequest(meeting_id=meeting_id, emails=emails, **fields)
    )


async def test_only_the_new_attendee_gets_a_mail(stub: Stub, relay: Relay) -> None:
    created = await create(stub, ADA)
    await wait_until_told(stub, created.meeting_id, ADA)

    added = await add(stub, created.meeting_id, BOB)
    told = await wait_until_told(stub, created.meeting_id, ADA, BOB)
    again = await add(stub, created.meeting_id, BOB.upper(), etag="old")

    assert [each.email for each in added.attendees] == [ADA, BOB]
    assert (BOB, "INVITATION", "MAKES", 1) in effects_of(added)
    assert added.etag == told.etag == again.etag != created.etag
    assert added.sequence == 0
    [mail] = mails_to(relay, BOB)
    assert read_lines(mail)["SEQUENCE"] == "0"
    assert len(relay.ledger) == 2


async def test_the_others_learn_of_it_if_the_caller_wants(stub: Stub, relay: Relay) -> None:
    created = await create(stub, ADA, guests_see_each_other=True)
    await wait_until_told(stub, created.meeting_id, ADA)

    added = await add(stub, created.meeting_id, BOB, tell_others=True)
    await wait_until_told(stub, created.meeting_id, ADA, BOB, sequence=1)

    assert added.sequence == 1
    assert effects_of(added) == [(ADA, "UPDATE", "MAKES", 1), (BOB, "INVITATION", "MAKES", 1)]
    first, second = mails_to(relay, ADA)
    assert BOB not in first.as_string()
    assert read_lines(second)["SEQUENCE"] == "1"


async def test_one_who_has_an_invitation_is_uninvited_and_the_others_hear_nothing(
    stub: Stub, relay: Relay
) -> None:
    created = await create(stub, ADA, BOB)
    await wait_until_told(stub, created.meeting_id, ADA, BOB)

    removed = await remove(stub, created.meeting_id, ADA.upper(), reason="Not needed")
    *_, mail = await wait_for_mails(relay, ADA, 2)
    again = await remove(stub, created.meeting_id, ADA)

    assert effects_of(removed) == [
        (ADA, "CANCELLATION", "MAKES", 1),
        (BOB, "UPDATE", "NOTHING", 0),
    ]
    assert removed.state == task_pb2.Meeting.SCHEDULED
    assert [(each.email, each.removed) for each in removed.attendees] == [(ADA, True), (BOB, False)]
    assert again.etag == removed.etag
    lines = read_lines(mail)
    assert (lines["METHOD"], lines["SEQUENCE"]) == ("CANCEL", "1")
    assert "STATUS" not in lines
    assert lines["ATTENDEE"].endswith(f"mailto:{ADA}")
    assert "Not needed" in read_text(mail)
    assert BOB not in mail.as_string()
    assert len(mails_to(relay, BOB)) == 1


async def test_one_who_surely_has_nothing_gets_no_mail_and_is_gone(
    stub: Stub, relay: Relay
) -> None:
    created = await create(stub, ADA, BOB, invite_at=LATER)

    removed = await remove(stub, created.meeting_id, BOB)

    assert effects_of(removed) == [
        (ADA, "INVITATION", "NOTHING", 0),
        (BOB, "INVITATION", "CANCELS", 1),
    ]
    assert [each.email for each in removed.attendees] == [ADA]
    assert removed.sequence == 0
    job = await stub.GetJob(task_pb2.GetJobRequest(job_id=created.attendees[1].job_id))
    assert (job.state, job.reason) == (task_pb2.Job.CANCELLED, "the attendee was removed")
    assert relay.ledger == []


async def test_one_who_was_uninvited_can_be_invited_again(stub: Stub, relay: Relay) -> None:
    created = await create(stub, ADA, BOB)
    meeting_id = created.meeting_id
    await wait_until_told(stub, meeting_id, ADA, BOB)
    await remove(stub, meeting_id, ADA)
    await wait_for_mails(relay, ADA, 2)

    added = await add(stub, meeting_id, ADA)
    mails = await wait_for_mails(relay, ADA, 3)

    lines = [read_lines(each) for each in mails]
    assert [each["METHOD"] for each in lines] == ["REQUEST", "CANCEL", "REQUEST"]
    numbers = [int(each["SEQUENCE"]) for each in lines]
    assert numbers == sorted(set(numbers))
    assert {each["UID"] for each in lines} == {created.uid}
    assert [(each.email, each.removed) for each in added.attendees] == [(ADA, False), (BOB, False)]
    assert len(mails_to(relay, BOB)) == 1
    told = await wait_until_told(stub, meeting_id, ADA, sequence=numbers[-1])
    assert [each.told for each in told.attendees] == [SURE, SURE]


async def test_an_unknown_address_changes_nothing(stub: Stub) -> None:
    created = await create(stub, ADA, BOB, invite_at=LATER)

    refusal = await read_error_status(
        stub.RemoveAttendees(
            task_pb2.RemoveAttendeesRequest(meeting_id=created.meeting_id, emails=[ADA, EVE])
        )
    )

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "ATTENDEE_NOT_FOUND")
    assert refusal.metadata == {"meeting_id": created.meeting_id, "fields": "emails[1]"}
    assert (await read(stub, created.meeting_id)).etag == created.etag


async def test_violations_have_the_names_of_the_contract(stub: Stub) -> None:
    created = await create(stub, invite_at=LATER)
    meeting_id, many = created.meeting_id, [f"{n}@example.org" for n in range(100)]

    full = await read_error_status(
        stub.AddAttendees(
            task_pb2.AddAttendeesRequest(
                meeting_id=meeting_id, attendees=[an_attendee(each) for each in many]
            )
        )
    )
    wrong = await read_error_status(
        stub.AddAttendees(
            task_pb2.AddAttendeesRequest(
                meeting_id=meeting_id,
                attendees=[an_attendee("x"), an_attendee("no-reply@example.org", role=9)],
            )
        )
    )
    none = await read_error_status(
        stub.AddAttendees(task_pb2.AddAttendeesRequest(meeting_id=meeting_id))
    )
    gone = await read_error_status(
        stub.RemoveAttendees(task_pb2.RemoveAttendeesRequest(emails=["x"], reason="r" * 257))
    )

    assert set(full.violations) == set(none.violations) == {"attendees"}
    assert set(wrong.violations) == {
        *("attendees[0].email", "attendees[1].email", "attendees[1].role"),
    }
    assert set(gone.violations) == {"meeting_id", "emails[0]", "reason"}


async def test_a_validation_stores_nothing(stub: Stub, relay: Relay) -> None:
    created = await create(stub, ADA)
    await wait_until_told(stub, created.meeting_id, ADA)

    added = await add(stub, created.meeting_id, BOB, validate_only=True)
    removed = await remove(stub, created.meeting_id, ADA, validate_only=True)

    assert (BOB, "INVITATION", "MAKES", 1) in effects_of(added)
    assert effects_of(removed) == [(ADA, "CANCELLATION", "MAKES", 1)]
    assert (await read(stub, created.meeting_id)).etag == created.etag
    assert len(relay.ledger) == 1


async def test_what_is_logged_has_ids_and_counts_and_no_addresses(
    events: Events, stub: Stub
) -> None:
    created = await create(stub, ADA, invite_at=LATER)
    meeting_id = created.meeting_id
    await add(stub, meeting_id, BOB, EVE)
    await remove(stub, meeting_id, EVE, reason="secret")
    await stub.UpdateMeeting(
        task_pb2.UpdateMeetingRequest(meeting={"meeting_id": meeting_id, "summary": "secret"})
    )
    await stub.CancelMeeting(task_pb2.CancelMeetingRequest(meeting_id=meeting_id, reason="secret"))

    of_meeting = [each for each in events if each.get("meeting_id") == meeting_id]
    counts = {each["event"]: each.get("count") for each in of_meeting}
    assert counts.items() >= {
        *{"attendees added": 2, "attendees removed": 1}.items(),
        *{"meeting updated": None, "meeting cancelled": None}.items(),
    }
    assert not any(word in str(of_meeting) for word in (ADA, BOB, EVE, "secret"))
