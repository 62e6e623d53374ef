"""Tracks the refusals of one relay: which of them count, and whether the relay is held."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gcsched.domain.mail import Mail
from gcsched.domain.refusal_runs import RefusalRun, is_permanent_refusal
from gcsched.domain.smtp_reply import Answered, Transmission


@dataclass(slots=True, eq=False)
class LastAcceptance:
    """The time when any relay that shares this last accepted a mail."""

    at: float = -math.inf


@dataclass(kw_only=True, eq=False)
class RefusalTracker:
    """Counts refusals in a row.

    *clock* is monotonic; all relays of a process share *last_acceptance*.
    """

    last_acceptance: LastAcceptance
    clock: Callable[[], float]
    _refusals: RefusalRun = field(default_factory=RefusalRun, init=False)

    @property
    def is_held(self) -> bool:
        """Whether the relay refuses one recipient after the other."""
        return self._refusals.is_held

    def record_acceptance(self) -> None:
        """Record that the relay accepted a mail."""
        self.last_acceptance.at = self.clock()
        self._refusals = self._refusals.accepted()

    def record_failure(self, mail: Mail, transmission: Transmission) -> Transmission:
        """Record *transmission* and return it, marked as doubted if it is one refusal too many."""
        if not (isinstance(transmission, Answered) and is_permanent_refusal(transmission)):
            return transmission
        now = self.clock()
        is_doubted = self._refusals.is_doubted(
            transmission.kind, accepted_at=self.last_acceptance.at, now=now
        )
        self._refusals = self._refusals.refused(mail.recipient, now)
        return replace(transmission, is_doubted=is_doubted)
