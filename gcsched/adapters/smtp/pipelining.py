"""Decide whether commands are pipelined (RFC 2920) to a relay that offers it.

Some relays lose commands of a group, or answer 503 to it. The same replies have other causes too.
So the group is to blame only if the same relay gets further with single commands.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import structlog


class EnvelopeProgress(NamedTuple):
    """How far one envelope came: *understood* counts the steps with a sensible reply."""

    in_group: bool
    understood: int = 0
    has_stalled: bool = False  # the relay answered a part of a group and then fell silent


class PipeliningChoice(NamedTuple):
    """How to send one mail, and what its progress proves.

    *lost_after* is the progress of a lost group, to compare single commands with.
    """

    in_group: bool
    lost_after: int | None = None
    is_own: bool = False  # the lost group belonged to this mail
    is_second: bool = False  # the one group that is tried again after a silence


IN_GROUP = PipeliningChoice(in_group=True)


@dataclass(kw_only=True, eq=False)
class PipeliningPolicy:
    """Learns whether *relay* handles groups; kept until the process ends.

    After a silence the next mail is sent one command at a time. If that gets further, one more
    group is tried, because a relay may fall silent once; a second silence ends pipelining.
    """

    relay: str
    _is_given_up: bool = field(default=False, init=False)
    _stalled_after: int | None = field(default=None, init=False)  # next: single commands
    _doubted_after: int | None = field(default=None, init=False)  # next: one more group
    _is_second_under_way: bool = field(default=False, init=False)

    @property
    def is_undoubted(self) -> bool:
        """Whether groups are sent, and none of them was lost lately."""
        has_doubt = self._stalled_after is not None or self._doubted_after is not None
        return not (self._is_given_up or has_doubt)

    def choose(self, own: int | None) -> PipeliningChoice:
        """Choose how to send the next mail; *own*: the progress of a lost group of this mail."""
        if own is not None:
            return PipeliningChoice(in_group=False, lost_after=own, is_own=True)
        if self._is_given_up or self._stalled_after is not None or self._is_second_under_way:
            return PipeliningChoice(in_group=False, lost_after=self._stalled_after)
        self._is_second_under_way = self._doubted_after is not None
        return PipeliningChoice(in_group=True, is_second=self._is_second_under_way)

    def learn(self, progress: EnvelopeProgress | None, choice: PipeliningChoice) -> None:
        """Learn from the progress of one mail; None: its session was dead, which proves nothing."""
        if choice.is_second:
            self._is_second_under_way = False
        if progress is None or self._is_given_up:
            return
        if choice.is_second:
            self._learn_from_second(progress)
        elif choice.in_group:
            # A group from before the doubt proves nothing new: the relay fell silent to all.
            if progress.has_stalled and self._doubted_after is None:
                self._stalled_after = progress.understood
        elif choice.lost_after is not None:
            self._compare(progress.understood, choice)

    def _learn_from_second(self, progress: EnvelopeProgress) -> None:
        if progress.has_stalled:
            self._give_up()
        elif self._doubted_after is not None and progress.understood > self._doubted_after:
            self._doubted_after = None

    def _compare(self, understood: int, choice: PipeliningChoice) -> None:
        lost_after, self._stalled_after = choice.lost_after or 0, None
        if understood <= lost_after:
            return
        if choice.is_own:
            self._give_up()
        else:
            self._doubted_after = lost_after

    def _give_up(self) -> None:
        self._is_given_up = True
        structlog.get_logger().warning("pipelining given up", relay=self.relay)


MAX_FAILED_TRIALS = 2
SLOW_REPLY_SECONDS = 1.0


@dataclass(kw_only=True, eq=False)
class FollowingPolicy:
    """Learns whether *relay* handles an envelope that is sent together with the body before it.

    A relay that offers PIPELINING must (RFC 2920 section 3.1). One that does not might discard the
    envelope, or hang up before it has replied to the body, whose mail is then uncertain. So one
    session tries it before the others do, and after two failed trials in a row it is not tried
    again until the process ends. A mail must not wait behind a body that the relay takes long to
    decide about: while its replies are slow, none follows.
    """

    relay: str
    _is_proven: bool = field(default=False, init=False)
    _is_trial_under_way: bool = field(default=False, init=False)
    _failed_trials: int = field(default=0, init=False)
    _is_slow: bool = field(default=False, init=False)

    @property
    def may_follow(self) -> bool:
        """Whether a mail may follow now."""
        is_open = not self._is_trial_under_way and self._failed_trials < MAX_FAILED_TRIALS
        return (self._is_proven or is_open) and not self._is_slow

    def begin(self) -> bool:
        """Record that a mail follows; return whether it is the trial."""
        is_trial = not self._is_proven
        self._is_trial_under_way |= is_trial
        return is_trial

    def record_reply(self, seconds: float) -> None:
        """Record how long the relay took for a body."""
        self._is_slow = seconds >= SLOW_REPLY_SECONDS

    def withdraw(self, *, is_trial: bool) -> None:
        """Record that a mail follows no longer: the relay takes too long for the body before it."""
        self._is_slow = True
        self.end(is_trial=is_trial, has_worked=None)

    def end(self, *, is_trial: bool, has_worked: bool | None) -> None:
        """Learn from a mail that followed; None: it has shown nothing."""
        if is_trial:
            self._is_trial_under_way = False
        if has_worked:
            self._is_proven, self._failed_trials = True, 0
        elif has_worked is not None:
            self._is_proven = False
            self._failed_trials += is_trial
            if is_trial and self._failed_trials == MAX_FAILED_TRIALS:
                log = structlog.get_logger()
                log.warning("pipelining across mails given up", relay=self.relay)
