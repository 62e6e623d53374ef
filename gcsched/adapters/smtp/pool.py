"""The pool of SMTP sessions of one relay: opened on demand, the most recently used first."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from gcsched.adapters.smtp.connect import Connector, make_tls_context
from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.adapters.smtp.pipelining import PipeliningPolicy
from gcsched.adapters.smtp.relay_settings import PoolLimits, RelaySettings, Timeouts
from gcsched.adapters.smtp.session import Session, Stale
from gcsched.domain.mail import Mail
from gcsched.domain.relay_health import CheckResult, is_login_refused
from gcsched.domain.smtp_reply import Answered, Broken, Stage, Transmission
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import Begin

CLOSING = Broken(Stage.CONNECT, "the service is stopping")


@dataclass(kw_only=True, eq=False)
class SmtpSessionPool:
    """A Mailer with at most `pool_limits.sessions` connections; a mail waits for a free one."""

    relay: RelaySettings
    timeouts: Timeouts = field(default_factory=Timeouts)
    pool_limits: PoolLimits = field(default_factory=PoolLimits)
    _slots: asyncio.Semaphore = field(init=False)
    _tls_context: ssl.SSLContext | None = field(init=False)
    _sessions: set[Session] = field(default_factory=set, init=False)
    _idle: list[Session] = field(default_factory=list, init=False)
    _quitting: set[Session] = field(default_factory=set, init=False)
    _opening: int = field(default=0, init=False)
    _pipelining: PipeliningPolicy = field(init=False)
    _check_timeout: asyncio.Timeout | None = field(default=None, init=False)
    _refused_password: str | None = field(default=None, init=False, repr=False)
    _is_closing: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.pool_limits.sessions)
        self._tls_context = make_tls_context(self.relay)
        self._pipelining = PipeliningPolicy(relay=self.name)

    @property
    def name(self) -> str:
        return f"{self.relay.host}:{self.relay.port}"

    @property
    def connections(self) -> int:
        """Return how many connections the relay may see from this process."""
        return len(self._sessions) + self._opening

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Return how many connections carry a mail or are being opened for one."""
        return len(self._sessions.difference(self._idle, self._quitting)) + self._opening

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send QUIT in idle sessions and abort the others, whose mails become uncertain."""
        self._is_closing = True
        for session in self._sessions.difference(self._quitting, self._idle):
            session.abort()
        for session in [*self._idle]:
            self._quit(session)
        if self._sessions:
            await asyncio.wait([session.closed for session in self._sessions])

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.close_expired()
            await sleep_unless(stop, self.pool_limits.idle.total_seconds() / 4)

    def close_expired(self) -> None:
        """Close the sessions that were idle for too long, or that are too old."""
        for session in [*self._idle]:
            if session.is_idle_too_long(self.pool_limits) or session.is_expired(self.pool_limits):
                self._quit(session)

    def close_idle(self) -> None:
        """Close the idle sessions at once, without QUIT: the relay no longer answers in them."""
        for session in [*self._idle]:
            session.abort()
        self._idle.clear()

    async def send(
        self, mail: Mail, begin: Begin, *, on_session: Callable[[], None] | None = None
    ) -> Transmission:
        """Send *mail*. Raises MalformedMail; a failure of the relay is an outcome instead."""
        encoded = EncodedMail.encode(mail)
        # A mail never waits for a check: the check gives its slot up.
        if self._check_timeout is not None and self._slots.locked():
            self._give_up_check(self._check_timeout)
        async with self._slots:
            if on_session is not None:
                on_session()
            return await self._send(encoded, begin)

    async def check(self) -> CheckResult | None:
        """Check that a session with the relay works, and keep it for the next mail.

        None: no check is needed, because mails are under way, or one arrived that needs the slot.
        """
        if self._is_closing or self.busy or self._slots.locked():
            return None
        within = self.timeouts.check.total_seconds()
        self._check_timeout = limit = asyncio.timeout(within)
        try:
            async with self._slots, limit:
                return self._record_check(CheckResult(await self._check_session()))
        except TimeoutError:
            if self._check_timeout is None:
                return None
            return CheckResult(Broken(Stage.CONNECT, f"no answer within {within:g} seconds"))
        finally:
            self._check_timeout = None

    @property
    def has_new_login(self) -> bool:
        """Return whether the password differs from the one that the relay refused in a check."""
        return self._refused_password is not None and self._refused_password != self._password()

    async def _check_session(self) -> Answered | Broken | None:
        while True:
            kept = self._take_idle()
            session = kept or await self._open()
            if not isinstance(session, Session):
                return session
            try:
                failure = await session.check()
            finally:
                self._put_back(session)
            if failure is None or kept is None:  # a relay may have closed a kept session
                return failure

    def _give_up_check(self, limit: asyncio.Timeout) -> None:
        if not limit.expired():
            self._check_timeout = None
            limit.reschedule(asyncio.get_running_loop().time())

    def _record_check(self, checked: CheckResult) -> CheckResult:
        is_refused = checked.failure is not None and is_login_refused(checked.failure)
        self._refused_password = self._password() if is_refused else None
        return checked

    def _password(self) -> str | None:
        try:
            return self.relay.password() if self.relay.password is not None else None
        except (OSError, ValueError):
            return None  # the check reports it

    async def _send(self, mail: EncodedMail, begin: Begin) -> Transmission:
        session: Session | Answered | Broken | None = self._take_idle()
        lost_after: int | None = None  # how far this mail's own group came
        while True:
            session = session or await self._open()
            if not isinstance(session, Session):
                return session
            outcome = await self._send_through(session, mail, begin, lost_after)
            if isinstance(outcome, Stale):
                # It ends: single commands follow a lost group, and a new session is never Stale.
                lost_after = outcome.lost_after if lost_after is None else lost_after
                session = self._take_idle() if session.is_alive else None
                continue
            fallback = isinstance(outcome, Answered) and mail.without_smtputf8(outcome.reply)
            if not fallback:
                return outcome
            mail, session = fallback, self._take_idle()  # once: a fallback has no fallback

    async def _send_through(
        self, session: Session, mail: EncodedMail, begin: Begin, lost_after: int | None
    ) -> Transmission | Stale:
        choice = self._pipelining.choose(lost_after)
        try:
            return await session.send(mail, begin, in_group=choice.in_group)
        finally:
            self._pipelining.learn(session.progress, choice)
            self._put_back(session)

    def _take_idle(self) -> Session | None:
        while self._idle:
            session = self._idle.pop()
            if session.is_alive and not session.is_idle_too_long(self.pool_limits):
                return session
            self._quit(session)
        return None

    def _put_back(self, session: Session) -> None:
        if self._is_closing or not session.is_alive or session.is_expired(self.pool_limits):
            self._quit(session)
        else:
            self._idle.append(session)

    async def _open(self) -> Session | Answered | Broken:
        # Relays limit connections: one that awaits the reply to QUIT still counts.
        while self._quitting and self.connections >= self.pool_limits.sessions:
            quitting = [session.closed for session in self._quitting]
            await asyncio.wait(quitting, return_when=asyncio.FIRST_COMPLETED)
        if self._is_closing:
            return CLOSING
        self._opening += 1
        try:
            opened = await self._connector().open()
        finally:
            self._opening -= 1
        return self._register(opened) if isinstance(opened, Session) else opened

    def _connector(self) -> Connector:
        return Connector(relay=self.relay, timeouts=self.timeouts, tls_context=self._tls_context)

    def _register(self, session: Session) -> Session | Broken:
        self._sessions.add(session)
        session.closed.add_done_callback(partial(self._unregister, session))
        if self._is_closing:
            session.abort()
            return CLOSING
        return session

    def _quit(self, session: Session) -> None:
        if session in self._idle:
            self._idle.remove(session)
        if not session.closed.done():
            self._quitting.add(session)
            session.quit()

    def _unregister(self, session: Session, _: object) -> None:
        self._sessions.discard(session)
        self._quitting.discard(session)
        if session in self._idle:
            self._idle.remove(session)
