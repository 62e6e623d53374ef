"""The promises M1 to M8, checked on a history that has come to rest (docs/reliability.md).

What attendees should have follows from the calls alone, what they have by the mails that arrived.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from gcsched.domain.address_folding import fold_address
from gcsched.domain.job import CLAIMABLE, FINAL_STATES, Job, State
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.plan import OVER
from gcsched.domain.smtp_reply import Kind
from tests.support.meetings.calendars import Message, Variant, read_content, read_end, read_message
from tests.support.meetings.callers import LENGTH
from tests.support.meetings.history import History
from tests.support.meetings.world import LEASE, Body

NOTED = timedelta(minutes=2)
UNSENT = (*(FINAL_STATES - {State.SENT}), State.UNCERTAIN)


def find_broken(history: History, variants: Collection[Variant] = tuple(Variant)) -> list[str]:
    """Return what does not hold with calendars of *variants*, each with its promise."""
    words = [*check_words(history, variants)]
    history.settle(LENGTH + timedelta(hours=1))
    checks = (
        words,
        check_reminders(history),
        check_sequences(history),
        check_order(history),
        check_bodies(history),
        check_resends(history),
        check_repetitions(history),
        check_tries(history),
    )
    return [*history.calls.broken, *(each for check in checks for each in check)]


def check_words(history: History, variants: Collection[Variant]) -> Iterator[str]:
    """M1 and M3: each attendee has the latest word, in a calendar of any kind."""
    world, truth = history.world, history.truth
    addresses = truth.added.keys() | {each.address for each in world.received}
    for address in sorted(addresses):
        is_told, is_excused = truth.is_told(address), has_unsent(history, address)
        wanted = [truth.content] if is_told else []
        got = [each.message for each in world.received if each.address == address]
        if any(each.method == "CANCEL" for each in got) and address not in world.may_have:
            yield f"M3: {address} surely had nothing, and got a cancellation"
        for variant in variants:
            calendar = world.calendars.get((address, variant))
            shown = calendar.show() if calendar is not None else []
            if not is_told:  # what was over before anything could be done needs no cancellation
                shown = [each for each in shown if read_end(each) > history.calm_time]
            if shown != wanted and not is_excused and world.now < truth.start:
                yield f"M3: {address} has {shown} by {variant}, not {wanted}"
        if is_told and not got and not is_excused and world.now < truth.start:
            yield f"M1: {address} was never reached"


def has_unsent(history: History, address: str) -> bool:
    """Return whether a mail with the latest word to *address* ended without being sent for sure.

    A refused invitation is final: no mail is tried until the attendee is added again.
    """
    truth, jobs = history.truth, list_jobs(history, address)
    if truth.is_told(address):
        count = truth.invited[address]
        mails = [job for job in jobs if counts(job) == count and read_message(job).method]
        latest = [j for j in mails if read_message(j).content == truth.content and unsent(j)]
        is_refused = any(job.state is State.FAILED for job in mails)
        return bool(latest) or (is_refused and (address, count) not in history.world.unrefused)
    if any(job.state in CLAIMABLE and job.steps for job in jobs):
        return True  # a caller has rescheduled it
    count = truth.added.get(address, 1)
    mails = [job for job in jobs if counts(job) == count]
    cancels = [job for job in mails if read_message(job).method == "CANCEL"]
    return any(unsent(job) or job.reason == OVER for job in cancels)


def unsent(job: Job) -> bool:
    """Return whether *job* ended without being sent, but not because the service withdrew it."""
    if job.state is State.CANCELLED:
        return bool(job.steps) and job.steps[-1].method == "CancelJob"
    return job.state in UNSENT


def counts(job: Job) -> int:
    assert job.meeting is not None
    return job.meeting.invited_count


def list_jobs(history: History, address: str) -> list[Job]:
    jobs = [*history.world.deleted.values(), *history.world.jobs.values()]
    return [job for job in jobs if fold_address(job.email) == address]


def check_reminders(history: History) -> Iterator[str]:
    """M1: who has the meeting is reminded of it, at each time that was still to come."""
    world, truth = history.world, history.truth
    for address, count in truth.invited.items():
        if truth.is_cancelled or (address, count) not in world.unrefused:
            continue
        mails = [job for job in list_jobs(history, address) if counts(job) == count]
        words = {job.id for job in mails if read_message(job).method}
        looks = [find_next_look(each) for each in world.bodies if each.job.id in words]
        reminders = [
            job
            for job in mails
            if job.meeting
            and job.meeting.purpose is Purpose.REMINDER
            and job.meeting.revision.start == truth.start
        ]
        if any(step.method == "RescheduleJob" for job in reminders for step in job.steps):
            continue
        for before in truth.reminders:
            those = [job for job in reminders if job.schedule_time == truth.start - before]
            is_excused = any(unsent(job) or job.state is State.SENT for job in those)
            known = max([history.calm_time + NOTED, *looks])
            if truth.start - before > known and not is_excused:
                yield f"M1: {address} was not reminded {before} before the start"


def find_next_look(body: Body) -> datetime:
    """Return when it is known at the latest what became of a mail, if its notice was lost."""
    return body.time + NOTED + (body.time - body.job.schedule_time) / 2


def check_sequences(history: History) -> Iterator[str]:
    """M2: one UID, a SEQUENCE that never falls, one content for each SEQUENCE and method."""
    world = history.world
    if world.sequences != sorted(world.sequences):
        yield "M2: SEQUENCE fell"
    if len({each.message.uid for each in world.received}) > 1:
        yield "M2: another UID"
    contents = dict[tuple[str, int], Message]()
    for each in world.received:
        message = each.message
        if not message.method:
            continue
        known = contents.setdefault((message.method, message.sequence), message)
        if known._replace(is_whole=message.is_whole) != message:
            yield f"M2: two contents of {message.method} {message.sequence}: {known}, {message}"


def check_order(history: History) -> Iterator[str]:
    """M4: one attendee gets mails in the order of their SEQUENCE, and one at a time."""
    for body in history.world.bodies:
        if body.flying:
            yield f"M4: job {body.job.id} began while another mail to its recipient was in flight"
    latest = dict[str, int]()
    for each in history.world.received:
        if not each.message.method:
            continue
        if each.message.sequence < latest.get(each.address, 0):
            yield f"M4: {each.address} gets {each.message.sequence} after {latest[each.address]}"
        latest[each.address] = max(latest.get(each.address, 0), each.message.sequence)


def check_bodies(history: History) -> Iterator[str]:
    """M5, M7 and M8: what begins after an answer is what that answer says, to its reader alone."""
    for body in history.world.bodies:
        mail = body.job.meeting
        assert mail is not None
        revision, purpose = mail.revision, mail.purpose
        if not is_current(history, body):
            yield f"M5: an old {purpose} to {body.job.email} began after an answer"
        if revision.guests and not any(
            each.guests_are_visible
            for each in history.calls.truths[body.answers : body.commits + 1]
        ):
            yield f"M7: {body.job.email} reads the addresses of others"
        limit = revision.start
        if purpose is Purpose.CANCELLATION:
            limit = max([revision.end, *list_ends(history, fold_address(body.job.email))])
        if body.time > limit + LEASE:
            yield f"M8: a {purpose} began at {body.time}, after {limit}"


def list_ends(history: History, address: str) -> list[datetime]:
    """Return the ends that *address* may have read, of which a cancellation may come later."""
    return [
        body.job.meeting.revision.end
        for body in history.world.bodies
        if body.job.meeting and fold_address(body.job.email) == address
    ]


def is_current(history: History, body: Body) -> bool:
    """Return whether a body says what was true at some time since the last answer before it."""
    mail, address = body.job.meeting, fold_address(body.job.email)
    assert mail is not None
    truths = history.calls.truths[body.answers : body.commits + 1]
    if mail.purpose is Purpose.CANCELLATION:
        return any(not each.is_told(address) for each in truths)
    content = read_content(mail.revision)
    if mail.purpose is Purpose.REMINDER:
        before = mail.revision.start - body.job.schedule_time
        is_moved = any(step.method == "RescheduleJob" for step in body.job.steps)
        truths = [each for each in truths if is_moved or before in each.reminders]
    return any(each.is_told(address) and each.content == content for each in truths)


def check_resends(history: History) -> Iterator[str]:
    """M6: a mail that the relay may have is the same mail when it comes again."""
    first = dict[str, Job]()
    for body in history.world.bodies:
        job = body.job
        known = first.get(job.id)
        if known is not None and (known.meeting, known.message) != (job.meeting, job.message):
            yield f"M6: job {job.id} came again with other content"
        first.pop(job.id, None)
        if any(each.kind is Kind.UNCERTAIN for each in job.attempts):
            first[job.id] = job


def check_repetitions(history: History) -> Iterator[str]:
    """No attendee reads the same words twice in a row, unless a reply of the relay was lost."""
    latest = dict[str, tuple[Message, str]]()
    for each in history.world.received:
        message = each.message
        if not message.method:
            continue
        known = latest.get(each.address)
        if known is not None and known[1] != each.job.id:
            is_same = known[0].method == message.method and known[0].content == message.content
            if is_same and not is_explained(history, each.address):
                yield f"M3: {each.address} reads {message.method} twice"
        latest[each.address] = message, each.job.id


def check_tries(history: History) -> Iterator[str]:
    """M3: what ended without being sent is not planned again after that with the same words."""
    for body in history.world.bodies:
        message = read_message(body.job)
        if not message.method:
            continue
        for job in list_jobs(history, fold_address(body.job.email)):
            is_same = counts(job) == counts(body.job) and job.revision == body.job.revision
            is_before = job.id != body.job.id and job.state_time < body.job.create_time
            if is_same and is_before and unsent(job) and read_message(job).method == message.method:
                yield f"M3: job {body.job.id} tries again what {job.id} came to"


def is_explained(history: History, address: str) -> bool:
    """Return whether a change, or a lost reply, accounts for equal words to *address*."""
    if len({each.content for each in history.calls.truths}) > 1:
        return True
    if len({each.wording for each in history.calls.truths}) > 1:
        return True
    jobs = list_jobs(history, address)
    return any(a.kind is Kind.UNCERTAIN for job in jobs for a in job.attempts)
