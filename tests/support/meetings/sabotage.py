"""The rules of meetings with one of them taken out, to see whether the model attendee notices."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from gcsched.domain.job import Job
from gcsched.domain.meetings import evidence, needs, plan, reminding
from gcsched.domain.meetings.meeting import Attendee
from tests.support.meetings import processes

Patch = tuple[object, str, Callable[..., Any]]
plan_mail = needs.plan_mail
fold_attendee = evidence.fold_attendee


def plan_without_waiting(*args: Any, has_begun: bool) -> None:
    del has_begun
    plan_mail(*args, has_begun=False)


def fold_with_begun(attendee: Attendee, jobs: Sequence[Job]) -> Attendee:
    return evidence.assume_arrival(fold_attendee(attendee, jobs), jobs)


SABOTAGES: Mapping[str, Sequence[Patch]] = {
    "claimed mails are not held back": [(plan, "withdraw_claimed", lambda *_: ())],
    "claimed mails are not looked at": [(processes, "find_objection", lambda *_: None)],
    "SEQUENCE is not raised for mails in flight": [(plan, "raise_sequence", lambda *_: None)],
    "mails in flight are ignored": [(plan, "assume_arrival", lambda attendee, _: attendee)],
    "mails in flight count as arrived": [(evidence, "fold_attendee", fold_with_begun)],
    "mails do not wait for the one before": [(needs, "plan_mail", plan_without_waiting)],
    "waiting mails are not changed": [(needs, "point_if_stale", lambda *_: None)],
    "mails that may have left are changed": [
        (needs, "may_have_left", lambda _: False),
        (reminding, "may_have_left", lambda _: False),
    ],
    "mails that failed are made again": [(needs, "has_ended_unsent", lambda *_: False)],
    "cancelled jobs are ignored": [(evidence, "fold_withdrawals", lambda meeting, _: meeting)],
}


@contextmanager
def sabotage(name: str) -> Iterator[None]:
    """Take out one of SABOTAGES."""
    with ExitStack() as stack:
        for module, attribute, replacement in SABOTAGES[name]:
            stack.enter_context(mock.patch.object(module, attribute, replacement))
        yield
