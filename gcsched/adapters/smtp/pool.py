"""The pool of SMTP sessions of one relay: opened on demand, the most recently used first."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from gcsched.adapters.smtp.checker import SessionChecker
from gcsched.adapters.smtp.connect import Connector, make_tls_context
from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.adapters.smtp.feedback import RelayFeedback
from gcsched.adapters.smtp.greeting import Greeting
from gcsched.adapters.smtp.open_sessions import OpenSessions
from gcsched.adapters.smtp.pending_mail import PendingMail
from gcsched.adapters.smtp.relay_settings import PoolLimits, RelaySettings, Timeouts
from gcsched.adapters.smtp.session import Session
from gcsched.adapters.smtp.session_limit import SessionLimit
from gcsched.adapters.smtp.transaction import Stale, Transaction
from gcsched.domain.mail import Mail
from gcsched.domain.relay_health import CheckResult
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
    _connector: Connector = field(init=False)
    _sessions: OpenSessions = field(init=False)
    _queue: deque[PendingMail] = field(default_factory=deque, init=False)
    _feedback: RelayFeedback = field(init=False)
    _checker: SessionChecker = field(init=False)

    def __post_init__(self) -> None:
        self._connector = Connector(
            relay=self.relay, timeouts=self.timeouts, tls_context=make_tls_context(self.relay)
        )
        limit = SessionLimit(self.pool_limits.sessions)
        self._sessions = OpenSessions(pool_limits=self.pool_limits, limit=limit)
        self._feedback = RelayFeedback(
            relay=self.name,
            limit=limit,
            is_needed=lambda: bool(self._queue),
            clock=time.monotonic,
        )
        self._checker = SessionChecker(
            check_session=self._check_session,
            password=self.relay.password,
            seconds=self.timeouts.check.total_seconds(),
        )

    @property
    def name(self) -> str:
        return f"{self.relay.host}:{self.relay.port}"

    @property
    def greeting(self) -> Greeting | None:
        return self._connector.greeting

    @property
    def connections(self) -> int:
        """Return how many connections the relay may see from this process."""
        return self._sessions.count

    @property
    def idle(self) -> int:
        return self._sessions.idle_count

    @property
    def busy(self) -> int:
        """Return how many connections carry a mail or are being opened for one."""
        return self._sessions.busy_count

    @property
    def limit(self) -> int:
        """Return how many connections there may be now."""
        return self._sessions.limit.current

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send QUIT in idle sessions and abort the others, whose mails become uncertain."""
        self._sessions.close()
        self._serve_queue()
        await self._sessions.wait_closed()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.close_expired()
            self.retry_refused()
            await sleep_unless(stop, self.pool_limits.idle.total_seconds() / 4)

    def close_expired(self) -> None:
        """Close the sessions that were idle for too long, or that are too old."""
        self._sessions.close_expired()

    def retry_refused(self) -> None:
        """Open a session though the relay refused one, if mails wait and the others are stuck."""
        if self._queue:
            self._sessions.limit.retry_refused(time.monotonic())
            self._serve_queue()

    def close_idle(self) -> None:
        """Close the idle sessions at once, without QUIT: the relay no longer answers in them."""
        self._sessions.abort_idle()

    def conclude_waiting(self, outcome: Transmission) -> None:
        """End the mails that wait for a session with *outcome*."""
        while self._queue:
            self._queue.popleft().conclude(outcome)

    async def send(
        self, mail: Mail, begin: Begin, *, on_session: Callable[[], None] | None = None
    ) -> Transmission:
        """Send *mail*. Raises MalformedMail; a failure of the relay is an outcome instead."""
        pending = PendingMail(
            EncodedMail.encode(mail),
            feedback=self._feedback,
            on_session=on_session,
            requeue=self._assign,
        )
        try:
            while True:
                result = await self._send_once(pending, begin)
                if isinstance(result, Stale):
                    # It ends: single commands follow a lost group, a mail follows a body once, and
                    # a new session is never Stale.
                    pending.try_again(result)
                elif isinstance(result, Answered) and (
                    fallback := pending.mail.without_smtputf8(result.reply)
                ):
                    pending.try_again(mail=fallback)  # once: a fallback has no fallback
                else:
                    return result
        except BaseException:
            self._give_up(pending)
            raise
        finally:
            pending.forget()

    async def _send_once(self, pending: PendingMail, begin: Begin) -> Transmission | Stale:
        """Send *pending* by the session that is free next, or by a new one."""
        self._assign(pending)
        await pending.wait()
        while pending.may_open:
            pending.note_session()
            pending.may_open = False
            opened = await self._open()
            if isinstance(opened, Session):
                self._start(opened, pending)
                self._serve_queue()  # if the relay does not offer what this mail needs
            elif opened is None:
                pending.try_again()
                self._assign(pending)
                await pending.wait()
            else:
                return opened
        return await pending.complete(begin)

    # Which mail has which session

    def _assign(self, pending: PendingMail) -> None:
        """Begin *pending* in an idle session or a new one; put it into the queue otherwise."""
        if pending.was_tried:
            self._queue.appendleft(pending)
        else:
            self._queue.append(pending)
        self._serve_queue()
        # A mail never waits for a check: the check gives its session up.
        if self._queue:
            self._checker.give_up()

    def _serve_queue(self) -> None:
        """Begin the mails that wait, as far as there are sessions or places for new ones."""
        while self._queue:
            needs_new = self._queue[0].prefers_new_session and self._sessions.has_place
            if self._sessions.is_closing:
                self._queue.popleft().conclude(CLOSING)
            elif not needs_new and (session := self._sessions.take_idle()) is not None:
                self._start(session, self._queue.popleft())
            elif self._sessions.has_place:
                self._sessions.opening += 1
                self._queue.popleft().open_session()
            else:
                return

    def _start(self, session: Session, pending: PendingMail) -> None:
        if not pending.start(session):
            self._sessions.put_back(session)

    def _take_following(self, session: Session) -> Transaction | None:
        """Return the mail to send behind the body that *session* is about to write, if any.

        A mail follows only if it would wait otherwise.
        """
        self._serve_queue()  # there may be more places now
        is_last = session.use_count + 1 >= self.pool_limits.mails
        if not self._queue or is_last or session.is_expired(self.pool_limits):
            return None
        if not self._feedback.may_follow:
            return None
        for pending in self._queue:
            if (transaction := pending.follow(session)) is not None:
                self._queue.remove(pending)
                return transaction
        return None

    def _give_up(self, pending: PendingMail) -> None:
        if pending in self._queue:
            self._queue.remove(pending)
        elif pending.may_open:
            self._sessions.opening -= 1
            self._serve_queue()
        else:
            pending.give_up()

    # Checks

    async def check(self) -> CheckResult | None:
        """Check that a session with the relay works, and keep it for the next mail.

        None: no check is needed, because mails are under way, or one arrived that needs the place.
        """
        if self._sessions.is_closing or self.busy or not (self.idle or self._sessions.has_place):
            return None
        return await self._checker.check()

    @property
    def has_new_login(self) -> bool:
        """Return whether the password differs from the one that the relay refused in a check."""
        return self._checker.has_new_login

    async def _check_session(self) -> Answered | Broken | None:
        while True:
            if (kept := self._sessions.take_idle()) is None:
                self._sessions.opening += 1
            session = kept or await self._open()
            if not isinstance(session, Session):
                return session  # None: mails have opened as many as the relay takes
            failure = await session.check()
            if failure is None or kept is None:  # a relay may have closed a kept session
                return failure

    # Sessions

    def _on_session_change(self, session: Session) -> None:
        """Use *session* for the next mail: it is free, or has ended."""
        self._sessions.put_back(session)
        self._serve_queue()

    async def _open(self) -> Session | Answered | Broken | None:
        """Open a session in the place that was reserved for it.

        None: the relay takes no more sessions beside those that there are.
        """
        opened: Session | Answered | Broken | None = CLOSING
        try:
            if not self._sessions.is_closing:
                opened = await self._connector.open()
        finally:
            self._sessions.opening -= 1
            if not isinstance(opened, Session):
                # Before the place is used again: the relay would refuse one session after another.
                opened = None if self._is_one_too_many(opened) else opened
                self._serve_queue()
        return self._register(opened) if isinstance(opened, Session) else opened

    def _is_one_too_many(self, refused: Answered | Broken | None) -> bool:
        """Return whether the relay refused a session that others can do without."""
        limit, now = self._sessions.limit, time.monotonic()
        is_refused = isinstance(refused, Answered) and refused.reply.stage is Stage.CONNECT
        if not is_refused or not self._sessions.usable_count or limit.is_stuck(now):
            return False
        limit.record_refused_session(self._sessions.count, now)
        return True

    def _register(self, session: Session) -> Session | Broken:
        self._sessions.add(session)
        session.on_change = self._on_session_change
        session.take_following = self._take_following
        session.closed.add_done_callback(partial(self._unregister, session))
        if self._sessions.is_closing:
            session.abort()
            return CLOSING
        return session

    def _unregister(self, session: Session, _: object) -> None:
        self._sessions.discard(session)
        self._serve_queue()
