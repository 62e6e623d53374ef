"""Adds the step of a caller to the job that it changes. Pure."""

from msgspec.structs import replace

from gcsched.domain.actor import Actor
from gcsched.domain.commands import Cancel, JobCommand, Resolve
from gcsched.domain.job import Job
from gcsched.domain.step import MAX_STEPS, Step


def add_step(seen: Job, changed: Job, actor: Actor, *, reason: str = "") -> Job:
    """Return *changed*, which *actor* has made of *seen*, with that step as its latest."""
    step = Step(
        time=changed.state_time,
        client=actor.name,
        via=actor.via,
        method=actor.method,
        previous_state=seen.state.value,
        state=changed.state.value,
        reason=reason,
    )
    return replace(changed, steps=(*seen.steps, step)[-MAX_STEPS:])


def find_reason(command: JobCommand) -> str:
    """Return the reason that the caller gave with *command*; "" if it has none."""
    return command.reason if isinstance(command, Cancel | Resolve) else ""
