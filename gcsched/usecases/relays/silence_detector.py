"""Detects that a relay has fallen silent, and gives up the mails that wait for it."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from gcsched.domain.silence_limit import SilenceLimit

CHECKS_PER_LIMIT = 20  # a silence is detected at most a twentieth of the limit late


class Phase(Enum):
    """The phase of a mail, by what it waits for."""

    SESSION = auto()  # a free session: for other mails of this process, not the relay
    ENVELOPE = auto()  # the relay, from the connection until it waits for the body
    FENCE = auto()  # this process: the permit and the slot
    BODY = auto()  # the relay's reply to the body


@dataclass(slots=True, kw_only=True, eq=False)
class InFlightMail:
    """A mail on its way to one relay, in *phase* since *phase_start*.

    *timeout* ends it. It is given up only while *has_other* returns that another relay could take
    it. *max_seconds* limits a probe; None: no limit while the relay shows signs of life.
    """

    timeout: asyncio.Timeout
    phase_start: float
    has_other: Callable[[], bool]
    max_seconds: float | None = None
    phase: Phase = Phase.SESSION
    give_up_reason: str = ""


@dataclass(kw_only=True, eq=False)
class SilenceDetector:
    """Watches the mails on their way to one relay.

    A sign of life is that the relay waits for a body or decides about a mail. Octets alone are not
    one, nor is a connection that breaks. The relay is silent when a mail has not come to its body
    within *limit*, or when all sessions have waited for replies to bodies for longer than
    *body_limit* while mails wait for a session. How long a mail waits for a session says nothing
    about the relay. *on_silent* gets the reason before mails are given up. From its fence on a mail
    is never given up: its body may have begun.
    """

    on_silent: Callable[[str], None]
    limit: SilenceLimit = field(default_factory=SilenceLimit)
    clock: Callable[[], float] = time.monotonic
    body_limit: SilenceLimit = field(init=False)
    _mails: set[InFlightMail] = field(default_factory=set, init=False)
    _last_sign: float = field(default=0.0, init=False)
    _silent_probes: int = field(default=0, init=False)
    _next_check: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.body_limit = self.limit.for_body()

    def watch(self, mail: InFlightMail) -> None:
        self._mails.add(mail)
        if self._next_check is None:
            self._schedule_check()

    def unwatch(self, mail: InFlightMail) -> None:
        """Stop watching *mail*; its result is not a sign of life."""
        self._mails.discard(mail)

    def compute_probe_limit(self) -> float:
        """Return how long the next probe may take if its mail could go to another relay."""
        return self.limit.for_probe(self._silent_probes + 1)

    def record_session(self, mail: InFlightMail) -> None:
        """Record that the mail has a session or may open one: now it waits for the relay."""
        self._enter(mail, Phase.ENVELOPE, self.clock())

    def record_sign_of_life(self, mail: InFlightMail) -> None:
        """Record a sign of life: the relay waits for the body."""
        now = self._note_sign(mail)
        self._enter(mail, Phase.FENCE, now)
        self.watch(mail)  # it may just have been given up

    def record_body(self, mail: InFlightMail) -> None:
        """Record that the body leaves now."""
        self._enter(mail, Phase.BODY, self.clock())

    def record_decision(self, mail: InFlightMail) -> None:
        """Record a sign of life: the relay has decided about the mail, with or without its body."""
        now = self._note_sign(mail)
        if mail.phase is Phase.BODY:
            self.body_limit = self.body_limit.learned(now - mail.phase_start, now=now)
        self._mails.discard(mail)

    def _enter(self, mail: InFlightMail, phase: Phase, now: float) -> None:
        mail.phase = phase
        mail.phase_start = now

    def _note_sign(self, mail: InFlightMail) -> float:
        self._last_sign = now = self.clock()
        self._silent_probes = 0
        if mail.phase is Phase.ENVELOPE:
            self._adapt_limit(mail, now)
        return now

    def _adapt_limit(self, mail: InFlightMail, now: float) -> None:
        if mail in self._mails:
            self.limit = self.limit.learned(now - mail.phase_start, now=now)
        elif mail.timeout.when() is not None and not mail.timeout.expired():
            mail.timeout.reschedule(None)  # the reply came as it was given up: it goes on

    def _schedule_check(self) -> None:
        interval = self.limit.seconds / CHECKS_PER_LIMIT
        self._next_check = self.clock() + interval
        # One timer for all mails; it is not set again once no mail is watched.
        asyncio.get_running_loop().call_later(interval, self._check)

    def _check(self) -> None:
        now, due = self.clock(), self._next_check
        self._next_check = None
        if due is not None and now - due > self.limit.seconds / CHECKS_PER_LIMIT:
            self._last_sign = now  # this process was suspended: replies may be unread
        if silent := [
            each for each in self._in_phases(Phase.ENVELOPE) if self._is_silent(each, now)
        ]:
            self._silent_probes += any(each.max_seconds is not None for each in silent)
            self._give_up(silent, self.limit.seconds)
        elif self._is_silent_about_bodies(now):
            self._give_up([], self.body_limit.seconds)
        self._end_probes_without_session(now)
        if self._mails:
            self._schedule_check()

    def _in_phases(self, *phases: Phase) -> list[InFlightMail]:
        return [each for each in self._mails if each.phase in phases]

    def _is_silent(self, mail: InFlightMail, now: float) -> bool:
        most = self.limit.seconds if mail.max_seconds is None else mail.max_seconds
        return now - max(self._last_sign, mail.phase_start) >= most and mail.has_other()

    def _is_silent_about_bodies(self, now: float) -> bool:
        """Return whether all sessions wait too long for replies while mails wait for a session."""
        bodies = self._in_phases(Phase.BODY)
        if not bodies or self._in_phases(Phase.ENVELOPE, Phase.FENCE):
            return False
        since = max(self._last_sign, *[each.phase_start for each in bodies])
        return now - since >= self.body_limit.seconds and bool(self._replaceable_in(Phase.SESSION))

    def _replaceable_in(self, *phases: Phase) -> list[InFlightMail]:
        """Return the mails that another relay could take; a probe has a time limit of its own."""
        return [
            each
            for each in self._in_phases(*phases)
            if each.max_seconds is None and each.has_other()
        ]

    def _give_up(self, silent: list[InFlightMail], seconds: float) -> None:
        """End the *silent* mails, and with them all that wait for the same relay, except a probe.

        The relay is as silent to a mail that came a moment ago or has no session yet.
        """
        reason = f"the relay gave no sign of life for {seconds:g} seconds"
        others = self._replaceable_in(Phase.SESSION, Phase.ENVELOPE)
        self.on_silent(reason)
        self._end({*silent, *others}, reason)

    def _end_probes_without_session(self, now: float) -> None:
        """End probes that got no session in time; the relay is not to blame."""
        for each in self._in_phases(Phase.SESSION):
            if (
                each.max_seconds is not None
                and now - each.phase_start >= each.max_seconds
                and each.has_other()
            ):
                self._end(
                    [each], f"no session with the relay was free for {each.max_seconds:g} seconds"
                )

    def _end(self, given_up: Iterable[InFlightMail], reason: str) -> None:
        for each in given_up:
            self._mails.remove(each)
            each.give_up_reason = reason
            each.timeout.reschedule(asyncio.get_running_loop().time())  # expires at once
