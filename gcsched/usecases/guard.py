"""One relay, spared by a breaker and by a pace: says whether it may be tried, learns from it."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import structlog

from gcsched.domain.breaker import Breaker, BreakerPolicy, is_trouble, may_be_its_mails
from gcsched.domain.mail import Mail
from gcsched.domain.masking import Letter, masked
from gcsched.domain.patience import Patience
from gcsched.domain.permit import Permit
from gcsched.domain.refusals import ProbedDomains, Refusals, is_final
from gcsched.domain.relay_advice import HELD, WAITING, advice_on
from gcsched.domain.replies import Answered, Broken, Kind, Stage, Transmission, Withheld
from gcsched.usecases.pacer import Pacer
from gcsched.usecases.ports import Begin, Mailer
from gcsched.usecases.silence import Silence, Waiting

HasOther = Callable[[], bool]

FULL = Withheld("the relay has had as many mails as it may get now")
ANOTHER_FIRST = Withheld(
    "the relay is probed with a mail to another domain first", wait=timedelta(seconds=5)
)


@dataclass(slots=True, eq=False)
class Acceptance:
    """When a relay has accepted a mail the last time, any of those that share this."""

    at: float = -math.inf


@dataclass(kw_only=True, eq=False)
class GuardedRelay:
    """A Mailer that logs one event when its breaker opens and one when it closes.

    It opens after five troubles in a row, and when the relay refuses one recipient after the other:
    then it is *held*, and closes with the next mail that the relay accepts.

    *login* says where its password comes from, *meanwhile* what happens while it is down: for the
    operator who reads that event. *clock* is monotonic. All relays of a process share *accepted*.
    """

    mailer: Mailer
    pacer: Pacer
    login: str
    meanwhile: str
    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    patience: Patience = field(default_factory=Patience)
    accepted: Acceptance = field(default_factory=Acceptance)
    _breaker: Breaker = field(init=False)
    _silence: Silence = field(init=False)
    _is_probing: bool = field(default=False, init=False)
    _refusals: Refusals = field(default_factory=Refusals, init=False)
    _probed: ProbedDomains = field(default_factory=ProbedDomains, init=False)
    _troubled: frozenset[str] = field(default=frozenset(), init=False)
    _trouble: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._breaker = Breaker(policy=self.policy)
        self._silence = Silence(
            on_silent=self._fall_silent, patience=self.patience, clock=self.clock
        )

    @property
    def name(self) -> str:
        return self.mailer.name

    @property
    def is_down(self) -> bool:
        return self._breaker.is_open

    @property
    def trouble(self) -> str | None:
        """Say what is wrong and what to do, without the words of any mail; None: it is up."""
        return self._trouble if self.is_down else None

    def seconds_until_try(self) -> float:
        """Give how long to leave it alone; endless while a probe is under way."""
        return math.inf if self._is_probing else self._breaker.seconds_until_try(self.clock())

    async def send(
        self, mail: Mail, begin: Begin, *, has_other: HasOther | None = None
    ) -> Transmission:
        """Try it; while it is down, this mail is the probe.

        *has_other* says whether another relay could take the mail: then a silent one is not waited
        for as long as RFC 5321 section 4.5.3.2 allows, but broken off before the body. None: there
        is no other relay, and nobody watches for silence.
        """
        if self.pacer.is_full:
            return FULL
        if self.is_down:
            overdue = self._breaker.overdue_seconds(self.clock())
            if self._probed.bars(mail.recipient, overdue_seconds=overdue):
                return ANOTHER_FIRST
            return await self._probe(mail, begin, has_other)
        return await self._converse(mail, begin, has_other)

    async def _converse(
        self, mail: Mail, begin: Begin, has_other: HasOther | None, most: float | None = None
    ) -> Transmission:
        if has_other is None:
            begin_in_slot = partial(self._begin_in_slot, begin)
            return self._learn(mail, await self.mailer.send(mail, begin_in_slot))
        limit = asyncio.timeout(None)
        waiting = Waiting(limit=limit, since=self.clock(), has_other=has_other, most=most)
        fence = partial(self._begin, begin, waiting)
        on_place = partial(self._silence.take_place, waiting)
        self._silence.watch(waiting)
        try:
            async with limit:
                transmission = await self.mailer.send(mail, fence, on_place=on_place)
                if not isinstance(transmission, Broken):
                    self._silence.decided(waiting)
        except TimeoutError:
            if not limit.expired():
                raise
            return Broken(Stage.CONNECT, waiting.given_up_because)
        finally:
            self._silence.forget(waiting)
        return self._learn(mail, transmission)

    async def _begin(self, begin: Begin, waiting: Waiting) -> Permit | None:
        self._silence.heard(waiting)
        permit = await self._begin_in_slot(begin)
        if permit is not None:
            self._silence.begin_body(waiting)
        return permit

    async def _begin_in_slot(self, begin: Begin) -> Permit | None:
        # The slot comes last: whatever took long before it would bunch the mails up.
        permit = await begin()
        return permit if permit is not None and await self.pacer.wait_for_slot() else None

    async def _probe(self, mail: Mail, begin: Begin, has_other: HasOther | None) -> Transmission:
        self._breaker = self._breaker.probed(self.clock(), chance=self.chance())
        self._is_probing = True
        try:
            return await self._converse(mail, begin, has_other, self._silence.probe_seconds())
        finally:
            self._is_probing = False

    def _fall_silent(self, why: str) -> None:
        before = self._breaker
        self._breaker = before.opened(self.clock(), chance=self.chance())
        self.mailer.drop_idle()
        self._note_trouble(Broken(Stage.CONNECT, why), None, is_new=not before.is_open)

    def _learn(self, mail: Mail, transmission: Transmission) -> Transmission:
        self.pacer.learn(transmission, mail.letter)
        transmission = self._weigh(mail, transmission)
        if self._refusals.is_held:
            self._hold(mail, transmission)
        elif is_trouble(transmission):
            self._suffer(mail, transmission)
        else:
            self._recover()
        return transmission

    def _weigh(self, mail: Mail, transmission: Transmission) -> Transmission:
        """Count refusals in a row; return *transmission* as doubted, if it is one too many."""
        if not isinstance(transmission, Answered):
            return transmission
        now, kind = self.clock(), transmission.kind
        if kind is Kind.ACCEPTED:
            self.accepted.at = now
            self._refusals = self._refusals.accepted()
        elif is_final(transmission):
            is_doubted = self._refusals.doubts(kind, accepted_at=self.accepted.at, now=now)
            self._refusals = self._refusals.refused(mail.recipient, now)
            return replace(transmission, is_doubted=is_doubted)
        return transmission

    def _hold(self, mail: Mail, transmission: Transmission) -> None:
        """Keep the mails back, whatever this one came to: it was not accepted."""
        before, now, chance = self._breaker, self.clock(), self.chance()
        is_new = not before.is_open
        self._breaker = (
            before.opened(now, chance=chance, after=0)
            if is_new
            else before.failed(now, chance=chance)
        )
        if isinstance(transmission, Answered | Broken):
            self._probe_another_domain(mail, transmission)
            self._note_trouble(transmission, mail.letter, is_new=is_new)

    def _suffer(self, mail: Mail, trouble: Answered | Broken) -> None:
        before = self._breaker
        if not before.is_open and may_be_its_mails(trouble):
            if mail.recipient in self._troubled:
                return  # the same mail again: nothing new about the relay
            self._troubled |= {mail.recipient}
        self._breaker = before.failed(self.clock(), chance=self.chance())
        if self.is_down:
            self._probe_another_domain(mail, trouble)
            self._note_trouble(trouble, mail.letter, is_new=not before.is_open)

    def _recover(self) -> None:
        before = self._breaker
        self._breaker = before.succeeded()
        if self._troubled:
            self._troubled = frozenset()
        if before.is_open:
            self._probed = ProbedDomains()
            structlog.get_logger().info("relay is back", relay=self.name, probes=before.probes)

    def _probe_another_domain(self, mail: Mail, trouble: Answered | Broken) -> None:
        if may_be_its_mails(trouble):
            self._probed = self._probed.refused(mail.recipient)

    def _note_trouble(
        self, trouble: Answered | Broken, letter: Letter | None, *, is_new: bool
    ) -> None:
        error = masked(words_of(trouble), letter)
        what = self._what_to_do(trouble)
        self._trouble = f"{error}; {what}"
        if is_new:
            structlog.get_logger().warning(
                "relay is held" if self._refusals.is_held else "relay is down",
                relay=self.name,
                error=error,
                advice=f"{what}; {self.meanwhile}",
            )

    def _what_to_do(self, trouble: Answered | Broken) -> str:
        advice = advice_on(trouble, prefix=self.login.removesuffix("PASSWORD"))
        if not self._refusals.is_held:
            return advice
        return HELD if advice == WAITING else f"{HELD}; {advice}"


def words_of(trouble: Answered | Broken) -> str:
    if isinstance(trouble, Answered):
        return str(trouble.reply)
    return f"{trouble.stage}: {trouble.reason}"
