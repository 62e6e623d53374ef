"""Builds what wakes the engine: wake-ups in Redis, and timers of this process."""

import asyncio
from dataclasses import dataclass

from gcsched.adapters.redis.arq import ArqWakeUpQueue
from gcsched.usecases.wakeups import WakeUps
from gcsched.wiring.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Waking:
    """The wake-ups, and the event that they set in this process: the engine then claims."""

    wake_ups: WakeUps
    nudged: asyncio.Event


def build_waking(resources: Resources) -> Waking:
    nudged = asyncio.Event()
    queue = ArqWakeUpQueue(redis=resources.redis.arq, now=resources.clock)
    wake_ups = WakeUps(queue=queue, nudge=nudged.set, now=resources.clock)
    return Waking(wake_ups=wake_ups, nudged=nudged)
