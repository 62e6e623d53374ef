"""Two thousand mails with every transient fault, through the real application and its pool.

The jobs and the relay's ledger are checked against the plans of a seed: see oracle.py.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from structlog.testing import capture_logs

from gcsched.pb import task_pb2
from gcsched.wiring.resources import Resources
from tests.scenarios.oracle import (
    SUPPRESSED,
    FaultPlan,
    FinalState,
    PlannedFaults,
    RandomRelayFaults,
    ThrottleReplies,
    draw_plans,
)
from tests.support.in_process_app import (
    Documents,
    RunningApp,
    make_settings,
    read_jobs,
    running_app,
)
from tests.support.relay.script import KeptMail, repeatable
from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

SETTLED = ["SENT", "FAILED", "SUPPRESSED", "EXPIRED", "UNCERTAIN"]
BATCH_SIZE = 250
REPEAT_SHARE = 0.02  # of all mails: a second one to an address that was found unknown
USER, PASSWORD = "anna", "right"
# Events that must not be logged; "delivery broke" is the name in older versions.
DEFECTS = {"delivery crashed", "delivery broke", "claim lost", "job unreadable"}
# Relays differ in their state after a refusal; each seed has one of these.
RELAYS: Sequence[dict[str, Any]] = (
    {"requires_rset": True},
    {"requires_rset": True, "offers": frozenset({"8BITMIME"})},
    {"always_354": True, "security": "starttls"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One seed under one policy; *stores* are the URIs of MongoDB and Redis, both empty."""

    seed: int
    on_uncertain: str
    stores: tuple[str, str]
    mails: int = 2000
    timeout: float = 120.0

    @property
    def recipients(self) -> list[str]:
        first = self.mails - int(self.mails * REPEAT_SHARE)
        return [f"r{number}@faults.test" for number in range(first)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """The jobs and the relay at the end; *recipient_by_job* has the recipient of each job."""

    scenario: Scenario
    recipient_by_job: Mapping[str, str]
    repeat_job_ids: frozenset[str]
    plans: Mapping[str, FaultPlan]
    documents: Documents
    relay: Relay
    events: Sequence[Mapping[str, Any]] = field(repr=False)
    seconds: float

    def copies(self) -> dict[str, list[KeptMail]]:
        copies: dict[str, list[KeptMail]] = defaultdict(list)
        for each in self.relay.ledger:
            copies[each.header("Message-ID").strip("<>")].append(each)
        return copies

    def possible_states(self, job_id: str) -> list[FinalState]:
        plan = self.plans[self.recipient_by_job[job_id]]
        return (
            [SUPPRESSED]
            if job_id in self.repeat_job_ids
            else plan.possible_states(self.scenario.on_uncertain)
        )


async def run_scenario(scenario: Scenario) -> ScenarioResult:
    """Run *scenario* until every job is settled, or until its timeout."""
    plans = draw_plans(scenario.seed, scenario.recipients)
    planned_faults = PlannedFaults(plans)
    start = time.monotonic()
    with capture_logs() as events:
        async with Relay(users={USER: PASSWORD}, **RELAYS[scenario.seed % len(RELAYS)]) as relay:
            relay.add_rule(ThrottleReplies(after=scenario.mails * 3 // 4))
            relay.add_rule(RandomRelayFaults(scenario.seed))
            relay.add_rule(planned_faults)
            async with running_app(settings(scenario, relay)) as app:
                once = await schedule_mails(app, scenario.recipients, "Once")
                await wait_until_settled(app.resources, len(once), within=scenario.timeout)
                again = await schedule_mails(app, draw_unknown_recipients(plans, scenario), "Again")
                await wait_until_settled(app.resources, len(once | again), within=scenario.timeout)
                documents = await read_jobs(app.resources)
    return ScenarioResult(
        scenario=scenario,
        recipient_by_job=once | again,
        repeat_job_ids=frozenset(again),
        plans=plans,
        documents=documents,
        relay=relay,
        events=events,
        seconds=time.monotonic() - start,
    )


def settings(scenario: Scenario, relay: Relay) -> Any:
    mongo, redis = scenario.stores
    trust = {} if relay.tls is None else {"smtp_ca_file": str(relay.ca_file)}
    return make_settings(
        mongo=mongo,
        redis=redis,
        relay_port=relay.port,
        on_uncertain=scenario.on_uncertain,
        retry_waits_seconds="0.1",
        retry_attempts="50",
        smtp_security=relay.security,
        smtp_username=USER,
        smtp_password=PASSWORD,
        **trust,
    )


def draw_unknown_recipients(plans: Mapping[str, FaultPlan], scenario: Scenario) -> list[str]:
    found = [recipient for recipient, plan in plans.items() if plan.is_unknown]
    count = scenario.mails - len(plans)
    return repeatable(scenario.seed).sample(found, min(count, len(found)))


async def schedule_mails(
    app: RunningApp, recipients: Sequence[str], message: str
) -> dict[str, str]:
    """Schedule a mail to each of *recipients*, due now; return the recipient of each job."""
    recipient_by_job: dict[str, str] = {}
    async with scheduler_stub(app.target) as stub:
        for first in range(0, len(recipients), BATCH_SIZE):
            some = recipients[first : first + BATCH_SIZE]
            meets = [a_meet(emailID=to, message=message) for to in some]
            batch = task_pb2.BatchScheduleMeetsRequest(requests=meets)
            answers = (await stub.BatchScheduleMeets(batch)).answers
            recipient_by_job |= zip([each.response.job_id for each in answers], some, strict=True)
    return recipient_by_job


async def wait_until_settled(resources: Resources, count: int, *, within: float) -> None:
    """Wait until *count* jobs are settled; `problems` reports those that are not by then."""

    async def is_settled() -> bool:
        found = await resources.mongo.jobs.count_documents({"state": {"$in": SETTLED}})
        return found >= count

    with suppress(AssertionError):
        await until(is_settled, within=within)


def problems(found: ScenarioResult) -> list[str]:
    """List everything that is wrong."""
    copies = found.copies()
    documents = {document["_id"]: document for document in found.documents}
    known = {document["message_id"] for document in found.documents}
    listed = [
        f"job {job_id} is missing" for job_id in found.recipient_by_job.keys() - documents.keys()
    ]
    listed += [
        f"job {job_id} was not requested"
        for job_id in documents.keys() - found.recipient_by_job.keys()
    ]
    listed += [f"a mail without a job: {message_id}" for message_id in copies.keys() - known]
    for job_id in found.recipient_by_job.keys() & documents.keys():
        document = documents[job_id]
        states, kept = found.possible_states(job_id), copies.get(document["message_id"], [])
        wrong = [*state_problems(document, states, kept), *copy_problems(kept, document)]
        plan = found.plans[document["email"]]
        listed += [f"{document['email']}: {problem}; {plan}" for problem in wrong]
    if len(found.recipient_by_job) != found.scenario.mails:
        listed.append(f"{len(found.recipient_by_job)} jobs for {found.scenario.mails} requests")
    listed += found.relay.violations
    return listed + [str(event) for event in found.events if event["event"] in DEFECTS]


def state_problems(
    document: dict[str, Any], states: Sequence[FinalState], kept: list[KeptMail]
) -> Iterable[str]:
    """Check one job against its possible final states."""
    state, reason = document["state"], document["reason"]
    seen = FinalState(state=state, copies=len(kept), reason=reason)
    if not any(
        (end.state, end.copies) == (state, len(kept)) and end.reason in reason for end in states
    ):
        yield f"{seen} is not one of {states}"
    if state == "SUPPRESSED" and document["attempts"]:
        yield "was attempted, although its address was known to be invalid"


def copy_problems(kept: list[KeptMail], document: dict[str, Any]) -> Iterable[str]:
    """Check the copies of one mail against its job, whatever the plan."""
    kinds = [attempt["kind"] for attempt in document["attempts"]]
    if len(kept) > 1 and "UNCERTAIN" not in kinds:
        yield "arrived twice and was never UNCERTAIN"
    if document["state"] == "SENT" and not kept:
        yield "is SENT and did not arrive"
    if len({each.content for each in kept}) > 1:
        yield "arrived twice with different contents"
    if {each.recipient for each in kept} - {document["email"]}:
        yield "went to another recipient"


def figures(found: ScenarioResult) -> dict[str, Any]:
    """Return the figures of the run for a report."""
    events = Counter(event["event"] for event in found.events)
    kinds = [{each["kind"] for each in job["attempts"]} for job in found.documents]
    relay = found.relay
    traits = {"requires_rset": relay.requires_rset, "always_354": relay.always_354}
    return {
        "seed": found.scenario.seed,
        "on_uncertain": found.scenario.on_uncertain,
        "relay": [name for name, has_it in traits.items() if has_it]
        + sorted(relay.offers)
        + [relay.security],
        "mails": len(found.recipient_by_job),
        "seconds": round(found.seconds, 1),
        "states": dict(sorted(Counter(job["state"] for job in found.documents).items())),
        "attempts": sum(len(job["attempts"]) for job in found.documents),
        "jobs_ever_uncertain": sum("UNCERTAIN" in each for each in kinds),
        "mails_kept": len(relay.ledger),
        "mails_kept_twice_or_more": sum(len(each) > 1 for each in found.copies().values()),
        "sessions": relay.sessions,
        "faults": len(relay.applied_actions),
        "faults_at": dict(
            sorted(Counter(moment.at for moment, _ in relay.applied_actions).items())
        ),
        "relay_was_down": events["relay is down"],
        "relay_throttled": events["relay throttles"],
        "problems": problems(found),
    }
