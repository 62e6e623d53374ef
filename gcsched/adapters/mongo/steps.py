"""The steps of callers in the document of a job: written with the change that each has made."""

from collections.abc import Iterator, Mapping
from typing import Any

from gcsched.adapters.mongo.field_checks import check_texts, decode_member, decode_times
from gcsched.domain.job import Job, State
from gcsched.domain.step import MAX_STEPS, Step

STEPS = "steps"
STATES = {state.value: state.value for state in State}
TEXT_FIELDS = ("who", "via", "act", "reason")

Document = Mapping[str, Any]


def add_step_to(change: dict[str, Any], seen: Job, changed: Job) -> None:
    """Add to *change*, an update of *seen*, the step with which it became *changed*.

    `$push` keeps what a newer version may have stored in the steps before. It fails at a field that
    is not an array, so the first readable step replaces what is there: every writer of steps raises
    the job's version, and the update matches the version that was seen.
    """
    if changed.steps == seen.steps:
        return  # no caller made this change
    latest = encode_step(changed.steps[-1])
    if seen.steps:
        change["$push"] = {STEPS: {"$each": [latest], "$slice": -MAX_STEPS}}
    else:
        change["$set"][STEPS] = [latest]


def encode_step(step: Step) -> dict[str, Any]:
    return {
        "at": step.time,
        "who": step.client,
        "via": step.via,
        "act": step.method,
        "was": step.previous_state,
        "now": step.state,
        "reason": step.reason,
    }


def decode_steps(document: Document) -> tuple[Step, ...]:
    """Return the readable steps of a job.

    Unlike an attempt, a step that is damaged does not make its job unreadable: attempts decide
    whether and when a mail is sent, steps decide nothing.
    """
    stored = document.get(STEPS)
    return tuple(read_steps(stored[-MAX_STEPS:])) if isinstance(stored, list) else ()


def read_steps(stored: list[Any]) -> Iterator[Step]:
    for each in stored:
        try:
            yield decode_step(each)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue


def decode_step(document: Document) -> Step:
    if not isinstance(document, dict):
        raise TypeError("a step is not a document")
    [at] = decode_times(document, ("at",))
    check_texts(document, TEXT_FIELDS)
    return Step(
        time=at,
        client=document["who"],
        via=document["via"],
        method=document["act"],
        previous_state=decode_member(document, "was", STATES),
        state=decode_member(document, "now", STATES),
        reason=document["reason"],
    )


def erase_reasons(document: Document) -> list[dict[str, Any]]:
    """Return the stored steps of *document* without the reasons, which may name a person."""
    stored = document.get(STEPS)
    steps = stored if isinstance(stored, list) else ()
    return [each | {"reason": ""} for each in steps if isinstance(each, dict)]
