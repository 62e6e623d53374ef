"""Checks attendees in requests about meetings: each by the rules of ScheduleMeet. Pure."""

from collections.abc import Collection, Iterator, Sequence

from gcsched.domain.access import Client
from gcsched.domain.address import parse_new_address, parse_stored_address
from gcsched.domain.address_folding import fold_address
from gcsched.domain.checks import Checked, rename_fields
from gcsched.domain.client_limits import recipient_violations
from gcsched.domain.invisible_text import invisible_violations
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import Role
from gcsched.domain.meetings.drafts import AttendeeDraft
from gcsched.domain.meetings.meeting import MAX_ATTENDEES, MAX_ATTENDEES_KEPT, Attendee, Meeting
from gcsched.domain.organizer import is_same_mailbox
from gcsched.domain.request import (
    MAX_NAME_LENGTH,
    RequestContext,
    recipient_list_violations,
)
from gcsched.domain.validation import MAX_EMPID_LENGTH, MAX_VIOLATIONS, text_violations
from gcsched.errors import Violation

ROLES = "must be REQUIRED (0), OPTIONAL (1) or INFORMED (2)"


def read_attendees(
    drafts: Sequence[AttendeeDraft], field: str, context: RequestContext, client: Client
) -> Checked[tuple[Attendee, ...]]:
    """Check the attendees that a request names in *field*: their number, and each of them."""
    if not 1 <= len(drafts) <= MAX_ATTENDEES:
        yield Violation(field, f"must be 1 to {MAX_ATTENDEES}, are {len(drafts)}")
    found, problems = list[Attendee](), list[Violation]()
    for number, draft in enumerate(drafts[:MAX_ATTENDEES]):
        check = read_attendee(draft, f"{field}[{number}]", context, client)
        attendee, violations = collect(check)
        found.append(attendee)
        problems += violations
    problems += list(find_repetitions(found, field))
    yield from problems[:MAX_VIOLATIONS]
    if len(problems) > MAX_VIOLATIONS:
        yield Violation(field, "have more violations; correct the reported ones first")
    return tuple(found)


def collect(check: Checked[Attendee]) -> tuple[Attendee, list[Violation]]:
    """Return the value of *check* and its violations."""
    violations = list[Violation]()
    while True:
        try:
            violations.append(next(check))
        except StopIteration as end:
            attendee: Attendee = end.value
            return attendee, violations


def read_attendee(
    draft: AttendeeDraft, field: str, context: RequestContext, client: Client
) -> Checked[Attendee]:
    address = f"{field}.email"
    email = yield from parse_new_address(draft.email, field=address, rules=context.address_rules)
    if email:
        names = {"emailID": address}
        yield from rename_fields(recipient_violations(email, client), names)
        allowed = context.allowed_recipients
        yield from rename_fields(recipient_list_violations(email, allowed), names)
    yield from text_violations(f"{field}.name", draft.name, at_least=0, at_most=MAX_NAME_LENGTH)
    empid = f"{field}.empid"
    yield from text_violations(empid, draft.empid, at_least=0, at_most=MAX_EMPID_LENGTH)
    yield from invisible_violations(empid, draft.empid)
    if draft.role is None:
        yield Violation(f"{field}.role", ROLES)
    role = draft.role or Role.REQUIRED
    return Attendee(email=email, name=draft.name, empid=draft.empid, role=role)


def find_repetitions(attendees: Sequence[Attendee], field: str) -> Iterator[Violation]:
    """Yield a violation for each attendee that the list has before, in any spelling."""
    first = dict[str, int]()
    for number, attendee in enumerate(attendees):
        if not attendee.email:
            continue
        address = fold_address(attendee.email)
        if (earlier := first.setdefault(address, number)) != number:
            yield Violation(f"{field}[{number}].email", f"must differ from {field}[{earlier}]")


def organizer_violations(
    attendees: Sequence[Attendee], field: str, organizer: Person
) -> Checked[None]:
    """Check that the organizer is not among the *attendees*."""
    for number, each in enumerate(attendees):
        if each.email and is_same_mailbox(each.email, organizer.email):
            problem = "must not be the organizer of the meeting, whom calendars do not ask"
            yield Violation(f"{field}[{number}].email", problem)


def room_violations(attendees: Sequence[Attendee], meeting: Meeting) -> Checked[None]:
    """Check that *meeting* has room for *attendees* beside those that it has."""
    kept = {fold_address(each.email) for each in meeting.attendees}
    invited = {fold_address(each.email) for each in meeting.attendees if not each.is_removed}
    added = {fold_address(each.email) for each in attendees if each.email}
    if len(count := invited | added) > MAX_ATTENDEES:
        problem = f"must leave the meeting with at most {MAX_ATTENDEES}, would be {len(count)}"
        yield Violation("attendees", problem)
    elif len(count := kept | added) > MAX_ATTENDEES_KEPT:
        problem = f"must be at most {MAX_ATTENDEES_KEPT} with those who were removed"
        yield Violation("attendees", f"{problem}, would be {len(count)}: create a new meeting")


def read_addresses(emails: Sequence[str]) -> Checked[Collection[str]]:
    """Check the addresses of attendees to remove."""
    if not 1 <= len(emails) <= MAX_ATTENDEES:
        yield Violation("emails", f"must be 1 to {MAX_ATTENDEES}, are {len(emails)}")
    found = []
    for number, email in enumerate(emails[:MAX_ATTENDEES]):
        found.append((yield from parse_stored_address(email, field=f"emails[{number}]")))
    return tuple(found)
