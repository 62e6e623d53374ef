"""One mail transaction, from MAIL to the reply to the final dot (RFC 5321 section 3.3).

The envelope is pipelined where the relay offers it (RFC 2920 section 3.1).
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from gcsched.adapters.smtp.conversation import (
    REFUSALS,
    Conversation,
    ConversationLost,
    RawReply,
    ReplyTimeout,
)
from gcsched.adapters.smtp.envelope import Capabilities, EncodedMail
from gcsched.adapters.smtp.pipelining import EnvelopeProgress
from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.domain.smtp_reply import (
    COMMAND_ERRORS,
    SERVICE_CLOSING,
    Answered,
    Broken,
    Reply,
    Stage,
    Transmission,
    Withheld,
)
from gcsched.domain.smtp_reply_words import PIPELINED, strip_addresses
from gcsched.usecases.ports import Begin

RSET = b"RSET\r\n"
COMPLETION, INTERMEDIATE = 2, 3  # first digits of positive replies, RFC 5321 section 4.2.1


class EnvelopeStep(NamedTuple):
    """One command, the first digit of the reply that it needs, and how long that may take."""

    stage: Stage
    command: bytes
    expected: int
    timeout: timedelta


class Transaction:
    """Sends one mail; its attributes then describe the state of the session."""

    def __init__(
        self,
        conversation: Conversation,
        mail: EncodedMail,
        *,
        capabilities: Capabilities,
        timeouts: Timeouts,
    ) -> None:
        self._conversation = conversation
        self._mail = mail
        self._capabilities = capabilities
        self._timeouts = timeouts
        self.stage = Stage.MAIL
        self.in_sync = False  # every command has its reply: another mail may follow
        self.was_dead = False  # the session had ended before the relay knew of this mail
        self.stalled = False  # the relay answered a part of a group and then fell silent
        self.lost_track = False  # the relay did not understand a step of a pipelined group
        self.understood = 0  # how many steps of the envelope had a sensible reply

    @property
    def progress(self) -> EnvelopeProgress:
        return EnvelopeProgress(
            in_group=self._capabilities.pipelining,
            understood=self.understood,
            has_stalled=self.stalled,
        )

    async def run(self, begin: Begin, *, reset: bool) -> Transmission:
        """Send the mail; with *reset*, after RSET, because the mail before it was refused."""
        try:
            refusal = await self._send_envelope(self._steps(reset=reset))
            return await self._send_body(begin) if refusal is None else Answered(refusal)
        except ReplyTimeout as lost:
            self.stalled |= self._capabilities.pipelining and self.stage in {Stage.RCPT, Stage.DATA}
            return Broken(self.stage, str(lost))
        except ConversationLost as lost:
            self.was_dead = self.stage is Stage.MAIL
            return Broken(self.stage, str(lost))

    def _steps(self, *, reset: bool) -> list[EnvelopeStep]:
        capabilities, mail, timeouts = self._capabilities, self._mail, self._timeouts
        rset = [EnvelopeStep(Stage.MAIL, RSET, COMPLETION, timeouts.mail)] if reset else []
        return [
            *rset,
            EnvelopeStep(Stage.MAIL, capabilities.mail_command(mail), COMPLETION, timeouts.mail),
            EnvelopeStep(Stage.RCPT, capabilities.rcpt_command(mail), COMPLETION, timeouts.rcpt),
            EnvelopeStep(Stage.DATA, b"DATA\r\n", INTERMEDIATE, timeouts.data),
        ]

    async def _send_envelope(self, steps: Sequence[EnvelopeStep]) -> Reply | None:
        """Return the first refusal, or None when the relay waits for the body."""
        if self._capabilities.pipelining:
            self._conversation.send(*[step.command for step in steps])
        for done, step in enumerate(steps, start=1):
            self.stage = step.stage
            if not self._capabilities.pipelining:
                self._conversation.send(step.command)
            reply = await self._conversation.read_reply(step.timeout)
            self._track_reply(step, reply)
            if reply.code // 100 != step.expected:
                return await self._handle_refusal(step, reply, steps[done:])
        return None

    def _track_reply(self, step: EnvelopeStep, reply: RawReply) -> None:
        # RSET is not a step of the envelope, and 421 may come at any time: neither proves anything
        # about pipelining.
        if step.command == RSET or reply.code == SERVICE_CLOSING:
            return
        if reply.code in REFUSALS and is_out_of_sync(reply, step):
            self.lost_track = self._capabilities.pipelining
        else:
            self.understood += 1

    async def _handle_refusal(
        self, step: EnvelopeStep, reply: RawReply, others: Sequence[EnvelopeStep]
    ) -> Reply:
        if reply.code not in REFUSALS or step.command == RSET:
            raise ConversationLost(f"the relay answered {reply.code}, which is not valid here")
        if reply.code == SERVICE_CLOSING:
            # Before MAIL was accepted, 421 means that a kept session had timed out.
            self.was_dead = step.stage is Stage.MAIL
        elif self._capabilities.pipelining:
            self.in_sync = await self._drain_replies(others)
        else:
            self.in_sync = True
        return reply.parse(step.stage)

    async def _drain_replies(self, others: Sequence[EnvelopeStep]) -> bool:
        """Read the replies to the rest of the group; return whether the session stays usable.

        A relay may accept DATA after it refused the recipient. RFC 2920 section 3.1 then advises to
        send a lone dot, which orders an empty mail to every recipient that the relay believes it
        accepted. The session is closed instead, which delivers nothing (RFC 5321 section 4.1.1.4).
        """
        try:
            codes = [(await self._conversation.read_reply(step.timeout)).code for step in others]
        except ConversationLost as lost:
            self.stalled = isinstance(lost, ReplyTimeout)
            return False
        return SERVICE_CLOSING not in codes and all(code // 100 != INTERMEDIATE for code in codes)

    async def _send_body(self, begin: Begin) -> Transmission:
        self._conversation.ensure_alive()
        permit = await begin()
        if permit is None:
            return Withheld("the claim was lost")
        # Again, as *begin* writes to the database: the relay may have left while it did.
        self._conversation.ensure_alive()
        content = self._mail.dot_stuff(permit.date)
        # No await from here to send(): the check must still hold when the first octet leaves.
        # Not the loop's time: uvloop caches it at the start of a turn, and the process may have
        # been paused since then.
        if time.monotonic() > permit.until:
            return Withheld("too little of the lease is left")
        self.stage = Stage.BODY
        self._conversation.send(content)
        return self._classify_reply(
            await self._read_early_reply()
            or await self._conversation.read_reply(self._timeouts.dot)
        )

    async def _read_early_reply(self) -> RawReply | None:
        """Wait while octets of the body are still unsent; a relay may refuse before it has all."""
        while unsent := self._conversation.unsent_octets:
            try:
                return await self._conversation.read_reply(self._timeouts.body_stall)
            except ReplyTimeout:
                # No reply is needed yet; it is a timeout only if the relay also took no octets.
                if self._conversation.unsent_octets >= unsent:
                    raise
        return None

    def _classify_reply(self, reply: RawReply) -> Transmission:
        accepted = reply.code // 100 == COMPLETION
        # A relay that accepts half a mail has not accepted the mail: the outcome is uncertain.
        if reply.code // 100 == INTERMEDIATE or (accepted and self._conversation.unsent_octets):
            return Broken(Stage.BODY, f"the relay answered {reply.code} before the final dot")
        self.in_sync = reply.code != SERVICE_CLOSING and not self._conversation.unsent_octets
        return Answered(reply.parse(Stage.BODY))


def is_out_of_sync(reply: RawReply, step: EnvelopeStep) -> bool:
    """Return whether the relay did not understand *step*, or complains about pipelining.

    A refusal of an earlier step is not the cause: it would have been read before this reply.
    """
    return reply.code in COMMAND_ERRORS or bool(
        PIPELINED.search(strip_addresses(reply.parse(step.stage).text))
    )
