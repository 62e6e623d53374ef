"""One open session with a relay: carries one mail at a time and knows whether it is still good."""

import asyncio
from dataclasses import dataclass, replace

from gcsched.adapters.smtp.conversation import Conversation, ConversationLost
from gcsched.adapters.smtp.envelope import Capabilities, EncodedMail
from gcsched.adapters.smtp.pipelining import EnvelopeProgress
from gcsched.adapters.smtp.session_options import PoolLimits, Timeouts
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

    progress: EnvelopeProgress | None = None  # of the latest mail, where the relay heard of it

    def __init__(
        self, conversation: Conversation, capabilities: Capabilities, timeouts: Timeouts
    ) -> None:
        self._conversation = conversation
        self._timeouts = timeouts
        self._now = asyncio.get_running_loop().time
        self._opened_at = self._used_at = self._now()
        self._needs_reset = False
        self._capabilities = capabilities
        self._without_pipelining = replace(capabilities, pipelining=False)
        self.use_count = 0
        self.closed = conversation.closed

    @property
    def is_alive(self) -> bool:
        return self._conversation.is_alive

    def is_expired(self, limits: PoolLimits) -> bool:
        old = self._now() - self._opened_at >= limits.age.total_seconds()
        return old or self.use_count >= limits.mails

    def is_idle(self, limits: PoolLimits) -> bool:
        return self._now() - self._used_at >= limits.idle.total_seconds()

    async def send(
        self, parcel: EncodedMail, begin: Begin, *, in_group: bool = True
    ) -> Transmission | Stale:
        """Carry *parcel*, in its plain form where the relay offers no more.

        Not *in_group*: one command at a time, also where the relay offers PIPELINING.

        Cancellation goes through and closes the session; whoever gave the permit in *begin* knows
        that the mail may have been sent then.
        """
        self.progress = None
        parcel = self._capabilities.select_form(parcel)
        if (refusal := self._capabilities.find_refusal(parcel)) is not None:
            return Answered(refusal)
        offer = self._capabilities if in_group else self._without_pipelining
        transaction = Transaction(
            self._conversation, parcel, capabilities=offer, timeouts=self._timeouts
        )
        try:
            outcome = await transaction.run(begin, reset=self._needs_reset)
        finally:
            self._finish(transaction)
        self._needs_reset = not is_accepted(outcome)
        if transaction.lost_track:
            return Stale(transaction.understood)
        if transaction.was_dead and self.use_count > 1:
            return Stale()
        return add_note(outcome, parcel.left_out_note) if parcel.left_out else outcome

    async def check(self) -> Answered | Broken | None:
        """Say NOOP; return why no mail should use this session, None where one may.

        Cancelled, it is closed. Any answer but 421 is one of a relay that is there.
        """
        self.use_count += 1  # a turn, as a mail's: the next mail may find it Stale
        is_good = False
        try:
            self._conversation.send(NOOP)
            answer = await self._conversation.read_reply(self._timeouts.check)
            is_good = answer.code != SERVICE_CLOSING
        except ConversationLost as lost:
            return Broken(Stage.CONNECT, str(lost))
        finally:
            self._used_at = self._now()
            if not is_good:
                self._conversation.abort()
        return None if is_good else Answered(answer.parse(Stage.CONNECT))

    def quit(self) -> None:
        """Take leave without waiting; `closed` is done when the connection is gone."""
        self._conversation.quit(self._timeouts.quit)

    def abort(self) -> None:
        self._conversation.abort()

    def _finish(self, transaction: Transaction) -> None:
        self.use_count += 1
        self._used_at = self._now()
        self.progress = None if transaction.was_dead else transaction.progress
        if not transaction.in_sync:
            self._conversation.abort()


def add_note(outcome: Transmission, note: str) -> Transmission:
    """Return *outcome* with *note*, where the relay took the mail or may have."""
    match outcome:
        case Answered() if is_accepted(outcome):
            return replace(outcome, note=note)
        case Broken(Stage.BODY, reason):
            return Broken(Stage.BODY, f"{reason} ({note})")
    return outcome


def is_accepted(outcome: Transmission) -> bool:
    return isinstance(outcome, Answered) and kind_of(outcome.reply) is Kind.ACCEPTED
