"""Two versions on the same stores: a process of one dies, a process of the other replaces it."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.chaos import verdict
from tests.chaos.verdict import Evidence
from tests.scenarios.mixed_callers import MixedCallers
from tests.scenarios.races import FINAL
from tests.support.ports import free_port
from tests.support.program_versions import Version
from tests.support.relay.script import Action, At, KeptMail, Moment, Trickle, repeatable
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, environment
from tests.support.stores import OwnServer, own_mongod, own_valkey
from tests.support.wait import until

PROCESSES = 3
SIGNALS = ("SIGKILL", "SIGTERM")
SETTINGS = {"retry_waits_seconds": "1,2,4", "retry_attempts": "50", "smtp_sessions": "8"}
SETTLED_WITHIN_SECONDS = 120.0
# About a second for the twenty bytes of a reply, so that processes die after a body has begun.
SLOW_SHARE, SLOW_REPLY = 0.3, Trickle(0.05)
EXPECTED_CODES = {*verdict.EXPECTED_CODES, "FAILED_PRECONDITION"}
# The logs are of two versions; "delivery broke" is the event of the older ones.
DEFECTS = ("call failed", "delivery crashed", "delivery broke", "Traceback", "job unreadable")
MAX_REPORTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    seed: int
    seconds: float
    per_second: float
    versions: tuple[Version, Version]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One replacement of a process: how the old one ended, and the version of the new one."""

    process: int
    signal: str
    exit_code: int
    new_version: str


@dataclass(kw_only=True, eq=False)
class Fleet:
    """Processes, each of one of two versions."""

    processes: Sequence[ServiceProcess]
    versions: tuple[Version, Version]
    running: list[Version] = field(default_factory=list)
    replacements: list[Replacement] = field(default_factory=list)

    async def start(self) -> None:
        for number, process in enumerate(self.processes):
            self.running.append(self.versions[number % 2])
            self._set_environment(number)
            await process.start()

    def _set_environment(self, number: int) -> None:
        process = self.processes[number]
        process.environment = {**process.environment, **self.running[number].environment}

    async def replace_until(self, seed: int, stop: asyncio.Event) -> None:
        """Replace one process after another until *stop*, each by the other version."""
        chance = repeatable(f"rolling {seed}")
        while not stop.is_set():
            await asyncio.sleep(chance.uniform(0.5, 2.0))
            number, how = chance.randrange(len(self.processes)), chance.choice(SIGNALS)
            await self._replace(number, how)

    async def _replace(self, number: int, how: str) -> None:
        process, [one, other] = self.processes[number], self.versions
        code = 0
        if how == "SIGKILL":
            await process.kill()
        else:
            code = await process.stop()
        self.running[number] = other if self.running[number] is one else one
        self._set_environment(number)
        await process.start()
        now = self.running[number].name
        self.replacements.append(
            Replacement(process=number, signal=how, exit_code=code, new_version=now)
        )

    async def end(self) -> None:
        for process in self.processes:
            await process.kill_if_running()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    scenario: Scenario
    callers: MixedCallers
    fleet: Fleet
    evidence: Evidence
    logs: Sequence[str]


async def run_scenario(folder: Path, scenario: Scenario) -> ScenarioResult:
    async with AsyncExitStack() as stack:
        mongo = await stack.enter_async_context(own_mongod(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        relay = await stack.enter_async_context(Relay())
        relay.add_rule(slow_bodies(scenario.seed))
        variables = environment(
            mongo=mongo.uri, redis=valkey.uri, relay_port=relay.port, **SETTINGS
        )
        fleet = Fleet(processes=services(folder, variables), versions=scenario.versions)
        stack.push_async_callback(fleet.end)
        await fleet.start()
        targets = [each.target for each in fleet.processes]
        callers = MixedCallers(targets=targets, seed=scenario.seed, per_second=scenario.per_second)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fleet.replace_until(scenario.seed, stop))
            await callers.run(seconds=scenario.seconds)
            stop.set()
        end = time.time()
        await wait_until_settled(mongo)
        evidence = gather_evidence(callers, relay.ledger, await read_jobs(mongo), end)
        logs = [process.log for process in fleet.processes]
    return ScenarioResult(
        scenario=scenario, callers=callers, fleet=fleet, evidence=evidence, logs=logs
    )


def services(folder: Path, variables: Mapping[str, str]) -> list[ServiceProcess]:
    return [
        ServiceProcess(
            environment=variables, log_file=folder / f"process-{number}.log", port=free_port()
        )
        for number in range(PROCESSES)
    ]


def slow_bodies(seed: int) -> Any:
    chance = repeatable(f"slow {seed}")

    def rule(moment: Moment) -> Action | None:
        return SLOW_REPLY if moment.at == At.BODY and chance.random() < SLOW_SHARE else None

    return rule


async def read_jobs(mongo: OwnServer) -> list[dict[str, Any]]:
    def read() -> list[dict[str, Any]]:
        with MongoClient[dict[str, Any]](mongo.uri, tz_aware=True) as client:
            return list(client.get_default_database()["jobs"].find())

    return await asyncio.to_thread(read)


async def wait_until_settled(mongo: OwnServer) -> None:
    """Wait until each job is final, or until that may have taken too long."""

    async def are_final() -> bool:
        return all(job["state"] in FINAL for job in await read_jobs(mongo))

    try:
        await until(are_final, within=SETTLED_WITHIN_SECONDS, every=1.0)
    except AssertionError:
        return  # `problems` reports what is left


def gather_evidence(
    callers: MixedCallers,
    ledger: Sequence[KeptMail],
    jobs: Sequence[Mapping[str, Any]],
    ended: float,
) -> Evidence:
    return Evidence(
        on_uncertain="resend",
        due=callers.due,
        accepted=callers.accepted,
        codes=callers.codes,
        error_details=callers.error_details,
        unanswered=set(),
        documents=jobs,
        arrivals=[(kept.recipient, kept.time) for kept in ledger],
        relay_faults=Counter(),
        faults_ended=ended,
    )


def problems(found: ScenarioResult) -> list[str]:
    """List mails that are lost, doubled without being UNCERTAIN, or sent although cancelled."""
    known = [problem for check in CHECKS for problem in check(found.evidence)]
    own = [problem for check in OWN_CHECKS for problem in check(found)]
    return [*known, *own][:MAX_REPORTED]


def check_ends_once(found: ScenarioResult) -> Iterator[str]:
    for recipient, jobs in found.evidence.jobs.items():
        if len(jobs) != 1 or jobs[0]["state"] not in FINAL - {"FAILED", "EXPIRED"}:
            yield f"{recipient}: {[(job['state'], job['reason']) for job in jobs]}"
    states = {job["state"] for job in found.evidence.documents}
    if "SUPPRESSED" in states and not any(
        result.requested == "suppress" for result in found.callers.results
    ):
        yield "SUPPRESSED, although no address was suppressed"


def check_stopped_permanently(found: ScenarioResult) -> Iterator[str]:
    evidence = found.evidence
    for result in found.callers.results:
        states = {job["state"] for job in evidence.jobs.get(result.recipient, [])}
        mails = evidence.times.get(result.recipient, [])
        if result.requested == "cancel" and result.answer == "OK":
            if states != {"CANCELLED"}:
                yield f"{result.recipient}: cancelled with OK, and {sorted(states)}"
            if any(mail > result.at for mail in mails):
                yield f"{result.recipient}: mailed after it was cancelled with OK"
        if result.answer not in {"OK", "FAILED_PRECONDITION"}:
            yield f"{result.recipient}: {result.requested} was answered {result.answer}"


def check_not_mailed(found: ScenarioResult) -> Iterator[str]:
    evidence = found.evidence
    requested = {each.recipient for each in found.callers.results}
    for job in evidence.documents:
        recipient = job["email"]
        if job["state"] in {"CANCELLED", "SUPPRESSED"}:
            if recipient not in requested:
                yield f"{recipient}: {job['state']}, but that was not requested"
            if recipient in evidence.times and recipient not in evidence.uncertain:
                yield f"{recipient}: {job['state']} and mailed"


def check_processes(found: ScenarioResult) -> Iterator[str]:
    for roll in found.fleet.replacements:
        if roll.exit_code:
            yield f"{roll}: SIGTERM ended it with {roll.exit_code}"
    for number, log in enumerate(found.logs):
        for line in log.splitlines():
            if any(defect in line for defect in DEFECTS):
                yield f"process {number}: {line[:300]}"


def check_call_codes(found: ScenarioResult) -> Iterator[str]:
    for code in found.callers.codes.keys() - EXPECTED_CODES:
        count, details = found.callers.codes[code], found.callers.error_details[code]
        yield f"{count} calls were answered {code}: {details}"


CHECKS = (
    verdict.check_accepted_kept,
    verdict.check_no_claim_left,
    verdict.check_sent_arrived,
    verdict.check_mail_requested,
    verdict.check_sent_once,
    verdict.check_attempts_charged,
    verdict.check_on_time,
)
OWN_CHECKS = (
    check_ends_once,
    check_stopped_permanently,
    check_not_mailed,
    check_processes,
    check_call_codes,
)


def figures(found: ScenarioResult) -> dict[str, Any]:
    """Return the figures of the run for a report."""
    evidence, rolls = found.evidence, found.fleet.replacements
    stopped = Counter(f"{result.requested}: {result.answer}" for result in found.callers.results)
    wrong = problems(found)
    return {
        "seed": found.scenario.seed,
        "seconds": found.scenario.seconds,
        "old": found.scenario.versions[0].commit,
        "new": found.scenario.versions[1].commit,
        "replaced": dict(
            sorted(Counter(f"{roll.signal}, then {roll.new_version}" for roll in rolls).items())
        ),
        "calls": dict(evidence.codes),
        "stopped": dict(sorted(stopped.items())),
        "accepted": len(evidence.accepted),
        "jobs": len(evidence.documents),
        "states": dict(Counter(job["state"] for job in evidence.documents)),
        "mails": len(evidence.arrivals),
        "second_mails": evidence.duplicates,
        "jobs_once_uncertain": len(evidence.uncertain),
        "problems": wrong,
    }
