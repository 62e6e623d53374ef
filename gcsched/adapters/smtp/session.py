"""One open session with a relay: an asyncio protocol around a conversation."""

import asyncio
import math
from collections.abc import Callable

from gcsched.adapters.smtp.conversation import Conversation
from gcsched.adapters.smtp.envelope import Capabilities
from gcsched.adapters.smtp.relay_settings import PoolLimits, Timeouts
from gcsched.adapters.smtp.replies import RawReply
from gcsched.adapters.smtp.transaction import Transaction
from gcsched.domain.permit import Permit
from gcsched.domain.smtp_reply import SERVICE_CLOSING, Answered, Broken, Stage

NOOP, QUIT = b"NOOP\r\n", b"QUIT\r\n"

TakeFollowing = Callable[["Session"], Transaction | None]


def ignore(_: object) -> None:
    """Do nothing."""


def take_none(_: object) -> None:
    """Return None: no mail waits that could follow."""


class Session(asyncio.Protocol):
    """A session: what arrives goes to its conversation, what that writes goes out.

    `on_change` is called when it is free for the next mail or has ended, `take_following` when it
    is about to write a body. `closed` is done when the connection is gone.
    """

    def __init__(
        self, transport: asyncio.Transport, capabilities: Capabilities, timeouts: Timeouts
    ) -> None:
        """Take over *transport*: from now on its data arrives here."""
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._timeouts = timeouts
        self._opened_at = self._used_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._quit_timer: asyncio.TimerHandle | None = None
        self._is_busy = False
        self._conversation = Conversation(
            timeouts=timeouts,
            write=transport.write,
            count_unsent=transport.get_write_buffer_size,
            now=self._loop.time,
        )
        self.capabilities = capabilities
        self.on_change: Callable[[Session], None] = ignore
        self.take_following: TakeFollowing = take_none
        self.closed: asyncio.Future[None] = self._loop.create_future()
        transport.set_protocol(self)

    @property
    def is_alive(self) -> bool:
        return self._conversation.lost_reason is None and not self._transport.is_closing()

    @property
    def use_count(self) -> int:
        return self._conversation.use_count

    def is_expired(self, limits: PoolLimits) -> bool:
        is_old = self._loop.time() - self._opened_at >= limits.age.total_seconds()
        return is_old or self.use_count >= limits.mails

    def is_idle_too_long(self, limits: PoolLimits) -> bool:
        return self._loop.time() - self._used_at >= limits.idle.total_seconds()

    # Mails

    def start(self, transaction: Transaction) -> None:
        """Send the envelope of *transaction*; the session must be alive and free."""
        self._is_busy = True
        self._conversation.start(transaction)
        self._set_timer()

    def transmit(self, permit: Permit | None) -> None:
        """Send the body of the current mail, if *permit* allows it and the relay is still there."""
        if self._transport.is_closing():
            self._conversation.lose("the connection is closing")
        self._conversation.transmit(permit, lambda: self.take_following(self))
        self._after_event()

    def give_up(self, transaction: Transaction) -> None:
        """End *transaction*: its mail is not wanted any more, or is sent by another session."""
        if transaction is self._conversation.following:
            self._conversation.give_up_following()
        elif transaction is self._conversation.current:
            self.abort()

    async def check(self) -> Answered | Broken | None:
        """Send NOOP; return why no mail should use this session, None if it works.

        A cancellation closes the session. Any reply but 421 proves that the relay is there.
        """
        replied: asyncio.Future[RawReply | None] = self._loop.create_future()

        def on_reply(reply: RawReply | None) -> None:
            if reply is not None and reply.code == SERVICE_CLOSING:
                self._conversation.lose("the relay closes the session")
            if not replied.done():
                replied.set_result(reply)

        self._is_busy = True
        self._conversation.exchange(NOOP, on_reply, self._timeouts.check)
        self._set_timer()
        try:
            reply = await replied
        except asyncio.CancelledError:
            if replied.cancelled():  # else the session is free, and may carry a mail already
                self.abort()
            raise
        if reply is None:
            return Broken(Stage.CONNECT, self._conversation.lost_reason or "")
        return Answered(reply.parse(Stage.CONNECT)) if reply.code == SERVICE_CLOSING else None

    # The end

    def quit(self) -> None:
        """Send QUIT; close on the reply, or without one after a while."""
        if not self.is_alive:
            self.abort()
            return
        within = self._timeouts.quit
        # Also if the relay replies: TLS would wait half a minute for the relay to close it.
        self._quit_timer = self._loop.call_later(within.total_seconds(), self._transport.abort)
        self._conversation.exchange(QUIT, lambda _: self._transport.close(), within)
        self._set_timer()

    def abort(self) -> None:
        """Close the connection now, even in the middle of a mail."""
        self._conversation.lose("the session was aborted")
        self._after_event()

    # Called by the transport and the timer

    def data_received(self, data: bytes) -> None:
        if self._conversation.lost_reason is None:
            self._conversation.receive(data)
            self._after_event()

    def eof_received(self) -> None:
        self._conversation.lose("the relay closed the connection")
        self._after_event()

    def connection_lost(self, error: Exception | None) -> None:
        reason = "the connection closed" if error is None else "the connection broke"
        self._conversation.lose(reason)
        self._after_event()
        if self._quit_timer is not None:
            self._quit_timer.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    def _on_timer(self) -> None:
        self._timer = None
        self._conversation.check_deadlines()
        self._after_event()

    def _after_event(self) -> None:
        """Set the timer; close a lost connection; tell that the session is free."""
        conversation = self._conversation
        if conversation.lost_reason is not None:
            self._cancel_timer()
            # In the next turn of the loop: asyncio's TLS fails if it is closed while it delivers
            # data.
            self._loop.call_soon(self._transport.abort)
        else:
            self._set_timer()
        if self._is_busy and (conversation.is_free or conversation.lost_reason is not None):
            self._is_busy = False
            self._used_at = self._loop.time()
            self.on_change(self)

    def _set_timer(self) -> None:
        """Set the timer for the next deadline, unless it fires before that anyway.

        Nearly every reply comes in time: the timer is set about once a second, not for each reply.
        """
        at = self._conversation.next_deadline
        if at == math.inf or (self._timer is not None and self._timer.when() <= at):
            return
        self._cancel_timer()
        self._timer = self._loop.call_at(at, self._on_timer)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
