"""Whether a relay that offers PIPELINING is sent groups: no more, once single commands got further.

RFC 2920. Some relays lose what comes in a group, or answer 503 to it. The same replies have other
causes too, so a group is to blame only where the relay follows single commands instead.
"""

from dataclasses import dataclass, field

import structlog


@dataclass(frozen=True, slots=True)
class Progress:
    """How one envelope went: *understood* are the steps that the relay answered to the point."""

    in_group: bool
    understood: int = 0
    has_stalled: bool = False  # a part of a group was answered, and then nothing


@dataclass(kw_only=True, eq=False)
class Grouping:
    """What *relay* is known to do with groups; kept for as long as the process runs."""

    relay: str
    _is_given_up: bool = field(default=False, init=False)
    _stalled_after: int | None = field(default=None, init=False)

    def lost_after(self, own: int | None) -> int | None:
        """Return what a mail's single commands are to be compared with; *own*: its group's end.

        A mail whose group stalled is over, so the next one is the trial. None: no trial.
        """
        return own if own is not None else self._stalled_after

    def sends_groups(self, own: int | None) -> bool:
        return not self._is_given_up and self.lost_after(own) is None

    def learn(self, progress: Progress | None, own: int | None) -> None:
        """Learn from one mail; None: the relay said nothing about it, a kept session was dead."""
        lost_after = self.lost_after(own)
        if progress is None:
            return
        if progress.in_group:
            if progress.has_stalled:
                self._stalled_after = progress.understood
        elif lost_after is not None and not self._is_given_up:
            self._stalled_after = None
            if progress.understood > lost_after:
                self._is_given_up = True
                structlog.get_logger().warning("pipelining given up", relay=self.relay)
