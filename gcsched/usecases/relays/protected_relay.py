"""One relay behind a circuit breaker and a rate limiter, which learn from each mail."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from gcsched.domain.circuit_breaker import (
    Breaker,
    BreakerPolicy,
    is_relay_failure,
)
from gcsched.domain.mail import Mail
from gcsched.domain.permit import Permit
from gcsched.domain.refusal_runs import is_accepted, is_permanent_or_doubted
from gcsched.domain.relay_health import CheckResult, is_login_refused
from gcsched.domain.silence_limit import SilenceLimit
from gcsched.domain.smtp_reply import Answered, Broken, Stage, Transmission
from gcsched.usecases.ports import Begin, Mailer
from gcsched.usecases.relays.problem_reporter import (
    BreakerStatus,
    OnObservation,
    RelayProblemReporter,
    ignore_observation,
)
from gcsched.usecases.relays.rate_limiter import RateLimiter
from gcsched.usecases.relays.refusal_tracker import LastAcceptance, RefusalTracker
from gcsched.usecases.relays.refused_mails import RefusedMails
from gcsched.usecases.relays.silence_detector import InFlightMail, SilenceDetector
from gcsched.usecases.relays.withheld import OTHER_DOMAIN_FIRST, RATE_LIMITED, RELAY_WENT_DOWN

HasOther = Callable[[], bool]


@dataclass(kw_only=True, eq=False)
class ProtectedRelay:
    """A Mailer that logs one event when its breaker opens and one when it closes.

    The breaker opens after five failures in a row, and when the relay refuses one recipient after
    the other: then the relay is *held*, and the breaker closes with the next mail that it accepts.

    *password_variable* and *while_down* are for the operator who reads the event: where the
    password comes from, and what happens meanwhile. *clock* is monotonic. All relays of a process
    share *last_acceptance*. *on_observation* gets what each mail and each check has shown. With
    *has_several_senders* the refusal of one stops no mails of the others.
    """

    mailer: Mailer
    rate_limiter: RateLimiter
    password_variable: str
    while_down: str
    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    silence_limit: SilenceLimit = field(default_factory=SilenceLimit)
    last_acceptance: LastAcceptance = field(default_factory=LastAcceptance)
    on_observation: OnObservation = ignore_observation
    has_several_senders: bool = False
    _breaker: Breaker = field(init=False)
    _silence_detector: SilenceDetector = field(init=False)
    _is_probing: bool = field(default=False, init=False)
    _refusal_tracker: RefusalTracker = field(init=False)
    _problem_reporter: RelayProblemReporter = field(init=False)
    _refused_mails: RefusedMails = field(init=False)

    def __post_init__(self) -> None:
        self._breaker = Breaker(policy=self.policy)
        self._silence_detector = SilenceDetector(
            on_silent=self._on_silent, limit=self.silence_limit, clock=self.clock
        )
        self._refusal_tracker = RefusalTracker(
            last_acceptance=self.last_acceptance, clock=self.clock
        )
        self._refused_mails = RefusedMails(
            relay=self.name, clock=self.clock, has_several_senders=self.has_several_senders
        )
        self._problem_reporter = RelayProblemReporter(
            relay=self.name,
            password_variable=self.password_variable,
            while_down=self.while_down,
            on_observation=self.on_observation,
        )

    @property
    def name(self) -> str:
        return self.mailer.name

    @property
    def is_down(self) -> bool:
        return self._breaker.is_open

    @property
    def rate(self) -> float:
        """The number of mails per second that the operator allows; 0: no limit."""
        return self.rate_limiter.per_second

    @property
    def effective_rate(self) -> float:
        """The number of mails per second that are aimed at now; 0: no limit."""
        return self.rate_limiter.effective_per_second

    def seconds_until_try(self) -> float:
        """Return how long not to use the relay; infinite while a probe is under way."""
        return math.inf if self._is_probing else self._breaker.seconds_until_try(self.clock())

    def seconds_until_next(self) -> float:
        """Return how long to wait until the rate limit allows another mail."""
        return self.rate_limiter.seconds_until_next()

    async def reserve(self, most: int) -> int:
        """Reserve *most* mails of the rate limit, or as many as it allows now; return how many."""
        return await self.rate_limiter.reserve(most)

    async def refund(self, count: int) -> None:
        """Undo the reservation of *count* mails."""
        await self.rate_limiter.refund(count)

    async def send(
        self, mail: Mail, begin: Begin, *, has_other: HasOther | None = None
    ) -> Transmission:
        """Send *mail*; while the relay is down, this mail is the probe.

        *has_other* returns whether another relay could take the mail. If it could, a silent relay
        does not get the time that RFC 5321 section 4.5.3.2 allows: the mail is given up before its
        body. None: there is no other relay, and silence is not watched for.
        """
        if self.rate_limiter.is_full:
            return RATE_LIMITED
        if self.is_down:
            overdue = self._breaker.overdue_seconds(self.clock())
            if self._refused_mails.should_wait(mail, overdue_seconds=overdue):
                return OTHER_DOMAIN_FIRST
            return await self._probe(mail, begin, has_other)
        return await self._converse(mail, begin, has_other)

    async def _converse(
        self, mail: Mail, begin: Begin, has_other: HasOther | None, max_seconds: float | None = None
    ) -> Transmission:
        if has_other is None:
            begin_in_slot = partial(self._begin_in_slot, begin)
            return self._record(mail, await self.mailer.send(mail, begin_in_slot))
        timeout = asyncio.timeout(None)
        in_flight = InFlightMail(
            timeout=timeout, phase_start=self.clock(), has_other=has_other, max_seconds=max_seconds
        )
        begin_watched = partial(self._begin, begin, in_flight)
        on_session = partial(self._silence_detector.record_session, in_flight)
        self._silence_detector.watch(in_flight)
        try:
            async with timeout:
                transmission = await self.mailer.send(mail, begin_watched, on_session=on_session)
                if not isinstance(transmission, Broken) and transmission is not RELAY_WENT_DOWN:
                    self._silence_detector.record_decision(in_flight)
        except TimeoutError:
            if not timeout.expired():
                raise  # not from the silence detector, but from inside of the mailer
            return Broken(Stage.CONNECT, in_flight.give_up_reason)
        finally:
            self._silence_detector.unwatch(in_flight)
        return self._record(mail, transmission)

    async def _begin(self, begin: Begin, in_flight: InFlightMail) -> Permit | None:
        self._silence_detector.record_sign_of_life(in_flight)
        permit = await self._begin_in_slot(begin)
        if permit is not None:
            self._silence_detector.record_body(in_flight)
        return permit

    async def _begin_in_slot(self, begin: Begin) -> Permit | None:
        # The slot comes last: mails that were delayed after it would leave at the same time.
        permit = await begin()
        return permit if permit is not None and await self.rate_limiter.wait_for_slot() else None

    async def _probe(self, mail: Mail, begin: Begin, has_other: HasOther | None) -> Transmission:
        self._breaker = self._breaker.probed(self.clock(), chance=self.chance())
        # One probe at a time: meanwhile `seconds_until_try` is infinite.
        self._is_probing = True
        try:
            return await self._converse(
                mail, begin, has_other, self._silence_detector.compute_probe_limit()
            )
        finally:
            self._is_probing = False

    def _on_silent(self, reason: str) -> None:
        before = self._breaker
        self._breaker = before.opened(self.clock(), chance=self.chance())
        # The next probe should open a new session: an idle one may hang like the others.
        self.mailer.close_idle()
        # It may be silent in the middle of a mail only, which a check would not show.
        self._problem_reporter.report_mail_failure(
            Broken(Stage.CONNECT, reason), None, self._breaker_status(before)
        )

    def _record(self, mail: Mail, transmission: Transmission) -> Transmission:
        """Learn from *transmission*; return it, marked if the relay may be to blame for it."""
        if is_accepted(transmission):
            self.rate_limiter.record_acceptance()
            self._refusal_tracker.record_acceptance()
            self._refused_mails.forget()
            self._close()
            self._problem_reporter.report_mail_success()
            return transmission
        if transmission is RELAY_WENT_DOWN:
            return transmission
        self.rate_limiter.record_failure(transmission, mail.personal_texts)
        transmission = self._refusal_tracker.record_failure(mail, transmission)
        if self._refusal_tracker.is_held:
            self._hold(mail, transmission)
        elif is_relay_failure(transmission):
            self._record_failure(mail, transmission)
        else:
            self._record_answer()
        return transmission

    def record_check(self, result: CheckResult) -> None:
        """Count a failed check as one failure; close the breaker if a session can be opened again.

        The breaker stays open if mails were refused or got no reply: they would again. While it is
        open, a failed check changes nothing, so probes are not delayed.
        """
        before, failure = self._breaker, result.failure
        if failure is not None:
            if not before.is_open:
                # A refused login is refused again: the breaker opens without four more tries.
                transition = before.opened if is_login_refused(failure) else before.failed
                self._breaker = transition(self.clock(), chance=self.chance())
            self._problem_reporter.report_check_failure(failure, self._breaker_status(before))
            return
        if not self._problem_reporter.needs_mail:
            self._close()
        self._problem_reporter.report_check_success(is_down=self.is_down)

    def _hold(self, mail: Mail, transmission: Transmission) -> None:
        """Hold back mails after any result of this one, as it was not accepted."""
        before, now, chance = self._breaker, self.clock(), self.chance()
        if not before.is_open:
            self._breaker = before.opened(now, chance=chance, failed_probes=0)
        elif is_permanent_or_doubted(transmission):
            self._breaker = before.answered(now, chance=chance)
        else:
            self._breaker = before.failed(now, chance=chance)
        if isinstance(transmission, Answered | Broken):
            self._report_failure(mail, transmission, before)

    def _record_failure(self, mail: Mail, failure: Answered | Broken) -> None:
        before = self._breaker
        if before.is_open or self._refused_mails.count(mail, failure):
            self._breaker = before.failed(self.clock(), chance=self.chance())
        self._report_failure(mail, failure, before)

    def _report_failure(self, mail: Mail, failure: Answered | Broken, before: Breaker) -> None:
        status = self._breaker_status(before)
        if status.is_new:
            # Each of them would open a session in its turn, and fail as this one did.
            self.mailer.conclude_waiting(RELAY_WENT_DOWN)
        if status.is_down:
            self._refused_mails.record_probe(mail, failure)
        self._problem_reporter.report_mail_failure(failure, mail.personal_texts, status)

    def _record_answer(self) -> None:
        """Record that the relay has refused a mail for a reason of that mail, or got no body."""
        if self.is_down:
            self._refused_mails.forget()
        if self._refused_mails:
            # It refused mails for a reason on our side and has accepted none since then.
            self._problem_reporter.report_answer()
            return
        self._close()
        self._problem_reporter.report_mail_success()

    def _close(self) -> None:
        before = self._breaker
        self._breaker = before.succeeded()
        if before.is_open:
            self._refused_mails.forget_probes()
            self._problem_reporter.report_recovery(before.probes)

    def _breaker_status(self, before: Breaker) -> BreakerStatus:
        return BreakerStatus(
            is_down=self.is_down,
            is_new=self.is_down and not before.is_open,
            is_held=self._refusal_tracker.is_held,
        )
