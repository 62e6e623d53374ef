"""One mail's way through a session, from MAIL to the reply to the final dot.

RFC 5321 section 3.3; in one group where the relay offers it, RFC 2920 section 3.1.
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
from gcsched.adapters.smtp.session_options import Timeouts
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
COMPLETION, INTERMEDIATE = 2, 3  # first digits of the replies we hope for


class EnvelopeStep(NamedTuple):
    """One command, the first digit of the reply that lets us go on, and how long that may take."""

    stage: Stage
    command: bytes
    expected: int
    timeout: timedelta


class Transaction:
    """Carries one parcel; afterwards it tells in which state that leaves the session."""

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
        self.in_sync = False  # every command has its answer: another mail may follow
        self.was_dead = False  # the session had ended before this mail said a word
        self.stalled = False  # the relay answered a part of a group and then nothing
        self.lost_track = False  # it did not understand a step, though the mail is not to blame
        self.understood = 0  # how many steps of the envelope it answered to the point

    @property
    def progress(self) -> EnvelopeProgress:
        return EnvelopeProgress(
            in_group=self._capabilities.pipelining,
            understood=self.understood,
            has_stalled=self.stalled,
        )

    async def run(self, begin: Begin, *, reset: bool) -> Transmission:
        """Send it; *reset* first, if the mail before this one was refused."""
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
        offer, parcel, limits = self._capabilities, self._mail, self._timeouts
        rset = [EnvelopeStep(Stage.MAIL, RSET, COMPLETION, limits.mail)] if reset else []
        return [
            *rset,
            EnvelopeStep(Stage.MAIL, offer.mail_command(parcel), COMPLETION, limits.mail),
            EnvelopeStep(Stage.RCPT, offer.rcpt_command(parcel), COMPLETION, limits.rcpt),
            EnvelopeStep(Stage.DATA, b"DATA\r\n", INTERMEDIATE, limits.data),
        ]

    async def _send_envelope(self, steps: Sequence[EnvelopeStep]) -> Reply | None:
        """Give the first refusal, or None when the relay waits for the body."""
        if self._capabilities.pipelining:
            self._conversation.send(*[step.command for step in steps])
        for done, step in enumerate(steps, start=1):
            self.stage = step.stage
            if not self._capabilities.pipelining:
                self._conversation.send(step.command)
            answer = await self._conversation.read_reply(step.timeout)
            self._track_reply(step, answer)
            if answer.code // 100 != step.expected:
                return await self._handle_refusal(step, answer, steps[done:])
        return None

    def _track_reply(self, step: EnvelopeStep, answer: RawReply) -> None:
        if step.command == RSET or answer.code == SERVICE_CLOSING:
            return
        if answer.code in REFUSALS and is_out_of_sync(answer, step):
            self.lost_track = self._capabilities.pipelining
        else:
            self.understood += 1

    async def _handle_refusal(
        self, step: EnvelopeStep, answer: RawReply, others: Sequence[EnvelopeStep]
    ) -> Reply:
        if answer.code not in REFUSALS or step.command == RSET:
            raise ConversationLost(f"the relay answered {answer.code}, which has no meaning there")
        if answer.code == SERVICE_CLOSING:
            self.was_dead = step.stage is Stage.MAIL
        elif self._capabilities.pipelining:
            self.in_sync = await self._drain_replies(others)
        else:
            self.in_sync = True
        return answer.parse(step.stage)

    async def _drain_replies(self, others: Sequence[EnvelopeStep]) -> bool:
        """Read the answers to the rest of the group; tell whether the session is usable after it.

        A relay may accept DATA after it refused the recipient. RFC 2920 section 3.1 then advises a
        lone dot, which is the order to deliver an empty mail to whomever that relay believes it has
        accepted. Hanging up instead means "nothing" to every relay: RFC 5321 section 4.1.1.4.
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
            return Withheld("the job is not ours any more")
        self._conversation.ensure_alive()
        content = self._mail.dot_stuff(permit.date)
        # No await from here to say(): what is checked is still true when the first octet leaves.
        # Not the loop's time: uvloop's is that of the turn's begin, before we may have been paused.
        if time.monotonic() > permit.until:
            return Withheld("too little of the lease is left")
        self.stage = Stage.BODY
        self._conversation.send(content)
        return self._classify_reply(
            await self._read_early_reply()
            or await self._conversation.read_reply(self._timeouts.dot)
        )

    async def _read_early_reply(self) -> RawReply | None:
        """Wait while octets of the body are still leaving; a relay may refuse before it has all."""
        while unsent := self._conversation.unsent_octets:
            try:
                return await self._conversation.read_reply(self._timeouts.body_stall)
            except ReplyTimeout:
                if self._conversation.unsent_octets >= unsent:
                    raise
        return None

    def _classify_reply(self, answer: RawReply) -> Transmission:
        accepted = answer.code // 100 == COMPLETION
        if answer.code // 100 == INTERMEDIATE or (accepted and self._conversation.unsent_octets):
            return Broken(Stage.BODY, f"the relay answered {answer.code} before the final dot")
        self.in_sync = answer.code != SERVICE_CLOSING and not self._conversation.unsent_octets
        return Answered(answer.parse(Stage.BODY))


def is_out_of_sync(answer: RawReply, step: EnvelopeStep) -> bool:
    """Return whether the relay did not understand *step*, or complains of the group it came in.

    What was refused before it would have been the answer to an earlier step.
    """
    return answer.code in COMMAND_ERRORS or bool(
        PIPELINED.search(strip_addresses(answer.parse(step.stage).text))
    )
