"""Read the files of TLS again while the service runs, and exchange what listeners serve with."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from gcsched.adapters.tls.files import ListenerFiles, ListenerTls
from gcsched.process.key_pairs import UnusableFile, describe_expiry
from gcsched.usecases.loops import OneAtATime, run_periodically
from gcsched.usecases.ports import Clock
from gcsched.usecases.problem_log import ProblemLog

EVERY = timedelta(seconds=2)
READ_WITHIN = timedelta(seconds=5)
HANGS = "the files cannot be read within 5 s: does their disk or network answer?"
WARN_EVERY = timedelta(days=1)

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def ignore(_: ListenerTls) -> None:
    """Do nothing: the default *on_exchange*."""


@dataclass(kw_only=True, eq=False)
class TlsWatch:
    """Exchanges the *current* TLS of the *listener* when the contents of its *files* change.

    Contents are compared, because times tell little where Kubernetes exchanges links. Files that
    cannot be used leave the current TLS in place. The first failure is not a problem yet: a program
    that writes one file after the other may be at work.
    """

    listener: str
    files: ListenerFiles
    now: Clock
    current: ListenerTls
    on_exchange: Callable[[ListenerTls], None] = ignore
    problem: str | None = field(default=None, init=False)
    """Why the files of now are not used; None if they are."""
    _reading: OneAtATime[ListenerTls | None] = field(init=False)
    _last_failure: str | None = field(default=None, init=False)
    _next_warning: datetime | None = field(default=None, init=False)
    _problems: ProblemLog = field(
        default_factory=lambda: ProblemLog(
            event="TLS files unusable, keeping those before", end_event="TLS files usable again"
        ),
        init=False,
    )

    def __post_init__(self) -> None:
        # In a thread, because a file may be on a network that does not answer.
        read = partial(asyncio.to_thread, self._read_if_changed)
        self._reading = OneAtATime(read, within=READ_WITHIN)

    @property
    def expiry(self) -> str | None:
        """Describe that the current certificate has expired or expires soon; None if neither."""
        now, found = self.now(), self.current.certificates
        texts = {name: describe_expiry(each, now) for name, each in found.items()}
        return next(
            (f"its {name} certificate {text}" for name, text in texts.items() if text), None
        )

    @property
    def has_expired(self) -> bool:
        return any(each.end <= self.now() for each in self.current.certificates.values())

    async def run(self, stop: asyncio.Event) -> None:
        await run_periodically(self.check, every=EVERY, stop=stop)

    async def check(self) -> None:
        """Read the files once; use them if they have changed and can be used."""
        try:
            found = await self._reading.run()
        except UnusableFile as error:
            self._record_failure(str(error))
        except TimeoutError:
            self._record_failure(HANGS)
        else:
            self._last_failure = self.problem = None
            self._problems.record_success()
            if found is not None:
                self._exchange(found)
        self._warn_of_expiry()

    def _read_if_changed(self) -> ListenerTls | None:
        if self.files.read_contents() == self.current.contents:
            return None
        return self.files.read(now=self.now())

    def _exchange(self, found: ListenerTls) -> None:
        self.current, self._next_warning = found, None
        self.on_exchange(found)
        end = found.pair.end.isoformat()
        log.info("TLS certificate exchanged", listener=self.listener, expires=end)

    def _record_failure(self, failure: str) -> None:
        if failure == self._last_failure:
            self.problem = failure
            self._problems.record_failure(failure, listener=self.listener)
        self._last_failure = failure

    def _warn_of_expiry(self) -> None:
        now = self.now()
        if (text := self.expiry) is None or (self._next_warning and now < self._next_warning):
            return
        self._next_warning = now + WARN_EVERY
        log.warning("TLS certificate expires", listener=self.listener, problem=text)
