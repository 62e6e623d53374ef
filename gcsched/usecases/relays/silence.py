"""Notice that a relay has fallen silent, and end the conversations that wait for it."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from gcsched.domain.silence_limit import Patience

LOOKS = 20  # in one patience; a silence is noticed at most a twentieth of it late


class Phase(Enum):
    """What a mail waits for."""

    PLACE = auto()  # a session: for our other mails, not for the relay
    ENVELOPE = auto()  # the relay, from connecting on, until it waits for the body
    FENCE = auto()  # us: the permit and the slot
    BODY = auto()  # the relay's reply to the body


@dataclass(slots=True, kw_only=True, eq=False)
class Waiting:
    """A mail on its way to one relay, and the *phase* that it is in since *since*.

    *limit* ends it; it is given up only while *has_other* says that the mail could go elsewhere.
    *most* is how long a probe may take; None: as long as the relay shows signs of life.
    """

    limit: asyncio.Timeout
    since: float
    has_other: Callable[[], bool]
    most: float | None = None
    phase: Phase = Phase.PLACE
    given_up_because: str = ""


@dataclass(kw_only=True, eq=False)
class Silence:
    """Watch the mails on their way to one relay.

    The relay shows a sign of life when it waits for a body or decides about a mail. Octets alone
    are no sign, nor is a connection that breaks. It is silent when a conversation has not come to
    its body within the *patience*, or when all sessions wait for the replies to bodies, for longer
    than the relay may take for one, while mails wait for a session. How long a mail waits for a
    session says nothing about the relay. *on_silent* is told why, before the mails are given up.
    A mail is never given up from its fence on.
    """

    on_silent: Callable[[str], None]
    patience: Patience = field(default_factory=Patience)
    clock: Callable[[], float] = time.monotonic
    body_patience: Patience = field(init=False)
    _waiting: set[Waiting] = field(default_factory=set, init=False)
    _sign: float = field(default=0.0, init=False)
    _silent_probes: int = field(default=0, init=False)
    _next_look: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.body_patience = self.patience.for_bodies()

    def watch(self, waiting: Waiting) -> None:
        self._waiting.add(waiting)
        if self._next_look is None:
            self._look_again()

    def forget(self, waiting: Waiting) -> None:
        """Watch *waiting* no longer; what it came to is no sign of life."""
        self._waiting.discard(waiting)

    def probe_seconds(self) -> float:
        """Return for how long the next probe may take if its mail could go elsewhere."""
        return self.patience.of_probe(self._silent_probes + 1)

    def take_place(self, waiting: Waiting) -> None:
        """Note that the mail has a session, or may open one: now it waits for the relay."""
        self._enter(waiting, Phase.ENVELOPE, self.clock())

    def heard(self, waiting: Waiting) -> None:
        """Note a sign of life: the relay waits for the body."""
        now = self._note_sign(waiting)
        self._enter(waiting, Phase.FENCE, now)
        self.watch(waiting)  # it may just have been given up

    def begin_body(self, waiting: Waiting) -> None:
        """Note that the body leaves now."""
        self._enter(waiting, Phase.BODY, self.clock())

    def decided(self, waiting: Waiting) -> None:
        """Note a sign of life: the relay has decided about the mail, with its body or without."""
        now = self._note_sign(waiting)
        if waiting.phase is Phase.BODY:
            self.body_patience = self.body_patience.learned(now - waiting.since, now=now)
        self._waiting.discard(waiting)

    def _enter(self, waiting: Waiting, phase: Phase, now: float) -> None:
        waiting.phase = phase
        waiting.since = now

    def _note_sign(self, waiting: Waiting) -> float:
        self._sign = now = self.clock()
        self._silent_probes = 0
        if waiting.phase is Phase.ENVELOPE:
            self._learn(waiting, now)
        return now

    def _learn(self, waiting: Waiting, now: float) -> None:
        if waiting in self._waiting:
            self.patience = self.patience.learned(now - waiting.since, now=now)
        elif waiting.limit.when() is not None and not waiting.limit.expired():
            waiting.limit.reschedule(None)  # it spoke in the very moment of being given up

    def _look_again(self) -> None:
        interval = self.patience.seconds / LOOKS
        self._next_look = self.clock() + interval
        asyncio.get_running_loop().call_later(interval, self._look)

    def _look(self) -> None:
        now, due = self.clock(), self._next_look
        self._next_look = None
        if due is not None and now - due > self.patience.seconds / LOOKS:
            self._sign = now  # this process stood still: what was said meanwhile is unread yet
        if silent := [each for each in self._in(Phase.ENVELOPE) if self._is_silent(each, now)]:
            self._silent_probes += any(each.most is not None for each in silent)
            self._give_up(silent, self.patience.seconds)
        elif self._leaves_bodies_unanswered(now):
            self._give_up([], self.body_patience.seconds)
        self._end_probes_without_place(now)
        if self._waiting:
            self._look_again()

    def _in(self, *phases: Phase) -> list[Waiting]:
        return [each for each in self._waiting if each.phase in phases]

    def _is_silent(self, waiting: Waiting, now: float) -> bool:
        most = self.patience.seconds if waiting.most is None else waiting.most
        return now - max(self._sign, waiting.since) >= most and waiting.has_other()

    def _leaves_bodies_unanswered(self, now: float) -> bool:
        """Return whether mails wait for a session while all sessions wait too long for replies."""
        bodies = self._in(Phase.BODY)
        if not bodies or self._in(Phase.ENVELOPE, Phase.FENCE):
            return False
        since = max(self._sign, *[each.since for each in bodies])
        return now - since >= self.body_patience.seconds and bool(self._not_at_fence(Phase.PLACE))

    def _not_at_fence(self, *phases: Phase) -> list[Waiting]:
        """List the mails that could go elsewhere; a probe goes when its own time is over."""
        return [each for each in self._in(*phases) if each.most is None and each.has_other()]

    def _give_up(self, silent: list[Waiting], seconds: float) -> None:
        """End the *silent* conversations; with them all that wait for the same relay, but a probe.

        The relay is as silent to a mail that came a moment ago, or has no session yet.
        """
        why = f"the relay gave no sign of life for {seconds:g} seconds"
        others = self._not_at_fence(Phase.PLACE, Phase.ENVELOPE)
        self.on_silent(why)
        self._end({*silent, *others}, why)

    def _end_probes_without_place(self, now: float) -> None:
        """Let the mail of a probe go elsewhere when no session became free; no relay's fault."""
        for each in self._in(Phase.PLACE):
            if each.most is not None and now - each.since >= each.most and each.has_other():
                self._end([each], f"no session with the relay was free for {each.most:g} seconds")

    def _end(self, given_up: Iterable[Waiting], why: str) -> None:
        for each in given_up:
            self._waiting.remove(each)
            each.given_up_because = why
            each.limit.reschedule(asyncio.get_running_loop().time())
