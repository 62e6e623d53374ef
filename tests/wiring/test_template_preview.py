"""Templates that show a meeting: what a preview has, and which requests may name them."""

from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.domain.access import ANYONE
from gcsched.domain.event import Event
from gcsched.domain.mail import MailPreview
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.mails import TEMPLATES
from gcsched.errors import InvalidRequest
from gcsched.usecases.admission.preview import PreviewTemplate, SampleRecipient
from gcsched.wiring.template_preview import build_template_preview
from tests.support.builders import NOW, a_request

EVENT = Event(start="2026-07-09T09:00", end="2026-07-09T10:00", time_zone="Europe/Berlin")


@pytest.fixture
def preview() -> PreviewTemplate:
    templates = Templates.load(default_folder())
    return build_template_preview(templates, zone=ZoneInfo("Europe/Berlin"), now=lambda: NOW)


def test_a_preview_of_the_invitation_has_a_sample_meeting(preview: PreviewTemplate) -> None:
    seen = preview.preview(SampleRecipient(template="invitation"), ANYONE)

    assert "Wednesday, 8 July 2026, 09:00-09:30 (Europe/Berlin, UTC+2)" in seen.text
    lines = seen.calendar.split("\r\n")
    assert {"METHOD:REQUEST", "DTSTART:20260708T070000Z", "DTEND:20260708T073000Z"} <= set(lines)


def find_lines(seen: MailPreview) -> set[str]:
    return set(seen.calendar.split("\r\n"))


def test_a_preview_of_an_update_has_sample_changes(preview: PreviewTemplate) -> None:
    seen = preview.preview(SampleRecipient(template="update"), ANYONE)

    assert "When: Wednesday, 8 July 2026, 09:00-09:30 (Europe/Berlin, UTC+2)\n" in seen.text
    assert "  before: Tuesday, 7 July 2026, 09:00-09:30 (Europe/Berlin, UTC+2)\n" in seen.text
    assert "Where: Room 4.2, second floor\n  before: Room 3.1, first floor\n" in seen.text
    assert {"METHOD:REQUEST", "SEQUENCE:1", "DTSTART:20260708T070000Z"} <= find_lines(seen)


def test_a_preview_of_a_cancellation_has_a_sample_reason(preview: PreviewTemplate) -> None:
    seen = preview.preview(SampleRecipient(template="cancellation"), ANYONE)

    assert "this meeting is cancelled" in seen.text
    assert "Reason: Two of us are ill." in seen.text
    assert {"METHOD:CANCEL", "SEQUENCE:1", "STATUS:CANCELLED"} <= find_lines(seen)


def test_a_preview_of_a_reminder_has_no_calendar(preview: PreviewTemplate) -> None:
    seen = preview.preview(SampleRecipient(template="reminder"), ANYONE)

    assert "Wednesday, 8 July 2026, 09:00-09:30 (Europe/Berlin, UTC+2)" in seen.text
    assert seen.calendar == ""


def test_the_meeting_of_a_preview_is_an_example_and_that_of_a_request_is_not(
    preview: PreviewTemplate,
) -> None:
    request = a_request(template="update", event=EVENT)

    real = preview.job_factory.create(request, now=NOW, client=ANYONE)
    example = preview.job_factory.create(replace(request, is_sample=True), now=NOW, client=ANYONE)

    assert real.meeting is not None
    assert example.meeting is not None
    assert (real.meeting.is_sample, example.meeting.is_sample) == (False, True)
    assert (real.meeting.purpose, real.meeting.earlier) == (Purpose.INVITATION, None)
    assert real.dedup_key == example.dedup_key


def test_a_preview_of_a_template_without_a_meeting_has_none(preview: PreviewTemplate) -> None:
    assert preview.preview(SampleRecipient(template="doc"), ANYONE).calendar == ""


def test_a_template_that_shows_a_meeting_needs_an_event(preview: PreviewTemplate) -> None:
    with pytest.raises(InvalidRequest) as caught:
        preview.job_factory.create(a_request(template="invitation"), now=NOW, client=ANYONE)

    (violation,) = caught.value.violations
    assert violation.field == "template"
    assert violation.problem == "shows a meeting: 'invitation' needs an event"


@pytest.mark.parametrize("template", ["doc", *TEMPLATES.values()])
def test_a_request_with_an_event_may_name_any_template(
    preview: PreviewTemplate, template: str
) -> None:
    request = a_request(template=template, event=EVENT)

    job = preview.job_factory.create(request, now=NOW, client=ANYONE)

    assert job.meeting is not None
    assert "BEGIN:VEVENT" in preview.drafter.draft(job).calendar


def test_no_variable_of_a_caller_is_called_meeting(preview: PreviewTemplate) -> None:
    request = a_request(template="invitation", event=EVENT, variables={"meeting": "forged"})

    with pytest.raises(InvalidRequest) as caught:
        preview.job_factory.create(request, now=NOW, client=ANYONE)

    assert [each.field for each in caught.value.violations] == ["variables"]
