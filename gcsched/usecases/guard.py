"""One relay, spared by a breaker and by a pace: says whether it may be tried, learns from it."""

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
from gcsched.domain.replies import Answered, Broken, Transmission, Withheld
from gcsched.usecases.pacer import Pacer
from gcsched.usecases.ports import Begin, Mailer, Permit

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
    _breaker: Breaker = field(init=False)
    _is_probing: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._breaker = Breaker(policy=self.policy)

    @property
    def name(self) -> str:
        return self.mailer.name

    @property
    def is_down(self) -> bool:
        return self._breaker.is_open

    def seconds_until_try(self) -> float:
        """Give how long to leave it alone; endless while a probe is under way."""
        return math.inf if self._is_probing else self._breaker.seconds_until_try(self.clock())

    async def send(self, mail: Mail, begin: Begin) -> Transmission:
        """Try it; while it is down, this mail is the probe."""
        if self.pacer.is_full:
            return FULL
        begin_in_slot = partial(self._begin_in_slot, begin)
        if self.is_down:
            return await self._probe(mail, begin_in_slot)
        return self._learn(mail, await self.mailer.send(mail, begin_in_slot))

    async def _begin_in_slot(self, begin: Begin) -> Permit | None:
        # The slot comes last: whatever took long before it would bunch the mails up.
        permit = await begin()
        return permit if permit is not None and await self.pacer.wait_for_slot() else None

    async def _probe(self, mail: Mail, begin: Begin) -> Transmission:
        self._breaker = self._breaker.probed(self.clock(), chance=self.chance())
        self._is_probing = True
        try:
            return self._learn(mail, await self.mailer.send(mail, begin))
        finally:
            self._is_probing = False

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
