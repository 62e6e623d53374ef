"""Count the memory that calls hold, over all calls, so that callers cannot fill the process."""

from gcsched.errors import MemoryFull

CALL_OCTETS = 32 * 1024  # gRPC's part, its tasks and a small job; measured: tests/measure/flood.py
SMALL_OCTETS = 4 * 1024  # covered by what every call holds
LARGE_OCTETS = 64 * 1024
# How much of the memory calls may fill: what is left then is for smaller and more urgent ones.
FULL_SHARE, SCHEDULE_SHARE, MEDIUM_SHARE, LARGE_SHARE = 1.0, 0.9, 0.75, 0.5
HEALTH_SHARE = 1.1  # for checks of health: who is refused one may restart the process


def share_for_size(octets: int) -> float:
    """Return how much of the memory may be filled for *octets* that are not small."""
    return LARGE_SHARE if octets > LARGE_OCTETS else MEDIUM_SHARE


class MemoryBudget:
    """The octets that calls hold of *limit*."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.reserved = 0

    def reserve(self, octets: int, *, share: float = FULL_SHARE) -> None:
        """Hold *octets* more. Raises MemoryFull if all calls would hold more than *share*."""
        if self.reserved + octets > self.limit * share:
            raise MemoryFull(self.reserved, self.limit)
        self.reserved += octets

    def reserve_unchecked(self, octets: int) -> None:
        """Hold *octets* more, whatever is held: of work that is done, to be given back later."""
        self.reserved += octets

    def release(self, octets: int, *_: object) -> None:
        """Hold *octets* less."""
        self.reserved -= octets

    def release_call(self, _: object) -> None:
        """Give back what each call holds; a callback for its end, whose context it ignores."""
        self.reserved -= CALL_OCTETS
