"""One relay, spared by a breaker and by a pace: says whether it may be tried, learns from it."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from gcsched.domain.breaker import Breaker, BreakerPolicy, is_trouble, refuses_login
from gcsched.domain.mail import Mail
from gcsched.domain.masking import Letter, masked
from gcsched.domain.patience import Patience
from gcsched.domain.permit import Permit
from gcsched.domain.replies import Answered, Broken, Stage, Transmission, Withheld
from gcsched.usecases.pacer import Pacer
from gcsched.usecases.ports import Begin, Mailer
from gcsched.usecases.silence import Silence, Waiting

HasOther = Callable[[], bool]

FULL = Withheld("the relay has had as many mails as it may get now")


@dataclass(kw_only=True, eq=False)
class GuardedRelay:
    """A Mailer that logs one event when its breaker opens and one when it closes.

    *login* says where its password comes from, *meanwhile* what happens while it is down: for the
    operator who reads that event. *clock* is monotonic.
    """

    mailer: Mailer
    pacer: Pacer
    login: str
    meanwhile: str
    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    patience: Patience = field(default_factory=Patience)
    _breaker: Breaker = field(init=False)
    _silence: Silence = field(init=False)
    _is_probing: bool = field(default=False, init=False)

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
        if not before.is_open:
            self._report_down(Broken(Stage.CONNECT, why), None)

    def _learn(self, mail: Mail, transmission: Transmission) -> Transmission:
        before = self._breaker
        self.pacer.learn(transmission, mail.letter)
        if is_trouble(transmission):
            self._breaker = before.failed(self.clock(), chance=self.chance())
            if self.is_down and not before.is_open:
                self._report_down(transmission, mail.letter)
        else:
            self._breaker = before.succeeded()
            if before.is_open:
                structlog.get_logger().info("relay is back", relay=self.name, probes=before.probes)
        return transmission

    def _report_down(self, trouble: Answered | Broken, letter: Letter | None) -> None:
        what = "mails are held back from it and it is probed"
        if refuses_login(trouble):
            what = f"the relay refuses the login: correct {self.login} or its file"
        structlog.get_logger().warning(
            "relay is down",
            relay=self.name,
            error=masked(words_of(trouble), letter),
            advice=f"{what}; {self.meanwhile}",
        )


def words_of(trouble: Answered | Broken) -> str:
    if isinstance(trouble, Answered):
        return str(trouble.reply)
    return f"{trouble.stage}: {trouble.reason}"
