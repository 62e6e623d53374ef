"""One relay, spared by a breaker and by a pace: says whether it may be tried, learns from it."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from gcsched.domain.circuit_breaker import Breaker, BreakerPolicy, is_trouble, may_be_its_mails
from gcsched.domain.mail import Mail
from gcsched.domain.permit import Permit
from gcsched.domain.refusal_runs import ProbedDomains, Unwanted, is_accepted, is_answer_for_good
from gcsched.domain.relay_health import Checked, is_login_refused
from gcsched.domain.silence_limit import Patience
from gcsched.domain.smtp_reply import Answered, Broken, Stage, Transmission, Withheld
from gcsched.usecases.ports import Begin, Mailer
from gcsched.usecases.relays.rate_limiter import Pacer
from gcsched.usecases.relays.refusals import Acceptance, Weighing
from gcsched.usecases.relays.silence import Silence, Waiting
from gcsched.usecases.relays.trouble import OnHeard, RelayTrouble, Standing, nobody_listens

HasOther = Callable[[], bool]

FULL = Withheld("the relay has had as many mails as it may get now")
ANOTHER_FIRST = Withheld(
    "the relay is probed with a mail to another domain first", wait=timedelta(seconds=5)
)


@dataclass(kw_only=True, eq=False)
class GuardedRelay:
    """A Mailer that logs one event when its breaker opens and one when it closes.

    It opens after five troubles in a row, and when the relay refuses one recipient after the other:
    then it is *held*, and closes with the next mail that the relay accepts.

    *login* says where its password comes from, *meanwhile* what happens while it is down: for the
    operator who reads that event. *clock* is monotonic. All relays of a process share *accepted*.
    *on_heard* is told what each mail and each check said about the relay.
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
    on_heard: OnHeard = nobody_listens
    _breaker: Breaker = field(init=False)
    _silence: Silence = field(init=False)
    _is_probing: bool = field(default=False, init=False)
    _weighing: Weighing = field(init=False)
    _trouble: RelayTrouble = field(init=False)
    _probed: ProbedDomains = field(default_factory=ProbedDomains, init=False)
    _unwanted: Unwanted = field(default_factory=Unwanted, init=False)

    def __post_init__(self) -> None:
        self._breaker = Breaker(policy=self.policy)
        self._silence = Silence(
            on_silent=self._fall_silent, patience=self.patience, clock=self.clock
        )
        self._weighing = Weighing(accepted=self.accepted, clock=self.clock)
        self._trouble = RelayTrouble(
            relay=self.name, login=self.login, meanwhile=self.meanwhile, on_heard=self.on_heard
        )

    @property
    def name(self) -> str:
        return self.mailer.name

    @property
    def is_down(self) -> bool:
        return self._breaker.is_open

    @property
    def rate(self) -> float:
        """Return how many mails a second the operator allows; 0: no limit."""
        return self.pacer.per_second

    @property
    def effective_rate(self) -> float:
        """Return how many mails a second are aimed at now; 0: no limit."""
        return self.pacer.effective_per_second

    def seconds_until_try(self) -> float:
        """Give how long to leave it alone; endless while a probe is under way."""
        return math.inf if self._is_probing else self._breaker.seconds_until_try(self.clock())

    def seconds_until_next(self) -> float:
        """Return how long to wait until its rate allows another mail."""
        return self.pacer.seconds_until_next()

    async def reserve(self, most: int) -> int:
        """Take *most* mails of its rate, or as many as it allows now; return how many."""
        return await self.pacer.reserve(most)

    async def refund(self, count: int) -> None:
        """Undo the reservation of *count* mails."""
        await self.pacer.refund(count)

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
        # It may be silent in the middle of a mail only: no check disproves that.
        self._trouble.of_mail(Broken(Stage.CONNECT, why), None, self._standing(before))

    def _learn(self, mail: Mail, transmission: Transmission) -> Transmission:
        self.pacer.learn(transmission, mail.letter)
        transmission = self._weighing.weigh(mail, transmission)
        if self._weighing.is_held:
            self._hold(mail, transmission)
        elif is_trouble(transmission):
            self._suffer(mail, transmission)
        else:
            self._recover(transmission)
        return transmission

    def learn_from_check(self, checked: Checked) -> None:
        """Count a failed check as one trouble; close the breaker if a session stands again.

        Not if mails were refused or left unanswered: they would be again. While the breaker is
        open a failed check changes nothing, so the probes that carry mails are not put off.
        """
        before, trouble = self._breaker, checked.trouble
        if trouble is not None:
            if not before.is_open:
                # A login that was refused once is refused again: it is not tried five times.
                count = before.opened if is_login_refused(trouble) else before.failed
                self._breaker = count(self.clock(), chance=self.chance())
            self._trouble.of_check(trouble, self._standing(before))
            return
        if not self._trouble.needs_mail:
            self._close()
        self._trouble.check_went_well(is_down=self.is_down)

    def _hold(self, mail: Mail, transmission: Transmission) -> None:
        """Keep the mails back, whatever this one came to: it was not accepted."""
        before, now, chance = self._breaker, self.clock(), self.chance()
        if not before.is_open:
            self._breaker = before.opened(now, chance=chance, after=0)
        elif is_answer_for_good(transmission):
            self._breaker = before.answered(now, chance=chance)
        else:
            self._breaker = before.failed(now, chance=chance)
        if isinstance(transmission, Answered | Broken):
            self._probe_another_domain(mail, transmission)
            self._trouble.of_mail(transmission, mail.letter, self._standing(before))

    def _suffer(self, mail: Mail, trouble: Answered | Broken) -> None:
        before = self._breaker
        if before.is_open or self._is_new_trouble(mail, trouble):
            self._breaker = before.failed(self.clock(), chance=self.chance())
        if self.is_down:
            self._probe_another_domain(mail, trouble)
        self._trouble.of_mail(trouble, mail.letter, self._standing(before))

    def _is_new_trouble(self, mail: Mail, trouble: Answered | Broken) -> bool:
        if not may_be_its_mails(trouble):
            return True
        before, now = self._unwanted, self.clock()
        self._unwanted = before.refused(mail.recipient, now)
        return before.counts(mail.recipient, now)

    def _recover(self, transmission: Transmission) -> None:
        if self.is_down or is_accepted(transmission):
            self._unwanted = Unwanted()
        if self._unwanted:
            # It refuses mails for a reason of ours, and has accepted none since: that stands.
            self._trouble.mail_proved_nothing()
            return
        self._close()
        self._trouble.mail_went_well()

    def _close(self) -> None:
        before = self._breaker
        self._breaker = before.succeeded()
        if before.is_open:
            self._probed = ProbedDomains()
            self._trouble.ended(before.probes)

    def _standing(self, before: Breaker) -> Standing:
        return Standing(
            is_down=self.is_down,
            is_new=self.is_down and not before.is_open,
            is_held=self._weighing.is_held,
        )

    def _probe_another_domain(self, mail: Mail, trouble: Answered | Broken) -> None:
        if may_be_its_mails(trouble):
            self._probed = self._probed.refused(mail.recipient)
