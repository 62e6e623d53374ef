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
from gcsched.domain.relay_health import (
    MAIL_WENT_WELL,
    Checked,
    Heard,
    is_login_refused,
    is_of_session,
)
from gcsched.domain.replies import Answered, Broken, Stage, Transmission, Withheld
from gcsched.usecases.pacer import Pacer
from gcsched.usecases.ports import Begin, Mailer, Permit
from gcsched.usecases.silence import Silence, Waiting

HasOther = Callable[[], bool]
OnHeard = Callable[[Heard], None]

FULL = Withheld("the relay has had as many mails as it may get now")


def nobody_listens(_: Heard) -> None:
    """Be the *on_heard* of a relay whose health is not kept."""


@dataclass(kw_only=True, eq=False)
class GuardedRelay:
    """A Mailer that logs one event when its breaker opens and one when it closes.

    *login* says where its password comes from, *meanwhile* what happens while it is down: for the
    operator who reads that event. *clock* is monotonic. *on_heard* is told what each mail and each
    check said about the relay.
    """

    mailer: Mailer
    pacer: Pacer
    login: str
    meanwhile: str
    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    patience: Patience = field(default_factory=Patience)
    on_heard: OnHeard = nobody_listens
    _breaker: Breaker = field(init=False)
    _silence: Silence = field(init=False)
    _is_probing: bool = field(default=False, init=False)
    _needs_mail: bool = field(default=False, init=False)  # no check disproves what mails met

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
        self._needs_mail = True  # it may be silent in the middle of a mail only
        self._tell(Broken(Stage.CONNECT, why), None)

    def _learn(self, mail: Mail, transmission: Transmission) -> Transmission:
        before = self._breaker
        self.pacer.learn(transmission, mail.letter)
        if is_trouble(transmission):
            self._breaker = before.failed(self.clock(), chance=self.chance())
            if self.is_down and not before.is_open:
                self._report_down(transmission, mail.letter)
        else:
            self._close()
        self._tell_of_mail(mail, transmission)
        return transmission

    def learn_from_check(self, checked: Checked) -> None:
        """Count a failed check as one trouble; close the breaker if a session stands again.

        Not if mails were refused or left unanswered: they would be again. While the breaker is
        open a failed check changes nothing, so the probes that carry mails are not put off.
        """
        before, trouble = self._breaker, checked.trouble
        if trouble is not None and not before.is_open:
            # A login that was refused once is refused again: it is not tried five times.
            count = before.opened if is_login_refused(trouble) else before.failed
            self._breaker = count(self.clock(), chance=self.chance())
            if self.is_down:
                self._needs_mail = False  # it is open because no session stands
                self._report_down(trouble, None)
        elif trouble is None and not self._needs_mail:
            self._close()
        self._tell(trouble, None, is_check=True)

    def _close(self) -> None:
        before = self._breaker
        self._breaker = before.succeeded()
        if before.is_open:
            structlog.get_logger().info("relay is back", relay=self.name, probes=before.probes)

    def _tell_of_mail(self, mail: Mail, transmission: Transmission) -> None:
        if is_trouble(transmission):
            self._needs_mail |= not is_of_session(transmission)
            self._tell(transmission, mail.letter)
            return
        self._needs_mail = self.is_down  # open all the same: this mail was not what it waits for
        self.on_heard(Heard(is_down=True, heals=False) if self.is_down else MAIL_WENT_WELL)

    def _tell(
        self, trouble: Answered | Broken | None, letter: Letter | None, *, is_check: bool = False
    ) -> None:
        heard = Heard(
            error="" if trouble is None else masked(words_of(trouble), letter),
            is_check=is_check,
            is_login_refused=trouble is not None and is_login_refused(trouble),
            heals=not self._needs_mail,
            is_down=self.is_down,
        )
        self.on_heard(heard)

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
