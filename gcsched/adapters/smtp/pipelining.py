"""Whether a relay that offers PIPELINING is sent groups: no more, once single commands got further.

RFC 2920. Some relays lose what comes in a group, or answer 503 to it. The same replies have other
causes too, so a group is to blame only where the relay follows single commands instead.
"""

from dataclasses import dataclass, field

import structlog


@dataclass(frozen=True, slots=True)
class EnvelopeProgress:
    """How one envelope went: *understood* are the steps that the relay answered to the point."""

    in_group: bool
    understood: int = 0
    has_stalled: bool = False  # a part of a group was answered, and then nothing


@dataclass(frozen=True, slots=True)
class PipeliningChoice:
    """How one mail is to be sent, and what its end can show.

    *lost_after* is what its single commands are to be compared with; None: with nothing.
    """

    in_group: bool
    lost_after: int | None = None
    is_own: bool = False  # the group that was lost was one of this mail
    is_second: bool = False  # the one group that is tried after a silence


@dataclass(kw_only=True, eq=False)
class PipeliningPolicy:
    """What *relay* is known to do with groups; kept for as long as the process runs.

    After a silence the next mail is sent one command at a time. Where that gets further, one group
    is tried again, because a relay may fall silent once; a second silence is the group's fault.
    """

    relay: str
    _is_given_up: bool = field(default=False, init=False)
    _stalled_after: int | None = field(default=None, init=False)  # single commands are next
    _doubted_after: int | None = field(default=None, init=False)  # one more group is next
    _is_second_under_way: bool = field(default=False, init=False)

    def choose(self, own: int | None) -> PipeliningChoice:
        """Choose how to send the next mail; *own*: where a group of the same mail was lost."""
        if own is not None:
            return PipeliningChoice(in_group=False, lost_after=own, is_own=True)
        if self._is_given_up or self._stalled_after is not None or self._is_second_under_way:
            return PipeliningChoice(in_group=False, lost_after=self._stalled_after)
        self._is_second_under_way = self._doubted_after is not None
        return PipeliningChoice(in_group=True, is_second=self._is_second_under_way)

    def learn(self, progress: EnvelopeProgress | None, choice: PipeliningChoice) -> None:
        """Learn from one mail; None: the relay said nothing about it, a kept session was dead."""
        if choice.is_second:
            self._is_second_under_way = False
        if progress is None or self._is_given_up:
            return
        if choice.is_second:
            self._learn_from_second(progress)
        elif choice.in_group:
            # One that began before the doubt shows nothing new: the relay fell silent to all.
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
