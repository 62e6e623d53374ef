"""The promises M1 to M8, checked in the mails that arrived and in MongoDB. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.meetings.calendars import Notice, keep_calendars, select
from tests.chaos.meetings.organizers import Plan

UNSENT = {"FAILED", "EXPIRED", "SUPPRESSED"}
ADDRESS = re.compile(r"m\d+-\d+@example\.com")
MAX_REPORTED = 20


@dataclass(frozen=True, kw_only=True)
class Evidence:
    plans: Sequence[Plan]
    unexpected: Sequence[str]
    notices: Sequence[Notice]
    jobs: Sequence[Mapping[str, Any]]
    meetings: Mapping[str, Mapping[str, Any]]

    def jobs_of(self, plan: Plan, email: str) -> list[Mapping[str, Any]]:
        return [
            job
            for job in self.jobs
            if job["email"] == email and job["invitation"]["meeting"] == plan.meeting_id
        ]


def find_purpose(job: Mapping[str, Any]) -> str:
    """Return what the mail is for; an invitation without further details stores none."""
    return str(job.get("meeting_mail", {}).get("purpose", "INVITATION"))


def problems(evidence: Evidence) -> list[str]:
    """List the promises that do not hold."""
    found = [problem for check in CHECKS for problem in check(evidence)]
    return found[:MAX_REPORTED]


def check_calls(evidence: Evidence) -> Iterator[str]:
    yield from evidence.unexpected
    for plan in evidence.plans:
        if plan.is_unanswered:
            yield f"{plan.number}: no answer after the faults had ended"
        if plan.meeting_id and plan.meeting_id not in evidence.meetings:
            yield f"{plan.number}: confirmed, and not in MongoDB (M1)"


def check_settled(evidence: Evidence) -> Iterator[str]:
    for job in evidence.jobs:
        if job["state"] not in {"SENT", "CANCELLED", "SCHEDULED"}:
            yield f"{job['email']}: {job['state']} {job['reason']}"
        elif job["state"] == "SCHEDULED" and find_purpose(job) != "REMINDER":
            yield f"{job['email']}: {find_purpose(job)} still waits"
    for plan in evidence.plans:
        meeting = evidence.meetings.get(plan.meeting_id, {})
        if "check" in meeting:
            yield f"{plan.number}: still to be looked at"


def check_latest_word(evidence: Evidence) -> Iterator[str]:
    """M3: each attendee's calendar shows what the caller confirmed last, or never had anything."""
    calendars = keep_calendars(evidence.notices)
    for plan in evidence.plans:
        for email, is_invited in plan.attendees.items():
            calendar = calendars.get(email)
            events = [] if calendar is None else list(calendar.events.values())
            shown = [(each.start, each.summary) for each in events]
            if plan.is_cancelled or not is_invited:
                if shown:
                    yield f"{email}: still has {shown} (M3)"
            elif len(shown) != 1 or shown[0] not in plan.finals:
                yield f"{email}: has {shown} instead of {plan.finals} (M3)"
            if calendar is not None and calendar.strange:
                yield from check_earlier_mails(evidence, plan, email)


def check_earlier_mails(evidence: Evidence, plan: Plan, email: str) -> Iterator[str]:
    """A cancel without an event is due only where an earlier mail may have arrived: UNCERTAIN."""
    earlier = [job for job in evidence.jobs_of(plan, email) if find_purpose(job) != "CANCELLATION"]
    outcomes = [[attempt["kind"] for attempt in job["attempts"]] for job in earlier]
    if not any("UNCERTAIN" in each for each in outcomes):
        yield f"{email}: a cancel of what never arrived (M3), after {outcomes}"


def check_one_event(evidence: Evidence) -> Iterator[str]:
    """M2: one UID for each meeting, SEQUENCE never falls, and the same version says the same."""
    for plan in evidence.plans:
        of_meeting = [
            each for each in evidence.notices if each.method and each.recipient in plan.attendees
        ]
        if len(uids := {each.uid for each in of_meeting}) > 1:
            yield f"{plan.number}: several UIDs {uids} (M2)"
        contents: dict[int, set[tuple[object, ...]]] = {}
        for each in of_meeting:
            if each.method == "REQUEST":
                contents.setdefault(each.sequence, set()).add((each.start, each.summary))
        for sequence, said in contents.items():
            if len(said) > 1:
                yield f"{plan.number}: SEQUENCE {sequence} says {said} (M2)"


def check_order(evidence: Evidence) -> Iterator[str]:
    """M4: mails to one attendee arrive in the order of SEQUENCE, resends apart."""
    for plan in evidence.plans:
        for email in plan.attendees:
            seen: dict[str, int] = {}
            highest = -1
            ordered = sorted(select(evidence.notices, email), key=lambda each: each.time)
            for each in ordered:
                if not each.method or each.message_id in seen:
                    continue
                seen[each.message_id] = each.sequence
                if each.sequence < highest:
                    yield f"{email}: {each.method} {each.sequence} after {highest} (M4)"
                highest = max(highest, each.sequence)


def check_told_once(evidence: Evidence) -> Iterator[str]:
    """P3 and M6: the same words twice only as the same mail, and only after UNCERTAIN."""
    uncertain = {
        f"<{job['message_id']}>"
        for job in evidence.jobs
        if any(attempt["kind"] == "UNCERTAIN" for attempt in job["attempts"])
    }
    by_words: dict[tuple[object, ...], Counter[str]] = {}
    for each in evidence.notices:
        if each.method:
            by_words.setdefault(each.words, Counter())[each.message_id] += 1
    for words, ids in by_words.items():
        if len(ids) > 1 and not uncertain.intersection(ids):
            yield f"{words}: in {len(ids)} mails"
        for message_id, count in ids.items():
            if count > 1 and message_id not in uncertain:
                yield f"{words}: arrived {count} times"


def check_reminders(evidence: Evidence) -> Iterator[str]:
    """M5: after a confirmed move no reminder of the old time arrives, but those in flight."""
    old = {f"<{job['message_id']}>": job["invitation"]["start"] for job in evidence.jobs}
    for plan in evidence.plans:
        for each in evidence.notices:
            if each.method or each.recipient not in plan.attendees:
                continue
            shown = old.get(each.message_id)
            for confirmed, start, in_flight in plan.moves:
                if shown == start and each.time > confirmed and not in_flight:
                    current = {final for final, _ in plan.finals}
                    if start not in current:
                        late = each.time - confirmed
                        yield f"{each.recipient}: an old reminder {late:.2f} s after a move (M5)"


def check_privacy(evidence: Evidence) -> Iterator[str]:
    """M7: no mail shows the address of another attendee."""
    for each in evidence.notices:
        if others := set(ADDRESS.findall(each.text)) - {each.recipient}:
            yield f"{each.recipient}: sees {others} (M7)"


CHECKS = (
    check_calls,
    check_settled,
    check_latest_word,
    check_one_event,
    check_order,
    check_told_once,
    check_reminders,
    check_privacy,
)
