"""The check of a pool: whether a session with its relay can be used."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gcsched.adapters.smtp.relay_settings import PasswordSource
from gcsched.domain.relay_health import CheckResult, is_login_refused
from gcsched.domain.smtp_reply import Answered, Broken, Stage


@dataclass(kw_only=True, eq=False)
class SessionChecker:
    """Runs one check at a time, within *seconds*, and gives it up when a mail needs its session.

    *check_session* returns why no session can be used; None: one can.
    """

    check_session: Callable[[], Awaitable[Answered | Broken | None]]
    password: PasswordSource | None
    seconds: float
    _timeout: asyncio.Timeout | None = field(default=None, init=False)
    _refused_password: str | None = field(default=None, init=False, repr=False)

    @property
    def has_new_login(self) -> bool:
        """Whether the password differs from the one that the relay refused in a check."""
        return self._refused_password is not None and self._refused_password != self._read_login()

    async def check(self) -> CheckResult | None:
        """Check once; None: it was given up."""
        self._timeout = limit = asyncio.timeout(self.seconds)
        try:
            async with limit:
                return self._record(CheckResult(await self.check_session()))
        except TimeoutError:
            if self._timeout is None:
                return None
            return CheckResult(Broken(Stage.CONNECT, f"no answer within {self.seconds:g} seconds"))
        finally:
            self._timeout = None

    def give_up(self) -> None:
        """End the check that is under way, if any."""
        limit, self._timeout = self._timeout, None
        if limit is not None and not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time())

    def _record(self, checked: CheckResult) -> CheckResult:
        is_refused = checked.failure is not None and is_login_refused(checked.failure)
        self._refused_password = self._read_login() if is_refused else None
        return checked

    def _read_login(self) -> str | None:
        try:
            return self.password() if self.password is not None else None
        except (OSError, ValueError):
            return None  # the check reports it
