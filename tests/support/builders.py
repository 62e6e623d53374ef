"""Builders of values with ordinary defaults; a clock that stands still."""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gcsched.domain.access import ANYONE, Client, ClientLimits, Scope
from gcsched.domain.actor import Actor
from gcsched.domain.attempt import Attempt
from gcsched.domain.dedup import AdmissionOutcome, AdmissionResult, DedupRule
from gcsched.domain.due import DailyPlan
from gcsched.domain.event import Event
from gcsched.domain.job import Job, State
from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.meeting_mail import MeetingMail
from gcsched.domain.organizer import OrganizerRule
from gcsched.domain.request import MeetRequest, RequestContext
from gcsched.domain.smtp_reply import Kind
from gcsched.domain.suppression import Suppression
from gcsched.errors import RequestIdReused
from gcsched.usecases.admission.job_factory import JobFactory
from gcsched.usecases.ports import ClaimedBatch, Conclusion

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
NOON = 1_782_907_200
"""NOW, as Unix seconds."""


@dataclass
class FixedClock:
    """A clock that stands still until a test advances it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


def a_request(**others: Any) -> MeetRequest:
    """Build a valid request for a mail at NOW."""
    ordinary: dict[str, Any] = {
        "empid": "E1",
        "email": "ada@example.org",
        "message": "Stand-up",
        "name": "Ada",
        "timestamp": NOON,
    }
    return MeetRequest(**{**ordinary, **others})


DOC_ONLY = RequestContext(
    templates={"doc": ()},
    reserved_names={"username", "empid"},
    daily_plan=DailyPlan(at=time(10), zone=ZoneInfo("Europe/Berlin")),
)


SENDER = Person(email="no-reply@example.net", name="Meetings")
WITH_INVITATIONS = dataclasses.replace(
    DOC_ONLY,
    templates={"doc": (), "invitation": ()},
    organizers=OrganizerRule(sender=SENDER, domains=frozenset({"example.com"})),
)


def an_event(**others: Any) -> Event:
    """Build the event of a review in Berlin, half a year after NOW."""
    ordinary: dict[str, Any] = {
        "start": "2027-01-05T09:00",
        "time_zone": "Europe/Berlin",
        "duration": timedelta(minutes=30),
    }
    return Event(**{**ordinary, **others})


def a_revision(**others: Any) -> MeetingRevision:
    """Build the first revision of that review."""
    ordinary: dict[str, Any] = {
        "meeting_id": "meeting-1",
        "uid": "meeting-1@example.net",
        "number": 1,
        "sequence": 0,
        "stamp": NOW,
        "start": datetime(2027, 1, 5, 8, tzinfo=UTC),
        "end": datetime(2027, 1, 5, 8, 30, tzinfo=UTC),
        "start_wall": datetime.fromisoformat("2027-01-05T09:00"),
        "end_wall": datetime.fromisoformat("2027-01-05T09:30"),
        "zone": "Europe/Berlin",
        "zone_version": "2026a",
        "summary": "Review",
        "organizer": SENDER,
    }
    return MeetingRevision(**{**ordinary, **others})


def an_invitation(**others: Any) -> Job:
    """Build the job that invites to it, due at NOW."""
    ordinary: dict[str, Any] = {
        "message": "Review",
        "template": "invitation",
        "meeting": MeetingMail(revision=a_revision()),
        "has_own_expire_time": True,
        "expire_time": a_revision().start,
    }
    return a_job(**{**ordinary, **others})


def a_job_factory(**others: Any) -> JobFactory:
    """Build the factory of a service with one template without required variables."""
    ordinary: dict[str, Any] = {
        "context": DOC_ONLY,
        "dedup": DedupRule(),
        "message_id_domain": "example.org",
        "keep_trying": timedelta(hours=6),
    }
    return JobFactory(**{**ordinary, **others})


def an_admitted(job: Job | None = None, *, is_new: bool = True) -> AdmissionResult:
    """Build the answer for *job*, or an ordinary one, as stored."""
    job = job or a_job()
    outcome = AdmissionOutcome.CREATED if is_new else AdmissionOutcome.REPLAYED
    return AdmissionResult(outcome=outcome, job_id=job.id, state=job.state, due_time=job.due_time)


def a_refusal(job_id: str) -> AdmissionResult:
    """Build the refusal because of *job_id*, whose window is not over."""
    return AdmissionResult(outcome=AdmissionOutcome.REFUSED_DUPLICATE, job_id=job_id)


def is_new(answer: object) -> bool:
    return isinstance(answer, AdmissionResult) and answer.is_new


def find_reused_id(answer: object) -> str | None:
    """Return the id of the job that has the call's request id; None for other answers."""
    return answer.metadata["job_id"] if isinstance(answer, RequestIdReused) else None


def a_job(**others: Any) -> Job:
    """Build a job that was accepted at NOW and is due then."""
    ordinary: dict[str, Any] = {
        "id": "job-1",
        "state": State.SCHEDULED,
        "empid": "E1",
        "email": "ada@example.org",
        "message": "Stand-up",
        "name": "Ada",
        "create_time": NOW,
        "schedule_time": NOW,
        "due_time": NOW,
        "expire_time": NOW + timedelta(days=1),
        "state_time": NOW,
        "message_id": "job-1@example.org",
        "dedup_key": "key-1",
    }
    return Job(**{**ordinary, **others})


def a_claimed_job(**others: Any) -> Job:
    """Build a job that is being sent."""
    return a_job(**{"state": State.SENDING, "claim": "claim-1", "version": 1, **others})


def an_attempt(**others: Any) -> Attempt:
    """Build an attempt that started at NOW, took a second, and was deferred by the relay."""
    ordinary: dict[str, Any] = {
        "start_time": NOW,
        "end_time": NOW + timedelta(seconds=1),
        "kind": Kind.DEFERRED,
        "relay": "smtp.example.org",
        "code": 450,
        "text": "450 at RCPT: busy",
    }
    return Attempt(**{**ordinary, **others})


def a_suppression(**others: Any) -> Suppression:
    """Build a suppression that an earlier job caused at NOW."""
    ordinary: dict[str, Any] = {
        "address": "ada@example.org",
        "reason": "550 5.1.1 at RCPT: no such user",
        "job_id": "job-0",
        "create_time": NOW,
        "expire_time": NOW + timedelta(days=30),
    }
    return Suppression(**{**ordinary, **others})


def a_conclusion(job: Job | None = None, *, claim: str = "claim-1") -> Conclusion:
    """Build the conclusion that *job*, or an ordinary one, was sent."""
    return Conclusion(
        claim=claim, job=job or a_claimed_job().sent(an_attempt(kind=Kind.ACCEPTED, code=250))
    )


def a_batch(*jobs: Job, claim: str = "claim-1") -> ClaimedBatch:
    return ClaimedBatch(token=claim, jobs=jobs, lease_end=0.0, due_count=len(jobs))


def a_client(name: str = "payroll", **limits: Any) -> Client:
    """Build a client that may schedule, with *limits*."""
    scopes = frozenset({Scope.SCHEDULE})
    return Client(name=name, scopes=scopes, limits=ClientLimits(**limits))


AN_ACTOR = Actor(client=ANYONE, via="grpc", method="CancelJob")
"""A caller of a service that does not control access."""
