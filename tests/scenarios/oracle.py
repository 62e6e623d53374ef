"""What is to become of each mail, drawn from a seed before the first one is asked for.

The relay acts on it and the oracle reads it; neither knows anything of the service.
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

STAGES = (At.RCPT, At.DATA, At.BODY)  # where the relay knows whose mail it is

# Faults of one mail that are over once they were met.
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
# Faults that meet whichever mail or session comes by, and the share of moments they come in.
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
HARMLESS_FAULTS = (  # which keep no mail from being sent
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
    """The faults that one recipient's mail meets: *transient_faults* once each, then *final_fault*."""

    transient_faults: tuple[Fault, ...]
    final_fault: Fault | None

    @property
    def is_unknown(self) -> bool:
        return self.final_fault == UNKNOWN_USER

    def possible_states(self, on_uncertain: str) -> list[FinalState]:
        """List what may become of it, worked out from the faults alone."""
        copies, possible = 0, list[FinalState]()
        for at, action in self.transient_faults:
            copies += at is At.BODY and isinstance(action, LoseReply)
            if on_uncertain == "hold" and at is At.BODY and isinstance(action, Drop | LoseReply):
                return [*possible, FinalState(state="UNCERTAIN", copies=copies)]
            if on_uncertain == "hold" and (at, action) == (At.DATA, Drop(after=True)):
                # Whether the first octets cross the hang-up on their way is a matter of luck.
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
    ending = draw_final_fault(chance.random(), chance)
    is_refused = ending is not None and isinstance(ending.action, Answer)
    # Nothing follows a refusal: what is met before it lies at its stage at the latest.
    stages = STAGES[: STAGES.index(ending.at) + 1] if ending and is_refused else STAGES
    [count] = chance.choices(range(MAX_TRANSIENT_FAULTS + 1), TRANSIENT_FAULT_WEIGHTS)
    met = sorted((chance.choice(stages) for _ in range(count)), key=STAGES.index)
    return FaultPlan(
        transient_faults=tuple(Fault(at, chance.choice(TRANSIENT_FAULTS[at])) for at in met),
        final_fault=ending,
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
    """Do to each recipient's mail what was drawn for it."""

    def __init__(self, fates: Mapping[str, FaultPlan]) -> None:
        self._plans = fates
        self._left = {recipient: [*fate.transient_faults] for recipient, fate in fates.items()}

    def __call__(self, moment: Moment) -> Action | None:
        if moment.recipient not in self._plans:
            return None
        left, ending = self._left[moment.recipient], self._plans[moment.recipient].final_fault
        if left and left[0].at == moment.at:
            return left.pop(0).action
        return ending.action if ending and ending.at == moment.at else None


class RandomRelayFaults:
    """Trouble with the relay itself; the same at the same moments for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chances = {at: repeatable(f"{seed} {at}") for at in RELAY_FAULTS}

    def __call__(self, moment: Moment) -> Action | None:
        if moment.at not in RELAY_FAULTS:
            return None
        share, actions = RELAY_FAULTS[moment.at]
        chance = self._chances[moment.at]
        return chance.choice(actions) if chance.random() < share else None


class ThrottleReplies:
    """Once *after* bodies came, complain of too many mails, once at each stage.

    All at about the same time: each complaint a second after the one before halves the pace, which
    takes minutes to grow back.
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
