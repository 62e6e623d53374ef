"""Checks reminders, templates, subjects and variables in requests about meetings. Pure."""

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta

from gcsched.domain.access import Client
from gcsched.domain.checks import Checked, rename_fields
from gcsched.domain.client_limits import template_limit_violations
from gcsched.domain.event import MINUTE
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.mails import TEMPLATES
from gcsched.domain.meetings.meeting import MAX_REMINDERS, MailText, MeetingTexts, Reminder
from gcsched.domain.request import MAX_MESSAGE_LENGTH, MEETING, RequestContext
from gcsched.domain.validation import text_violations, variable_violations
from gcsched.errors import Violation

LONGEST_BEFORE = timedelta(days=28)
REMINDERS = "meeting.reminders"
TEXTS = "meeting.texts"


def reminder_violations(
    reminders: Sequence[Reminder], context: RequestContext, client: Client
) -> Checked[None]:
    if len(reminders) > MAX_REMINDERS:
        yield Violation(REMINDERS, f"must be {MAX_REMINDERS} at most, are {len(reminders)}")
    first = dict[timedelta, int]()
    for number, each in enumerate(reminders[:MAX_REMINDERS]):
        field = f"{REMINDERS}[{number}]"
        if not MINUTE <= each.before <= LONGEST_BEFORE or each.before % MINUTE:
            problem = "must be whole minutes, from one minute to 28 days"
            yield Violation(f"{field}.before", problem)
        if (earlier := first.setdefault(each.before, number)) != number:
            yield Violation(f"{field}.before", f"must differ from {REMINDERS}[{earlier}]")
        if each.template:
            yield from template_violations(each.template, f"{field}.template", context, client)


def texts_violations(
    texts: MeetingTexts, reminders: Sequence[Reminder], context: RequestContext, client: Client
) -> Checked[None]:
    """Check the templates and subjects of all mails, and the variables that their templates need.

    A client whose templates are limited needs the one of the invitation; the service's own ones for
    what follows it are always possible.
    """
    for purpose in Purpose:
        given, field = texts.mails.get(purpose, MailText()), f"{TEXTS}.{purpose.lower()}"
        is_limited = purpose is Purpose.INVITATION and bool(client.limits.templates)
        template = given.template or (TEMPLATES[purpose] if is_limited else "")
        if template:
            yield from template_violations(template, f"{field}.template", context, client)
        subject = f"{field}.subject"
        yield from text_violations(subject, given.subject, at_least=0, at_most=MAX_MESSAGE_LENGTH)
    required = {
        name
        for template in list_templates(texts, reminders)
        for name in context.templates.get(template, ())
    }
    check = variable_violations(
        texts.variables, required=required - {MEETING}, reserved=context.reserved_names
    )
    yield from rename_fields(check, {"variables": f"{TEXTS}.variables"})


def template_violations(
    template: str, field: str, context: RequestContext, client: Client
) -> Checked[None]:
    if client.limits.templates:
        check = template_limit_violations(template, client, context.templates)
        yield from rename_fields(check, {"template": field})
    elif template not in context.templates:
        yield Violation(field, f"must be one of {', '.join(sorted(context.templates))}")


def list_templates(texts: MeetingTexts, reminders: Collection[Reminder]) -> Iterator[str]:
    """Yield the templates that the mails of a meeting with *texts* may have."""
    for purpose in Purpose:
        yield texts.mails.get(purpose, MailText()).template or TEMPLATES[purpose]
    yield from (each.template for each in reminders if each.template)
