"""Templates that show a meeting: what a preview has, and which requests may name them."""

from zoneinfo import ZoneInfo

import pytest

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.domain.access import ANYONE
from gcsched.domain.event import Event
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


def test_a_preview_of_a_template_without_a_meeting_has_none(preview: PreviewTemplate) -> None:
    assert preview.preview(SampleRecipient(template="doc"), ANYONE).calendar == ""


def test_a_template_that_shows_a_meeting_needs_an_event(preview: PreviewTemplate) -> None:
    with pytest.raises(InvalidRequest) as caught:
        preview.job_factory.create(a_request(template="invitation"), now=NOW, client=ANYONE)

    (violation,) = caught.value.violations
    assert violation.field == "template"
    assert violation.problem == "shows a meeting: 'invitation' needs an event"


@pytest.mark.parametrize("template", ["doc", "invitation"])
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
