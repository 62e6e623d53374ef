"""One mail's way through a session, from MAIL to the reply to the final dot.

RFC 5321 section 3.3; in one group where the relay offers it, RFC 2920 section 3.1.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from gcsched.adapters.smtp.conversation import REFUSALS, Answer, Conversation, Lost, TimedOut
from gcsched.adapters.smtp.envelope import Offer, Parcel
from gcsched.adapters.smtp.options import Limits
from gcsched.adapters.smtp.pipelining import Progress
from gcsched.domain.smtp_reply import (
    OUT_OF_STEP,
    SERVICE_CLOSING,
    Answered,
    Broken,
    Reply,
    Stage,
    Transmission,
    Withheld,
)
from gcsched.domain.smtp_reply_words import PIPELINED, spoken
from gcsched.usecases.ports import Begin

RSET = b"RSET\r\n"
FINE, GO_ON = 2, 3  # first digits of the replies we hope for


class Step(NamedTuple):
    """One command, the first digit of the reply that lets us go on, and how long that may take."""

    stage: Stage
    command: bytes
    wanted: int
    within: timedelta


class Transaction:
    """Carries one parcel; afterwards it tells in which state that leaves the session."""

    def __init__(self, talk: Conversation, parcel: Parcel, *, offer: Offer, limits: Limits) -> None:
        self._talk = talk
        self._parcel = parcel
        self._offer = offer
        self._limits = limits
        self.stage = Stage.MAIL
        self.in_step = False  # every command has its answer: another mail may follow
        self.was_dead = False  # the session had ended before this mail said a word
        self.stalled = False  # the relay answered a part of a group and then nothing
        self.lost_track = False  # it did not understand a step, though the mail is not to blame
        self.understood = 0  # how many steps of the envelope it answered to the point

    @property
    def progress(self) -> Progress:
        return Progress(
            in_group=self._offer.pipelining,
            understood=self.understood,
            has_stalled=self.stalled,
        )

    async def run(self, begin: Begin, *, reset: bool) -> Transmission:
        """Send it; *reset* first, if the mail before this one was refused."""
        try:
            refusal = await self._envelope(self._steps(reset=reset))
            return await self._body(begin) if refusal is None else Answered(refusal)
        except TimedOut as lost:
            self.stalled |= self._offer.pipelining and self.stage in {Stage.RCPT, Stage.DATA}
            return Broken(self.stage, str(lost))
        except Lost as lost:
            self.was_dead = self.stage is Stage.MAIL
            return Broken(self.stage, str(lost))

    def _steps(self, *, reset: bool) -> list[Step]:
        offer, parcel, limits = self._offer, self._parcel, self._limits
        rset = [Step(Stage.MAIL, RSET, FINE, limits.mail)] if reset else []
        return [
            *rset,
            Step(Stage.MAIL, offer.mail_command(parcel), FINE, limits.mail),
            Step(Stage.RCPT, offer.rcpt_command(parcel), FINE, limits.rcpt),
            Step(Stage.DATA, b"DATA\r\n", GO_ON, limits.data),
        ]

    async def _envelope(self, steps: Sequence[Step]) -> Reply | None:
        """Give the first refusal, or None when the relay waits for the body."""
        if self._offer.pipelining:
            self._talk.say(*[step.command for step in steps])
        for done, step in enumerate(steps, start=1):
            self.stage = step.stage
            if not self._offer.pipelining:
                self._talk.say(step.command)
            answer = await self._talk.answer(step.within)
            self._follow(step, answer)
            if answer.code // 100 != step.wanted:
                return await self._refused(step, answer, steps[done:])
        return None

    def _follow(self, step: Step, answer: Answer) -> None:
        if step.command == RSET or answer.code == SERVICE_CLOSING:
            return
        if answer.code in REFUSALS and is_out_of_step(answer, step):
            self.lost_track = self._offer.pipelining
        else:
            self.understood += 1

    async def _refused(self, step: Step, answer: Answer, others: Sequence[Step]) -> Reply:
        if answer.code not in REFUSALS or step.command == RSET:
            raise Lost(f"the relay answered {answer.code}, which has no meaning there")
        if answer.code == SERVICE_CLOSING:
            self.was_dead = step.stage is Stage.MAIL
        elif self._offer.pipelining:
            self.in_step = await self._others_failed(others)
        else:
            self.in_step = True
        return answer.at(step.stage)

    async def _others_failed(self, others: Sequence[Step]) -> bool:
        """Read the answers to the rest of the group; tell whether the session is usable after it.

        A relay may accept DATA after it refused the recipient. RFC 2920 section 3.1 then advises a
        lone dot, which is the order to deliver an empty mail to whomever that relay believes it has
        accepted. Hanging up instead means "nothing" to every relay: RFC 5321 section 4.1.1.4.
        """
        try:
            codes = [(await self._talk.answer(step.within)).code for step in others]
        except Lost as lost:
            self.stalled = isinstance(lost, TimedOut)
            return False
        return SERVICE_CLOSING not in codes and all(code // 100 != GO_ON for code in codes)

    async def _body(self, begin: Begin) -> Transmission:
        self._talk.check()
        permit = await begin()
        if permit is None:
            return Withheld("the job is not ours any more")
        self._talk.check()
        content = self._parcel.stuffed(permit.date)
        # No await from here to say(): what is checked is still true when the first octet leaves.
        # Not the loop's time: uvloop's is that of the turn's begin, before we may have been paused.
        if time.monotonic() > permit.until:
            return Withheld("too little of the lease is left")
        self.stage = Stage.BODY
        self._talk.say(content)
        return self._judge(await self._early_answer() or await self._talk.answer(self._limits.dot))

    async def _early_answer(self) -> Answer | None:
        """Wait while octets of the body are still leaving; a relay may refuse before it has all."""
        while unsent := self._talk.unsent:
            try:
                return await self._talk.answer(self._limits.block)
            except TimedOut:
                if self._talk.unsent >= unsent:
                    raise
        return None

    def _judge(self, answer: Answer) -> Transmission:
        accepted = answer.code // 100 == FINE
        if answer.code // 100 == GO_ON or (accepted and self._talk.unsent):
            return Broken(Stage.BODY, f"the relay answered {answer.code} before the final dot")
        self.in_step = answer.code != SERVICE_CLOSING and not self._talk.unsent
        return Answered(answer.at(Stage.BODY))


def is_out_of_step(answer: Answer, step: Step) -> bool:
    """Return whether the relay did not understand *step*, or complains of the group it came in.

    What was refused before it would have been the answer to an earlier step.
    """
    return answer.code in OUT_OF_STEP or bool(PIPELINED.search(spoken(answer.at(step.stage).text)))
