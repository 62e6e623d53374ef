"""One open session with a relay: carries one mail at a time and knows whether it is still good."""

import asyncio
from dataclasses import dataclass, replace

from gcsched.adapters.smtp.conversation import Conversation, Lost
from gcsched.adapters.smtp.envelope import Offer, Parcel
from gcsched.adapters.smtp.options import Keep, Limits
from gcsched.adapters.smtp.pipelining import Progress
from gcsched.adapters.smtp.transaction import Transaction
from gcsched.domain.smtp_reply import (
    SERVICE_CLOSING,
    Answered,
    Broken,
    Kind,
    Stage,
    Transmission,
    kind_of,
)
from gcsched.usecases.ports import Begin

NOOP = b"NOOP\r\n"


@dataclass(frozen=True, slots=True)
class Stale:
    """Nothing was decided about this mail, and it had not begun; try it once more.

    A kept session turned out to be dead; or the relay could not follow a group, and understood the
    *lost_after* first commands of it.
    """

    lost_after: int | None = None


class Session:
    """Cancelled or failed in the middle of a mail, it is closed: nothing follows half a mail."""

    progress: Progress | None = None  # of the latest mail, where the relay heard of it

    def __init__(self, talk: Conversation, offer: Offer, limits: Limits) -> None:
        self._talk = talk
        self._limits = limits
        self._now = asyncio.get_running_loop().time
        self._opened = self._used = self._now()
        self._reset_first = False
        self._offer = offer
        self._single = replace(offer, pipelining=False)
        self.carried = 0
        self.closed = talk.closed

    @property
    def is_alive(self) -> bool:
        return self._talk.is_alive

    def is_worn(self, keep: Keep) -> bool:
        old = self._now() - self._opened >= keep.age.total_seconds()
        return old or self.carried >= keep.mails

    def is_forgotten(self, keep: Keep) -> bool:
        return self._now() - self._used >= keep.idle.total_seconds()

    async def send(
        self, parcel: Parcel, begin: Begin, *, in_group: bool = True
    ) -> Transmission | Stale:
        """Carry *parcel*, in its plain form where the relay offers no more.

        Not *in_group*: one command at a time, also where the relay offers PIPELINING.

        Cancellation goes through and closes the session; whoever gave the permit in *begin* knows
        that the mail may have been sent then.
        """
        self.progress = None
        parcel = self._offer.suited(parcel)
        if (refusal := self._offer.refusal(parcel)) is not None:
            return Answered(refusal)
        offer = self._offer if in_group else self._single
        transaction = Transaction(self._talk, parcel, offer=offer, limits=self._limits)
        try:
            outcome = await transaction.run(begin, reset=self._reset_first)
        finally:
            self._after(transaction)
        self._reset_first = not is_accepted(outcome)
        if transaction.lost_track:
            return Stale(transaction.understood)
        if transaction.was_dead and self.carried > 1:
            return Stale()
        return noted(outcome, parcel.note) if parcel.left_out else outcome

    async def check(self) -> Answered | Broken | None:
        """Say NOOP; return why no mail should use this session, None where one may.

        Cancelled, it is closed. Any answer but 421 is one of a relay that is there.
        """
        self.carried += 1  # a turn, as a mail's: the next mail may find it Stale
        is_good = False
        try:
            self._talk.say(NOOP)
            answer = await self._talk.answer(self._limits.check)
            is_good = answer.code != SERVICE_CLOSING
        except Lost as lost:
            return Broken(Stage.CONNECT, str(lost))
        finally:
            self._used = self._now()
            if not is_good:
                self._talk.abort()
        return None if is_good else Answered(answer.at(Stage.CONNECT))

    def quit(self) -> None:
        """Take leave without waiting; `closed` is done when the connection is gone."""
        self._talk.leave(self._limits.quit)

    def abort(self) -> None:
        self._talk.abort()

    def _after(self, transaction: Transaction) -> None:
        self.carried += 1
        self._used = self._now()
        self.progress = None if transaction.was_dead else transaction.progress
        if not transaction.in_step:
            self._talk.abort()


def noted(outcome: Transmission, note: str) -> Transmission:
    """Return *outcome* with *note*, where the relay took the mail or may have."""
    match outcome:
        case Answered() if is_accepted(outcome):
            return replace(outcome, note=note)
        case Broken(Stage.BODY, reason):
            return Broken(Stage.BODY, f"{reason} ({note})")
    return outcome


def is_accepted(outcome: Transmission) -> bool:
    return isinstance(outcome, Answered) and kind_of(outcome.reply) is Kind.ACCEPTED
