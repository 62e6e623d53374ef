"""The sessions of a pool: which are idle, which end, and whether there is a place for another."""

import asyncio
import time
from dataclasses import dataclass, field

from gcsched.adapters.smtp.relay_settings import PoolLimits
from gcsched.adapters.smtp.session import Session
from gcsched.adapters.smtp.session_limit import SessionLimit


@dataclass(kw_only=True, eq=False)
class OpenSessions:
    """The connections that the relay may see from this process: at most as many as *limit* allows.

    `opening` counts the places that are reserved for sessions that are being opened.
    """

    pool_limits: PoolLimits
    limit: SessionLimit
    opening: int = field(default=0, init=False)
    is_closing: bool = field(default=False, init=False)
    _all: set[Session] = field(default_factory=set, init=False)
    _idle: list[Session] = field(default_factory=list, init=False)
    _quitting: set[Session] = field(default_factory=set, init=False)

    @property
    def count(self) -> int:
        """The number of connections, open or being opened."""
        return len(self._all) + self.opening

    @property
    def idle_count(self) -> int:
        return len(self._idle)

    @property
    def usable_count(self) -> int:
        """The number of sessions that are open and do not end."""
        return len(self._all) - len(self._quitting)

    @property
    def busy_count(self) -> int:
        """The number of connections that carry a mail or are being opened for one."""
        return len(self._all.difference(self._idle, self._quitting)) + self.opening

    @property
    def has_place(self) -> bool:
        """Whether another session may be opened."""
        # Relays limit connections: one that awaits the reply to QUIT still counts.
        return self.count < self.limit.current

    def add(self, session: Session) -> None:
        self.limit.record_progress(time.monotonic())
        self._all.add(session)

    def discard(self, session: Session) -> None:
        """Forget *session*, whose connection is gone."""
        self._all.discard(session)
        self._quitting.discard(session)
        if session in self._idle:
            self._idle.remove(session)

    def take_idle(self) -> Session | None:
        """Return the idle session that was used last, or None if no idle one can be used."""
        while self._idle:
            session = self._idle.pop()
            if session.is_alive and not session.is_idle_too_long(self.pool_limits):
                self.limit.record_progress(time.monotonic())
                return session
            self._quit(session)
        return None

    def put_back(self, session: Session) -> None:
        """Keep *session* for the next mail, or end it."""
        is_surplus = self.usable_count + self.opening > self.limit.current
        is_over = not session.is_alive or session.is_expired(self.pool_limits)
        if self.is_closing or is_surplus or is_over:
            self._quit(session)
        else:
            self._idle.append(session)

    def close_expired(self) -> None:
        """Close the sessions that were idle for too long, or that are too old."""
        for session in [*self._idle]:
            if session.is_idle_too_long(self.pool_limits) or session.is_expired(self.pool_limits):
                self._quit(session)

    def abort_idle(self) -> None:
        """Close the idle sessions at once, without QUIT: the relay no longer answers in them."""
        for session in [*self._idle]:
            session.abort()
        self._idle.clear()

    def close(self) -> None:
        """Send QUIT in idle sessions and abort the others, whose mails become uncertain."""
        self.is_closing = True
        for session in self._all.difference(self._quitting, self._idle):
            session.abort()
        for session in [*self._idle]:
            self._quit(session)

    async def wait_closed(self) -> None:
        """Wait until no connection is left."""
        if self._all:
            await asyncio.wait([session.closed for session in self._all])

    def _quit(self, session: Session) -> None:
        if session in self._idle:
            self._idle.remove(session)
        if not session.closed.done():
            self._quitting.add(session)
            session.quit()
