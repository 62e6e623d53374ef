"""The check of a pool: whether a session with its relay can be used."""

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from gcsched.adapters.smtp.relay_settings import PasswordSource
from gcsched.domain.relay_health import CheckResult, is_login_refused
from gcsched.domain.smtp_reply import Answered, Broken, Stage
from gcsched.usecases.loops import cancel_until_done


@dataclass(kw_only=True, eq=False)
class SessionChecker:
    """Runs one check at a time, within *seconds*, and gives it up when a mail needs its session.

    *check_session* returns why no session can be used; None: one can.
    """

    check_session: Callable[[], Coroutine[Any, Any, Answered | Broken | None]]
    password: PasswordSource | None
    seconds: float
    _given_up: asyncio.Future[None] | None = field(default=None, init=False)
    _refused_password: str | None = field(default=None, init=False, repr=False)

    @property
    def has_new_login(self) -> bool:
        """Whether the password differs from the one that the relay refused in a check."""
        return self._refused_password is not None and self._refused_password != self._read_login()

    async def check(self) -> CheckResult | None:
        """Check once; None: it was given up."""
        self._given_up = given_up = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self.check_session(), name="check of a relay")
        try:
            await asyncio.wait({task, given_up}, timeout=self.seconds, return_when=FIRST_COMPLETED)
        finally:
            self._given_up = None
            is_answered = task.done()
            # Again and again: aiosmtplib may swallow the first cancellation (usecases/loops.py),
            # and would then wait for the relay's greeting for minutes.
            await cancel_until_done({task})
        if is_answered:
            return self._record(CheckResult(task.result()))
        if given_up.done():
            return None
        return CheckResult(Broken(Stage.CONNECT, f"no answer within {self.seconds:g} seconds"))

    def give_up(self) -> None:
        """End the check that is under way, if any."""
        if self._given_up is not None and not self._given_up.done():
            self._given_up.set_result(None)

    def _record(self, checked: CheckResult) -> CheckResult:
        is_refused = checked.failure is not None and is_login_refused(checked.failure)
        self._refused_password = self._read_login() if is_refused else None
        return checked

    def _read_login(self) -> str | None:
        try:
            return self.password() if self.password is not None else None
        except (OSError, ValueError):
            return None  # the check reports it
