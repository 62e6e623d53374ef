"""One open session with a relay: sends one mail at a time and knows whether it is still usable."""

import asyncio
from dataclasses import dataclass, replace

from gcsched.adapters.smtp.conversation import Conversation, ConversationLost
from gcsched.adapters.smtp.envelope import Capabilities, EncodedMail
from gcsched.adapters.smtp.pipelining import EnvelopeProgress
from gcsched.adapters.smtp.relay_settings import PoolLimits, Timeouts
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
    """The mail has no outcome and its body was not sent: send it again.

    Either a kept session was dead; or the relay lost track of a pipelined group, of which it had
    understood the first *lost_after* commands.
    """

    lost_after: int | None = None


class Session:
    """A session. A cancellation or failure in the middle of a mail closes it."""

    progress: EnvelopeProgress | None = None  # of the latest mail, if its session was alive

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
        is_old = self._now() - self._opened_at >= limits.age.total_seconds()
        return is_old or self.use_count >= limits.mails

    def is_idle_too_long(self, limits: PoolLimits) -> bool:
        return self._now() - self._used_at >= limits.idle.total_seconds()

    async def send(
        self, mail: EncodedMail, begin: Begin, *, in_group: bool = True
    ) -> Transmission | Stale:
        """Send *mail*, in its ASCII form where the relay does not offer SMTPUTF8.

        Without *in_group*, commands are not pipelined even if the relay offers it.

        A cancellation closes the session. If *begin* has given the permit, the mail may have been
        sent.
        """
        self.progress = None
        mail = self._capabilities.select_form(mail)
        if (refusal := self._capabilities.find_refusal(mail)) is not None:
            return Answered(refusal)
        capabilities = self._capabilities if in_group else self._without_pipelining
        transaction = Transaction(
            self._conversation, mail, capabilities=capabilities, timeouts=self._timeouts
        )
        try:
            outcome = await transaction.run(begin, reset=self._needs_reset)
        finally:
            self._finish(transaction)
        self._needs_reset = not is_accepted(outcome)
        if transaction.lost_track:
            return Stale(transaction.understood)
        # A new session that dies is an outcome; a kept one is not, as relays close idle sessions.
        if transaction.was_dead and self.use_count > 1:
            return Stale()
        return add_note(outcome, mail.left_out_note) if mail.left_out else outcome

    async def check(self) -> Answered | Broken | None:
        """Send NOOP; return why no mail should use this session, None if it works.

        A cancellation closes the session. Any reply but 421 proves that the relay is there.
        """
        self.use_count += 1  # as for a mail: the next mail may find the session dead
        is_usable = False
        try:
            self._conversation.send(NOOP)
            reply = await self._conversation.read_reply(self._timeouts.check)
            is_usable = reply.code != SERVICE_CLOSING
        except ConversationLost as lost:
            return Broken(Stage.CONNECT, str(lost))
        finally:
            self._used_at = self._now()
            if not is_usable:
                self._conversation.abort()
        return None if is_usable else Answered(reply.parse(Stage.CONNECT))

    def quit(self) -> None:
        """Send QUIT without waiting; `closed` is done when the connection is gone."""
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
    """Return *outcome* with *note*, if the relay accepted the mail or may have."""
    match outcome:
        case Answered() if is_accepted(outcome):
            return replace(outcome, note=note)
        case Broken(Stage.BODY, reason):
            return Broken(Stage.BODY, f"{reason} ({note})")
    return outcome


def is_accepted(outcome: Transmission) -> bool:
    return isinstance(outcome, Answered) and kind_of(outcome.reply) is Kind.ACCEPTED
