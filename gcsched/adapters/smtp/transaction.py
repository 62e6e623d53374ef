"""One mail transaction of a conversation: how far it has come, and what became of it.

From MAIL to the reply to the final dot (RFC 5321 section 3.3). Pure: no I/O.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Protocol

from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.adapters.smtp.pipelining import EnvelopeProgress
from gcsched.adapters.smtp.replies import REFUSALS, RawReply
from gcsched.domain.smtp_reply import (
    COMMAND_ERRORS,
    SERVICE_CLOSING,
    Answered,
    Broken,
    Kind,
    Reply,
    Stage,
    Transmission,
    kind_of,
)
from gcsched.domain.smtp_reply_words import PIPELINED, strip_addresses


class Step(IntEnum):
    """What a transaction waits for; in the order of a mail that is accepted."""

    RSET = 0  # the reply to RSET, because the mail before was refused
    MAIL = 1
    RCPT = 2
    DATA = 3
    PERMIT = 4  # ourselves: the relay waits for the body
    BODY = 5  # the reply to the final dot
    DRAIN = 6  # the replies to the rest of its group, after a refusal
    DONE = 7


NEXT_STEPS = {
    Step.RSET: Step.MAIL,
    Step.MAIL: Step.RCPT,
    Step.RCPT: Step.DATA,
    Step.DATA: Step.PERMIT,
}
STAGES = {
    Step.RSET: Stage.MAIL,
    Step.MAIL: Stage.MAIL,
    Step.RCPT: Stage.RCPT,
    Step.DATA: Stage.DATA,
    Step.PERMIT: Stage.DATA,
    Step.BODY: Stage.BODY,
}


@dataclass(frozen=True, slots=True)
class Stale:
    """The mail has no outcome and its body was not sent: send it again.

    Either a kept session was dead; or the relay lost track of a pipelined group, of which it had
    understood the first *lost_after* commands.
    """

    lost_after: int | None = None


class Owner(Protocol):
    """The sender of the mail, as its transaction calls it."""

    def on_change(self) -> None:
        """Continue: the relay waits for the body, or the transaction is done."""

    def on_turn(self) -> None:
        """Note that the relay has decided about the mail before, so that this one has its turn."""

    def on_withdrawn(self) -> None:
        """Send the mail by another session: it would wait too long in this one."""


@dataclass(slots=True, kw_only=True, eq=False)
class Transaction:
    """The state of one mail in a conversation.

    *commands* are those of the envelope, sent *in_group* or one by one. *in_kept_session*: the
    session has carried another mail before. *is_following*: its envelope was sent with the body
    before it, and it has its turn once the relay has decided about that body.
    """

    mail: EncodedMail
    commands: tuple[bytes, ...]
    in_group: bool
    owner: Owner
    in_kept_session: bool = False
    is_following: bool = False
    is_withdrawn: bool = False  # its mail is sent by another transaction, or not at all
    step: Step = Step.MAIL
    understood: int = 0  # how many steps of the envelope had a sensible reply
    has_stalled: bool = False  # the relay answered a part of a group and then fell silent
    has_lost_track: bool = False  # the relay did not understand a step of a pipelined group
    was_dead: bool = False  # the session had ended before the relay knew of this mail
    replies_to_drain: int = 0
    reply_seconds: float | None = None  # how long the relay took to decide about the body
    refusal: Reply | None = None
    outcome: Transmission | None = None

    @property
    def stage(self) -> Stage:
        """The stage of the reply that is awaited, or of what was done last."""
        return STAGES[self.step]

    @property
    def awaited(self) -> Step:
        """The step of the envelope whose reply comes next."""
        return Step(Step.DATA + 1 - self.replies_to_drain) if self.replies_to_drain else self.step

    @property
    def next_command(self) -> bytes:
        """The command of this step."""
        return self.commands[self.step - Step.DATA - 1]

    @property
    def envelope_size(self) -> int:
        """The number of octets of all commands."""
        return sum(map(len, self.commands))

    @property
    def progress(self) -> EnvelopeProgress | None:
        """How far the envelope came; None if the session was dead, which proves nothing."""
        if self.was_dead:
            return None
        return EnvelopeProgress(
            in_group=self.in_group, understood=self.understood, has_stalled=self.has_stalled
        )

    @property
    def has_followed(self) -> bool | None:
        """Whether the relay understood that it followed a body; None: it has shown nothing."""
        if self.has_lost_track or self.has_stalled:
            return False
        return True if self.understood else None

    @property
    def result(self) -> Transmission | Stale | None:
        """What became of the mail; None while it is under way."""
        if self.has_lost_track:
            # What follows a body is in two groups at once: the mail is tried in one of its own.
            return Stale(None if self.is_following else self.understood)
        # A new session that dies is an outcome; a kept one is not, as relays close idle sessions.
        if self.was_dead and self.in_kept_session:
            return Stale()
        if self.mail.left_out and self.outcome is not None:
            return add_note(self.outcome, self.mail.left_out_note)
        return self.outcome

    # Called by the conversation

    def reset_first(self, command: bytes) -> None:
        """Begin with *command*, RSET, because the mail before was refused."""
        self.step, self.commands = Step.RSET, (command, *self.commands)

    def advance(self) -> None:
        """Go to the next step of the envelope: the relay accepted this one."""
        self.understood += self.step is not Step.RSET
        self.step = NEXT_STEPS[self.step]

    def track_refusal(self, reply: RawReply) -> None:
        """Record whether the relay understood the command that it did not accept."""
        # RSET is not a step of the envelope, and 421 may come at any time: neither proves anything
        # about pipelining.
        if self.step is Step.RSET or reply.code == SERVICE_CLOSING:
            return
        if reply.code in REFUSALS and is_out_of_sync(reply, self.stage):
            self.has_lost_track = self.in_group
        else:
            self.understood += 1

    def refuse(self, refusal: Reply) -> None:
        """Keep *refusal*; the replies to the rest of its group are still to come."""
        self.refusal = refusal
        self.replies_to_drain = Step.DATA - self.step if self.in_group else 0
        self.step = Step.DRAIN

    def lose(self, reason: str, *, is_timeout: bool) -> None:
        """Conclude because the session was lost."""
        if self.step is Step.DRAIN and self.refusal is not None:
            self.has_stalled = is_timeout
            self.finish(Answered(self.refusal))
            return
        is_first = self.step in {Step.RSET, Step.MAIL}
        # A relay that is silent to the first command is an outcome, unless it replied to the body
        # that came with it: then it may have discarded the command.
        self.was_dead = is_first and (self.is_following or not is_timeout)
        is_part_answered = self.step in {Step.RCPT, Step.DATA} or (is_first and self.is_following)
        self.has_stalled = is_timeout and self.in_group and is_part_answered
        self.finish(Broken(self.stage, reason))

    def finish(self, outcome: Transmission) -> None:
        self.step, self.outcome = Step.DONE, outcome
        if not self.is_withdrawn:
            self.owner.on_change()


def add_note(outcome: Transmission, note: str) -> Transmission:
    """Return *outcome* with *note*, if the relay accepted the mail or may have."""
    match outcome:
        case Answered() if is_accepted(outcome):
            return replace(outcome, note=note)
        case Broken(Stage.BODY, reason):
            return Broken(Stage.BODY, f"{reason} ({note})")
    return outcome


def is_accepted(outcome: Transmission | None) -> bool:
    return isinstance(outcome, Answered) and kind_of(outcome.reply) is Kind.ACCEPTED


def is_out_of_sync(reply: RawReply, stage: Stage) -> bool:
    """Return whether the relay did not understand the command, or complains about pipelining.

    A refusal of an earlier command is not the cause: it would have been read before this reply.
    """
    return reply.code in COMMAND_ERRORS or bool(
        PIPELINED.search(strip_addresses(reply.parse(stage).text))
    )
