"""The sessions kept with one relay: opened on demand, the most recently used first."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from gcsched.adapters.smtp.connect import Connector, trust_in
from gcsched.adapters.smtp.envelope import Parcel
from gcsched.adapters.smtp.options import Keep, Limits, RelaySettings
from gcsched.adapters.smtp.pipelining import Grouping
from gcsched.adapters.smtp.session import Session, Stale
from gcsched.domain.mail import Mail
from gcsched.domain.relay_health import Checked, is_login_refused
from gcsched.domain.smtp_reply import Answered, Broken, Stage, Transmission
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import Begin

CLOSING = Broken(Stage.CONNECT, "the mailer is closing")


@dataclass(kw_only=True, eq=False)
class Pool:
    """A Mailer. Never more than `keep.sessions` connections; a mail waits for a free one."""

    relay: RelaySettings
    limits: Limits = field(default_factory=Limits)
    keep: Keep = field(default_factory=Keep)
    _places: asyncio.Semaphore = field(init=False)
    _trust: ssl.SSLContext | None = field(init=False)
    _sessions: set[Session] = field(default_factory=set, init=False)
    _idle: list[Session] = field(default_factory=list, init=False)
    _leaving: set[Session] = field(default_factory=set, init=False)
    _opening: int = field(default=0, init=False)
    _grouping: Grouping = field(init=False)
    _checking: asyncio.Timeout | None = field(default=None, init=False)
    _refused_password: str | None = field(default=None, init=False, repr=False)
    _is_closing: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.keep.sessions)
        self._trust = trust_in(self.relay)
        self._grouping = Grouping(relay=self.name)

    @property
    def name(self) -> str:
        return f"{self.relay.host}:{self.relay.port}"

    @property
    def connections(self) -> int:
        """Count the connections that the relay may see from us."""
        return len(self._sessions) + self._opening

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Count the connections that carry a mail or are being opened for one."""
        return len(self._sessions.difference(self._idle, self._leaving)) + self._opening

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take leave of the idle, hang up on the others: what they had begun is uncertain then."""
        self._is_closing = True
        for session in self._sessions.difference(self._leaving, self._idle):
            session.abort()
        for session in [*self._idle]:
            self._dismiss(session)
        if self._sessions:
            await asyncio.wait([session.closed for session in self._sessions])

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.sweep()
            await sleep_unless(stop, self.keep.idle.total_seconds() / 4)

    def sweep(self) -> None:
        """Take leave of the sessions that nobody needed for a while, or that grew old."""
        for session in [*self._idle]:
            if session.is_forgotten(self.keep) or session.is_worn(self.keep):
                self._dismiss(session)

    def drop_idle(self) -> None:
        """Close the idle sessions at once: QUIT would have no answer, and the next mail neither."""
        for session in [*self._idle]:
            session.abort()
        self._idle.clear()

    async def send(
        self, mail: Mail, begin: Begin, *, on_place: Callable[[], None] | None = None
    ) -> Transmission:
        """Carry *mail*; raises MalformedMail, while relay trouble is always an outcome."""
        parcel = Parcel.pack(mail)
        if self._checking is not None and self._places.locked():
            self._give_up_check(self._checking)
        async with self._places:
            if on_place is not None:
                on_place()
            return await self._carry(parcel, begin)

    async def check(self) -> Checked | None:
        """Ask whether a session with the relay stands, and keep it for the next mail.

        None: mails are under way and will tell, or one came meanwhile that needs the place.
        """
        if self._is_closing or self.busy or self._places.locked():
            return None
        within = self.limits.check.total_seconds()
        self._checking = limit = asyncio.timeout(within)
        try:
            async with self._places, limit:
                return self._remember(Checked(await self._check_session()))
        except TimeoutError:
            if self._checking is None:
                return None
            return Checked(Broken(Stage.CONNECT, f"no answer within {within:g} seconds"))
        finally:
            self._checking = None

    @property
    def has_new_login(self) -> bool:
        """Say whether the password is another one than a check was refused with."""
        return self._refused_password is not None and self._refused_password != self._password()

    async def _check_session(self) -> Answered | Broken | None:
        while True:
            kept = self._most_recent()
            session = kept or await self._open()
            if not isinstance(session, Session):
                return session
            try:
                trouble = await session.check()
            finally:
                self._put_back(session)
            if trouble is None or kept is None:  # relays may close what was idle
                return trouble

    def _give_up_check(self, limit: asyncio.Timeout) -> None:
        if not limit.expired():
            self._checking = None
            limit.reschedule(asyncio.get_running_loop().time())

    def _remember(self, checked: Checked) -> Checked:
        is_refused = checked.trouble is not None and is_login_refused(checked.trouble)
        self._refused_password = self._password() if is_refused else None
        return checked

    def _password(self) -> str | None:
        try:
            return self.relay.password() if self.relay.password is not None else None
        except (OSError, ValueError):
            return None  # a check says so in words

    async def _carry(self, parcel: Parcel, begin: Begin) -> Transmission:
        session: Session | Answered | Broken | None = self._most_recent()
        lost_after: int | None = None  # how far this mail's own group came
        while True:
            session = session or await self._open()
            if not isinstance(session, Session):
                return session
            outcome = await self._through(session, parcel, begin, lost_after)
            if isinstance(outcome, Stale):
                # One lost group is followed by single commands; no fresh session is found dead.
                lost_after = outcome.lost_after if lost_after is None else lost_after
                session = self._most_recent() if session.is_alive else None
                continue
            plain = isinstance(outcome, Answered) and parcel.without_smtputf8(outcome.reply)
            if not plain:
                return outcome
            parcel, session = plain, self._most_recent()  # which has no plain form itself

    async def _through(
        self, session: Session, parcel: Parcel, begin: Begin, lost_after: int | None
    ) -> Transmission | Stale:
        choice = self._grouping.choose(lost_after)
        try:
            return await session.send(parcel, begin, in_group=choice.in_group)
        finally:
            self._grouping.learn(session.progress, choice)
            self._put_back(session)

    def _most_recent(self) -> Session | None:
        while self._idle:
            session = self._idle.pop()
            if session.is_alive and not session.is_forgotten(self.keep):
                return session
            self._dismiss(session)
        return None

    def _put_back(self, session: Session) -> None:
        if self._is_closing or not session.is_alive or session.is_worn(self.keep):
            self._dismiss(session)
        else:
            self._idle.append(session)

    async def _open(self) -> Session | Answered | Broken:
        # Relays count connections: one that is taking leave still has its place.
        while self._leaving and self.connections >= self.keep.sessions:
            leaving = [session.closed for session in self._leaving]
            await asyncio.wait(leaving, return_when=asyncio.FIRST_COMPLETED)
        if self._is_closing:
            return CLOSING
        self._opening += 1
        try:
            opened = await self._connector().open()
        finally:
            self._opening -= 1
        return self._welcome(opened) if isinstance(opened, Session) else opened

    def _connector(self) -> Connector:
        return Connector(relay=self.relay, limits=self.limits, trust=self._trust)

    def _welcome(self, session: Session) -> Session | Broken:
        self._sessions.add(session)
        session.closed.add_done_callback(partial(self._forget, session))
        if self._is_closing:
            session.abort()
            return CLOSING
        return session

    def _dismiss(self, session: Session) -> None:
        if session in self._idle:
            self._idle.remove(session)
        if not session.closed.done():
            self._leaving.add(session)
            session.quit()

    def _forget(self, session: Session, _: object) -> None:
        self._sessions.discard(session)
        self._leaving.discard(session)
        if session in self._idle:
            self._idle.remove(session)
