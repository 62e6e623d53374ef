"""Two versions on the same stores: processes of each die, and the other takes their place."""

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
SLOW_SHARE, SLOW_REPLY = 0.3, Trickle(0.05)  # an octet of about twenty: so deaths meet begun mails
EXPECTED_CODES = {
    "OK",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
}
DEFECTS = ("call failed", "delivery broke", "Traceback", "job unreadable")
MAX_REPORTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    seed: int
    seconds: float
    per_second: float
    versions: tuple[Version, Version]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One process replaced: how it ended, and which version took its place."""

    process: int
    signal: str
    exit_code: int
    new_version: str


@dataclass(kw_only=True, eq=False)
class Fleet:
    """Processes, each of the one version or the other."""

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
        """Replace one process after the other until *stop*, by the version that it was not."""
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
        given = environment(mongo=mongo.uri, redis=valkey.uri, relay_port=relay.port, **SETTINGS)
        fleet = Fleet(processes=services(folder, given), versions=scenario.versions)
        stack.push_async_callback(fleet.end)
        await fleet.start()
        targets = [each.target for each in fleet.processes]
        crowd = MixedCallers(targets=targets, seed=scenario.seed, per_second=scenario.per_second)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fleet.replace_until(scenario.seed, stop))
            await crowd.run(seconds=scenario.seconds)
            stop.set()
        ended = time.time()
        await wait_until_settled(mongo)
        evidence = gather_evidence(crowd, relay.ledger, await read_jobs(mongo), ended)
        logs = [process.log for process in fleet.processes]
    return ScenarioResult(
        scenario=scenario, callers=crowd, fleet=fleet, evidence=evidence, logs=logs
    )


def services(folder: Path, given: Mapping[str, str]) -> list[ServiceProcess]:
    return [
        ServiceProcess(
            environment=given, log_file=folder / f"process-{number}.log", port=free_port()
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
    """Wait until each job has its final state, or for as long as that may take."""

    async def are_final() -> bool:
        return all(job["state"] in FINAL for job in await read_jobs(mongo))

    try:
        await until(are_final, within=SETTLED_WITHIN_SECONDS, every=1.0)
    except AssertionError:
        return  # the problems name what is left


def gather_evidence(
    crowd: MixedCallers, ledger: Sequence[KeptMail], jobs: Sequence[Mapping[str, Any]], ended: float
) -> Evidence:
    return Evidence(
        on_uncertain="resend",
        due=crowd.due,
        accepted=crowd.accepted,
        codes=crowd.codes,
        error_details=crowd.error_details,
        unanswered=set(),
        documents=jobs,
        arrivals=[(kept.recipient, kept.time) for kept in ledger],
        relay_faults=Counter(),
        faults_ended=ended,
    )


def problems(found: ScenarioResult) -> list[str]:
    """List what must not be: a mail lost, doubled without a doubt, or sent in spite of an OK."""
    known = [problem for check in CHECKS for problem in check(found.evidence)]
    own = [problem for check in OWN_CHECKS for problem in check(found)]
    return [*known, *own][:MAX_REPORTED]


def check_ends_once(found: ScenarioResult) -> Iterator[str]:
    for recipient, jobs in found.evidence.jobs.items():
        if len(jobs) != 1 or jobs[0]["state"] not in FINAL - {"FAILED", "EXPIRED"}:
            yield f"{recipient}: {[(job['state'], job['reason']) for job in jobs]}"
    states = {job["state"] for job in found.evidence.documents}
    if "SUPPRESSED" in states and not any(
        told.requested == "block" for told in found.callers.results
    ):
        yield "SUPPRESSED, and nobody has blocked an address"


def check_stopped_for_good(found: ScenarioResult) -> Iterator[str]:
    evidence = found.evidence
    for told in found.callers.results:
        states = {job["state"] for job in evidence.jobs.get(told.recipient, [])}
        mails = evidence.times.get(told.recipient, [])
        if told.requested == "cancel" and told.answer == "OK":
            if states != {"CANCELLED"}:
                yield f"{told.recipient}: cancelled with OK, and {sorted(states)}"
            if any(mail > told.at for mail in mails):
                yield f"{told.recipient}: mailed after it was cancelled with OK"
        if told.answer not in {"OK", "FAILED_PRECONDITION"}:
            yield f"{told.recipient}: {told.requested} was answered {told.answer}"


def check_not_mailed(found: ScenarioResult) -> Iterator[str]:
    evidence, wanted = (
        found.evidence,
        {each.recipient: each.requested for each in found.callers.results},
    )
    for job in evidence.documents:
        recipient = job["email"]
        if job["state"] in {"CANCELLED", "SUPPRESSED"}:
            if recipient not in wanted:
                yield f"{recipient}: {job['state']}, and nobody wanted that"
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
        yield f"{found.callers.codes[code]} calls were answered {code}: {found.callers.error_details[code]}"


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
    check_stopped_for_good,
    check_not_mailed,
    check_processes,
    check_call_codes,
)


def figures(found: ScenarioResult) -> dict[str, Any]:
    """Give what is worth keeping of *found*."""
    evidence, rolls = found.evidence, found.fleet.replacements
    stopped = Counter(f"{told.requested}: {told.answer}" for told in found.callers.results)
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
