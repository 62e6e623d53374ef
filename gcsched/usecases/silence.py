"""Notice that a relay has fallen silent, and end the conversations that wait for it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gcsched.domain.patience import Patience

LOOKS = 20  # in one patience; a silence is noticed at most a twentieth of it late


@dataclass(slots=True, kw_only=True, eq=False)
class Waiting:
    """A conversation that has not come to its body since *since*.

    *limit* ends it; it is given up only while *has_other* says that the mail could go elsewhere.
    *most* is how long a probe may take; None: as long as the relay shows signs of life.
    """

    limit: asyncio.Timeout
    since: float
    has_other: Callable[[], bool]
    most: float | None = None


@dataclass(kw_only=True, eq=False)
class Silence:
    """Watch the conversations with one relay until the relay waits for a body.

    The relay shows a sign of life when it waits for a body or decides about a mail. Octets alone
    are no sign, nor is a connection that breaks. *on_silent* is called before the mails are given
    up. From its body on a conversation is no longer watched.
    """

    on_silent: Callable[[], None]
    patience: Patience = field(default_factory=Patience)
    clock: Callable[[], float] = time.monotonic
    _waiting: set[Waiting] = field(default_factory=set, init=False)
    _sign: float = field(default=0.0, init=False)
    _silent_probes: int = field(default=0, init=False)
    _next_look: float | None = field(default=None, init=False)

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

    def heard(self, waiting: Waiting) -> None:
        """Note a sign of life: the relay waits for the body, or has decided without one."""
        self._sign = now = self.clock()
        self._silent_probes = 0
        if waiting in self._waiting:
            self._waiting.remove(waiting)
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
        if silent := [each for each in self._waiting if self._is_silent(each, now)]:
            self._give_up(silent)
        if self._waiting:
            self._look_again()

    def _is_silent(self, waiting: Waiting, now: float) -> bool:
        most = self.patience.seconds if waiting.most is None else waiting.most
        return now - max(self._sign, waiting.since) >= most and waiting.has_other()

    def _give_up(self, silent: list[Waiting]) -> None:
        """End the *silent* conversations; with them all that wait for the same relay, but a probe.

        The relay is as silent to a mail that came a moment ago.
        """
        self._silent_probes += any(each.most is not None for each in silent)
        others = [each for each in self._waiting if each.most is None and each.has_other()]
        self.on_silent()
        for each in {*silent, *others}:
            self._waiting.remove(each)
            each.limit.reschedule(asyncio.get_running_loop().time())
