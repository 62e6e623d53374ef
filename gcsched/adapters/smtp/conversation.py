"""The client's side of one SMTP session after its login, as a state machine. Pure: no I/O.

The envelope of a mail is pipelined where the relay offers it. A body is written together with the
envelope of the mail that follows it (RFC 2920 section 3.1: the content of a mail may begin a group,
and DATA ends it). So the relay never waits for us: its reply to the body comes together with its
354 for the next one. The mail that follows has no permit yet and no body: a session that is lost
leaves the mail before it uncertain, and never the one that follows.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.adapters.smtp.replies import (
    COMPLETION,
    INTERMEDIATE,
    REFUSALS,
    InvalidReply,
    RawReply,
    ReplyParser,
)
from gcsched.adapters.smtp.reply_deadline import ReplyDeadline
from gcsched.adapters.smtp.transaction import Step, Transaction
from gcsched.domain.permit import Permit
from gcsched.domain.smtp_reply import SERVICE_CLOSING, Answered, Stage, Withheld

RSET = b"RSET\r\n"
FIRST_DIGITS = {
    Step.RSET: COMPLETION,
    Step.MAIL: COMPLETION,
    Step.RCPT: COMPLETION,
    Step.DATA: INTERMEDIATE,
}
# A larger body may not fit into the system's buffer, and the envelope behind it would wait there.
MAX_FOLLOWED_OCTETS = 32 * 1024
CLAIM_LOST = Withheld("the claim was lost")
LEASE_ENDS = Withheld("too little of the lease is left")

OnReply = Callable[[RawReply | None], None]
TakeFollowing = Callable[[], Transaction | None]


@dataclass(kw_only=True, eq=False)
class Conversation:
    """At most one mail that has its turn, `current`, and one that follows it.

    *write* gets the octets to send, *count_unsent* returns how many of them still wait in our own
    buffers, *now* is a monotonic clock. `check_deadlines` is to be called at `next_deadline`.
    """

    timeouts: Timeouts
    write: Callable[[bytes], None]
    count_unsent: Callable[[], int]
    now: Callable[[], float]
    current: Transaction | None = field(default=None, init=False)
    following: Transaction | None = field(default=None, init=False)
    lost_reason: str | None = field(default=None, init=False)
    use_count: int = field(default=0, init=False)
    _parser: ReplyParser = field(default_factory=ReplyParser, init=False)
    _needs_reset: bool = field(default=False, init=False)
    _on_reply: OnReply | None = field(default=None, init=False)  # to NOOP or QUIT
    _deadline: ReplyDeadline = field(init=False)
    _body_time: float = field(default=0.0, init=False)  # when the latest body was written
    _withdraw_at: float = field(default=math.inf, init=False)

    def __post_init__(self) -> None:
        self._deadline = ReplyDeadline(self.now, self._count_unsent_body)

    @property
    def is_free(self) -> bool:
        """Whether the next mail may begin: every command has its reply."""
        return self.current is None and self._on_reply is None and self.lost_reason is None

    @property
    def next_deadline(self) -> float:
        """When to call `check_deadlines`, by *now*; infinite while nothing is awaited."""
        return min(self._deadline.at, self._withdraw_at)

    # Commands

    def start(self, transaction: Transaction) -> None:
        """Send the envelope of *transaction*, or its first command."""
        transaction.in_kept_session = self.use_count > 0
        if self._needs_reset:
            transaction.reset_first(RSET)
        self.current = transaction
        self._send(*(transaction.commands if transaction.in_group else transaction.commands[:1]))
        self._deadline.expect(self._timeout_of(transaction))

    def transmit(self, permit: Permit | None, take_following: TakeFollowing = lambda: None) -> None:
        """Write the body of the current mail, and the envelope of the one that follows.

        Without a permit, or with one that has ended, nothing is written, and the session is lost:
        a relay that waits for a body accepts no command.
        """
        transaction = self.current
        if transaction is None or transaction.step is not Step.PERMIT:
            return  # the session was lost while the permit was awaited
        if permit is None:
            self._withhold(transaction, CLAIM_LOST)
            return
        content = transaction.mail.dot_stuff(permit.date)
        # The check must still hold when the first octet leaves. Not by *now*, the loop's time:
        # uvloop caches it at the start of a turn, and the process may have been paused since then.
        if time.monotonic() > permit.until:
            self._withhold(transaction, LEASE_ENDS)
            return
        transaction.step = Step.BODY
        may_follow = transaction.in_group and len(content) <= MAX_FOLLOWED_OCTETS
        self._write_body(content, take_following() if may_follow else None)

    def give_up_following(self) -> None:
        """Do not send the mail that follows: the session is lost when that mail has its turn."""
        self._withdraw_at = math.inf
        if self.following is not None:
            self.following.is_withdrawn = True

    def exchange(self, command: bytes, on_reply: OnReply, timeout: timedelta) -> None:
        """Send *command*, NOOP or QUIT; *on_reply* gets the reply, or None if the session is lost.

        It counts as a use, as a mail does: the next mail may find the session dead.
        """
        self.use_count += 1
        self._on_reply = on_reply
        self._send(command)
        self._deadline.expect(timeout)

    # Events

    def receive(self, data: bytes) -> None:
        """Take octets of the relay."""
        try:
            for reply in self._parser.feed(data):
                self._handle(reply)
                if self.lost_reason is not None:
                    return
        except InvalidReply as invalid:
            self.lose(str(invalid))

    def lose(self, reason: str, *, is_timeout: bool = False) -> None:
        """End the conversation: a command without a reply will never get one.

        The first *reason* counts. A mail whose body has begun may have been sent.
        """
        if self.lost_reason is not None:
            return
        self.lost_reason = reason
        self._deadline.clear()
        self._withdraw_at = math.inf
        on_reply, self._on_reply = self._on_reply, None
        lost = [each for each in (self.current, self.following) if each is not None]
        self.current = self.following = None
        for transaction in lost:
            transaction.lose(reason, is_timeout=is_timeout)
        if on_reply is not None:
            on_reply(None)

    def check_deadlines(self) -> None:
        """Lose the session if a reply is overdue; withdraw a mail that follows for too long."""
        if (overdue := self._deadline.check()) is not None:
            self.lose(overdue, is_timeout=True)
        if self.following is not None and self.now() >= self._withdraw_at:
            following = self.following
            self.give_up_following()
            following.owner.on_withdrawn()

    # Replies

    def _handle(self, reply: RawReply) -> None:
        transaction = self.current
        if transaction is None:
            on_reply, self._on_reply = self._on_reply, None
            self._deadline.clear()
            if on_reply is not None:
                on_reply(reply)
        elif transaction.step is Step.BODY:
            self._conclude_body(transaction, reply)
        elif transaction.step is Step.DRAIN:
            self._drain(transaction, reply)
        elif reply.code // 100 == FIRST_DIGITS[transaction.step]:
            self._advance(transaction)
        else:
            self._refuse(transaction, reply)

    def _advance(self, transaction: Transaction) -> None:
        transaction.advance()
        if transaction.step is Step.PERMIT:
            self._deadline.clear()
            transaction.owner.on_change()
            return
        if not transaction.in_group:
            self._send(transaction.next_command)
        self._deadline.expect(self._timeout_of(transaction))

    def _refuse(self, transaction: Transaction, reply: RawReply) -> None:
        """Handle a reply that is not the one that its step needs."""
        step = transaction.step
        transaction.track_refusal(reply)
        if reply.code not in REFUSALS or step is Step.RSET:
            self.lose(f"the relay answered {reply.code}, which is not valid here")
            return
        transaction.refuse(reply.parse(transaction.stage))
        if reply.code == SERVICE_CLOSING:
            # Before MAIL was accepted, 421 means that a kept session had timed out.
            transaction.was_dead = step is Step.MAIL
            self.lose("the relay closes the session")
        else:
            self._finish_if_drained(transaction)

    def _drain(self, transaction: Transaction, reply: RawReply) -> None:
        """Take the reply to a command that came after a refusal in the same group.

        A relay may accept DATA after it refused the recipient. RFC 2920 section 3.1 then advises to
        send a lone dot, which orders an empty mail to every recipient that the relay believes it
        accepted. The session is closed instead, which delivers nothing (RFC 5321 section 4.1.1.4).
        """
        transaction.replies_to_drain -= 1
        if reply.code == SERVICE_CLOSING or reply.code // 100 == INTERMEDIATE:
            self.lose("the session is out of step after a refusal")
        else:
            self._finish_if_drained(transaction)

    def _finish_if_drained(self, transaction: Transaction) -> None:
        if transaction.replies_to_drain:
            self._deadline.expect(self._timeout_of(transaction))
        elif transaction.refusal is not None:
            self._needs_reset = True
            self._finish(transaction, Answered(transaction.refusal))

    def _conclude_body(self, transaction: Transaction, reply: RawReply) -> None:
        is_accepted = reply.code // 100 == COMPLETION
        unsent = self._count_unsent_body()
        transaction.reply_seconds = self.now() - self._body_time
        # A relay that accepts half a mail has not accepted the mail: the outcome is uncertain.
        if reply.code // 100 == INTERMEDIATE or (is_accepted and unsent):
            self.lose(f"the relay answered {reply.code} before the final dot")
            return
        self._needs_reset = not is_accepted
        self._finish(transaction, Answered(reply.parse(Stage.BODY)))
        if reply.code == SERVICE_CLOSING or unsent:
            self.lose("the relay closes the session")
        elif self.following is not None:
            self._give_turn(self.following)

    def _give_turn(self, transaction: Transaction) -> None:
        self.current, self.following = transaction, None
        self._withdraw_at = math.inf
        if transaction.is_withdrawn:
            self.lose("the mail that followed was withdrawn")
            return
        transaction.owner.on_turn()
        self._deadline.expect(min(self.timeouts.following_reply, self.timeouts.mail))

    def _finish(self, transaction: Transaction, outcome: Answered | Withheld) -> None:
        self.use_count += 1
        self.current = None
        self._deadline.clear()
        transaction.finish(outcome)

    def _withhold(self, transaction: Transaction, outcome: Withheld) -> None:
        self._finish(transaction, outcome)
        self.lose("its mail was withheld")

    # Octets and deadlines

    def _send(self, *commands: bytes) -> None:
        self._parser.expected += len(commands)
        self.write(commands[0] if len(commands) == 1 else b"".join(commands))

    def _write_body(self, content: bytes, following: Transaction | None) -> None:
        if following is None:
            self._send(content)
        else:
            following.is_following = following.in_kept_session = True
            self.following = following
            self._send(content, *following.commands)
            self._withdraw_at = self.now() + self.timeouts.following_wait.total_seconds()
        self._body_time = self.now()
        self._deadline.expect_body(stall=self.timeouts.body_stall, dot=self.timeouts.dot)

    def _count_unsent_body(self) -> int:
        unsent = self.count_unsent()
        if unsent and self.following is not None:
            return max(0, unsent - self.following.envelope_size)
        return unsent

    def _timeout_of(self, transaction: Transaction) -> timedelta:
        awaited, timeouts = transaction.awaited, self.timeouts
        if transaction.is_following and transaction.has_lost_track:
            return timeouts.following_reply  # the rest of the group may be lost as well
        if awaited is Step.RCPT:
            return timeouts.rcpt
        return timeouts.data if awaited is Step.DATA else timeouts.mail
