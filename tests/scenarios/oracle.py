"""The faults and the final state of each mail, drawn from a seed before the first call.

The relay injects the faults and the oracle computes the states; neither knows the service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from tests.support.relay.script import (
    Action,
    Answer,
    At,
    Drop,
    LoseReply,
    Moment,
    Trickle,
    repeatable,
)

STAGES = (At.RCPT, At.DATA, At.BODY)  # where the relay knows the recipient

# Faults of one mail that happen once.
TRANSIENT_FAULTS: Mapping[At, Sequence[Action]] = {
    At.RCPT: (
        Answer(450, "4.2.0 greylisted"),
        Answer(451, "4.7.1 greylisted"),
        Answer(452, "4.2.2 mailbox full"),
        Answer(503, "5.5.1 MAIL first"),
        Answer(500, "5.5.2 what"),
        Drop(),
        Drop(after=True),
        LoseReply(),
    ),
    At.DATA: (
        Answer(451, "4.3.0 busy"),
        Answer(503, "5.5.1 RCPT first"),
        Drop(),
        Drop(after=True),
        LoseReply(),
    ),
    At.BODY: (
        Answer(451, "4.3.0 try again"),
        Answer(452, "4.3.1 disk full"),
        Drop(),
        LoseReply(),
    ),
}
# Faults of the relay, whatever the mail or session, with the share of moments that they hit.
RELAY_FAULTS: Mapping[str, tuple[float, Sequence[Action]]] = {
    At.CONNECT: (
        0.06,
        (
            Answer(451, "4.3.0 not now"),
            Answer(554, "5.7.1 not you"),
            Drop(),
            Drop(after=True),
            LoseReply(),
            Trickle(0.001),
        ),
    ),
    At.EHLO: (
        0.04,
        (Answer(451, "4.3.0 not now"), Drop(), Drop(after=True), LoseReply(), Trickle(0.0002)),
    ),
    At.TLS: (0.04, (Answer(454, "4.3.0 no TLS just now"), Drop())),
    At.AUTH: (
        0.04,
        (Answer(454, "4.3.0 not now"), Answer(535, "5.7.8 wrong"), Drop(), Drop(after=True)),
    ),
    At.MAIL: (
        0.01,
        (
            Answer(451, "4.3.0 disk full"),
            Answer(503, "5.5.1 EHLO first"),
            Drop(),
            Drop(after=True),
            LoseReply(),
            Trickle(0.001),
        ),
    ),
    At.RSET: (0.06, (Answer(500, "5.5.1 what"), Drop(), Drop(after=True), LoseReply())),
    At.QUIT: (0.3, (Answer(421, "4.3.2 going down"), Drop(), LoseReply())),
}


class Fault(NamedTuple):
    at: At
    action: Action


UNKNOWN_USER = Fault(At.RCPT, Answer(550, "5.1.1 no such user"))
REFUSALS = (
    Fault(At.RCPT, Answer(550, "5.7.1 not from you")),
    Fault(At.DATA, Answer(554, "5.7.1 not today")),
    Fault(At.BODY, Answer(554, "5.7.1 spam")),
    Fault(At.BODY, Answer(554, "5.6.0 not like this")),
    Fault(At.BODY, Answer(552, "5.3.4 too large")),
)
HARMLESS_FAULTS = (  # the mail is sent in spite of them
    Fault(At.RCPT, Trickle(0.001)),
    Fault(At.DATA, Trickle(0.001)),
    Fault(At.BODY, Trickle(0.001)),
    Fault(At.BODY, Drop(after=True)),
)
MAX_TRANSIENT_FAULTS = 3
TRANSIENT_FAULT_WEIGHTS = (80, 14, 4, 2)
UNKNOWN_SHARE, REFUSED_SHARE, HARMLESS_SHARE = 0.05, 0.08, 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalState:
    """A state, what its reason must contain, and how many copies the relay has."""

    state: str
    copies: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """The faults of one recipient's mail: each of *transient_faults* once, then *final_fault*."""

    transient_faults: tuple[Fault, ...]
    final_fault: Fault | None

    @property
    def is_unknown(self) -> bool:
        return self.final_fault == UNKNOWN_USER

    def possible_states(self, on_uncertain: str) -> list[FinalState]:
        """List the possible final states, computed from the faults alone."""
        copies, possible = 0, list[FinalState]()
        for at, action in self.transient_faults:
            copies += at is At.BODY and isinstance(action, LoseReply)
            if on_uncertain == "hold" and at is At.BODY and isinstance(action, Drop | LoseReply):
                return [*possible, FinalState(state="UNCERTAIN", copies=copies)]
            if on_uncertain == "hold" and (at, action) == (At.DATA, Drop(after=True)):
                # The first bytes may or may not cross the hang-up on their way.
                possible.append(FinalState(state="UNCERTAIN", copies=copies))
        match self.final_fault:
            case Fault(at, Answer(code, text)):
                reason = f"{code} {text.split()[0]} at {at}"
                return [*possible, FinalState(state="FAILED", copies=copies, reason=reason)]
        return [*possible, FinalState(state="SENT", copies=copies + 1)]


SUPPRESSED = FinalState(state="SUPPRESSED", copies=0, reason="550 5.1.1 at RCPT")


def draw_plans(seed: int, recipients: Sequence[str]) -> dict[str, FaultPlan]:
    chance = repeatable(seed)
    return {recipient: draw_plan(chance) for recipient in recipients}


def draw_plan(chance: Random) -> FaultPlan:
    final_fault = draw_final_fault(chance.random(), chance)
    is_refused = final_fault is not None and isinstance(final_fault.action, Answer)
    # Nothing follows a refusal: all other faults happen at its stage or earlier.
    stages = STAGES[: STAGES.index(final_fault.at) + 1] if final_fault and is_refused else STAGES
    [count] = chance.choices(range(MAX_TRANSIENT_FAULTS + 1), TRANSIENT_FAULT_WEIGHTS)
    places = sorted((chance.choice(stages) for _ in range(count)), key=STAGES.index)
    return FaultPlan(
        transient_faults=tuple(Fault(at, chance.choice(TRANSIENT_FAULTS[at])) for at in places),
        final_fault=final_fault,
    )


def draw_final_fault(drawn: float, chance: Random) -> Fault | None:
    if drawn < UNKNOWN_SHARE:
        return UNKNOWN_USER
    if drawn < UNKNOWN_SHARE + REFUSED_SHARE:
        return chance.choice(REFUSALS)
    if drawn < UNKNOWN_SHARE + REFUSED_SHARE + HARMLESS_SHARE:
        return chance.choice(HARMLESS_FAULTS)
    return None


class PlannedFaults:
    """Injects the planned faults into each recipient's mail."""

    def __init__(self, plans: Mapping[str, FaultPlan]) -> None:
        self._plans = plans
        self._left = {recipient: [*plan.transient_faults] for recipient, plan in plans.items()}

    def __call__(self, moment: Moment) -> Action | None:
        if moment.recipient not in self._plans:
            return None
        left, last = self._left[moment.recipient], self._plans[moment.recipient].final_fault
        if left and left[0].at == moment.at:
            return left.pop(0).action
        return last.action if last and last.at == moment.at else None


class RandomRelayFaults:
    """Injects faults of the relay itself; the same seed has the same faults at the same moments."""

    def __init__(self, seed: int) -> None:
        self._chances = {at: repeatable(f"{seed} {at}") for at in RELAY_FAULTS}

    def __call__(self, moment: Moment) -> Action | None:
        if moment.at not in RELAY_FAULTS:
            return None
        share, actions = RELAY_FAULTS[moment.at]
        chance = self._chances[moment.at]
        return chance.choice(actions) if chance.random() < share else None


class ThrottleReplies:
    """Refuses for too many mails, once at each stage, after *after* bodies.

    All at about the same time: each refusal that comes more than a second after the previous one
    halves the adaptive rate, which takes minutes to recover.
    """

    def __init__(self, *, after: int) -> None:
        self._after = after
        self._bodies = 0
        self._left: set[str] = {At.CONNECT, At.EHLO, At.MAIL, *STAGES}

    def __call__(self, moment: Moment) -> Action | None:
        self._bodies += moment.at == At.BODY
        if self._bodies < self._after or moment.at not in self._left:
            return None
        self._left.discard(moment.at)
        return Answer(421, "4.7.0 too many mails")
