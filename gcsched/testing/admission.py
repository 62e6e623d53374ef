"""The answers to requests to schedule, by the rules of the service and without a store."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from gcsched.domain.access import ANYONE
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import require_valid
from gcsched.domain.dedup import DedupRule, answer_created
from gcsched.domain.due import KEEP_TRYING, DailyPlan
from gcsched.domain.meeting import Person
from gcsched.domain.meetings.mails import TEMPLATES
from gcsched.domain.organizer import OrganizerRule
from gcsched.domain.request import (
    DEFAULT_TEMPLATE,
    MEETING,
    RequestContext,
)
from gcsched.domain.senders import Senders, parse_sender_key
from gcsched.pb import task_pb2
from gcsched.rpc.call import check_size
from gcsched.rpc.messages import meet_response
from gcsched.rpc.requests import request_from
from gcsched.testing.records import ScheduledRequest, record_request
from gcsched.usecases.admission.job_factory import JobFactory

DAILY_PLAN = DailyPlan(at=time(10), zone=ZoneInfo("UTC"))  # the service's defaults
MESSAGE_ID_DOMAIN = "example.org"
SENDER = Person(email=f"no-reply@{MESSAGE_ID_DOMAIN}")
RESERVED_NAMES = frozenset(
    {
        *("username", "empid", "email", "message", "due", "job_id", "meeting"),
        *("cycler", "dict", "joiner", "lipsum", "namespace", "range"),  # Jinja's own
    }
)
"""The variables that every mail has."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class FakeAdmission:
    """Accepts each valid request as a new job. *templates* has the required variables of each."""

    def __init__(
        self,
        templates: Mapping[str, Collection[str]],
        *,
        internal_domains: str,
        senders: Collection[str],
        organizer_domains: str,
        now: Callable[[], datetime],
    ) -> None:
        self.templates: dict[str, frozenset[str]] = {
            DEFAULT_TEMPLATE: frozenset(),
            **dict.fromkeys(TEMPLATES.values(), frozenset({MEETING})),
        }
        self.templates |= {name: frozenset(required) for name, required in templates.items()}
        self.now = now
        self.context = RequestContext(
            templates=self.templates,
            reserved_names=RESERVED_NAMES,
            daily_plan=DAILY_PLAN,
            address_rules=(
                AddressRules.parse(internal_domains) if internal_domains else AddressRules.PUBLIC
            ),
            senders=Senders(others=tuple(require_valid(parse_sender_key(s)) for s in senders)),
            organizers=OrganizerRule(
                sender=SENDER, domains=OrganizerRule.parse_domains(organizer_domains)
            ),
        )
        self._job_factory = JobFactory(
            context=self.context,
            dedup=DedupRule(),
            message_id_domain=MESSAGE_ID_DOMAIN,
            keep_trying=KEEP_TRYING,
        )

    def admit(
        self, message: task_pb2.MeetRequest
    ) -> tuple[task_pb2.MeetResponse, ScheduledRequest]:
        """Return the answer to a valid request, and its record. Raises GcschedError."""
        check_size(message)
        raw = request_from(message)
        request, job = self._job_factory.create_with_request(raw, now=self.now(), client=ANYONE)
        created = answer_created(job)
        if request.occasion is not None:
            created = replace(created, time_note=request.occasion.time_note)
        reply = meet_response(created)
        if message.validate_only:  # no job, so no id and no outcome; the mail is not rendered
            preview = task_pb2.Preview(subject=job.message)
            reply = task_pb2.MeetResponse(
                success=True,
                due_time=reply.due_time,
                state=reply.state,
                preview=preview,
                time_note=reply.time_note,
            )
        return reply, record_request(raw, job)

    def list_templates(self) -> task_pb2.ListTemplatesResponse:
        return task_pb2.ListTemplatesResponse(
            templates=[
                task_pb2.Template(name=name, required_variables=sorted(required))
                for name, required in sorted(self.templates.items())
            ]
        )
