"""Limit the memory that all calls hold together, so that callers cannot fill the process."""

from gcsched.errors import MemoryFull

# Of each call: gRPC's part, its tasks and a small job; measured by tests/measure/flood.py.
CALL_OCTETS = 32 * 1024
SMALL_OCTETS = 4 * 1024  # covered by CALL_OCTETS
LARGE_OCTETS = 64 * 1024
# How much of the memory a call may fill; the rest is reserved for smaller and more urgent calls.
FULL_SHARE, SCHEDULE_SHARE, MEDIUM_SHARE, LARGE_SHARE = 1.0, 0.9, 0.75, 0.5
HEALTH_SHARE = 1.1  # for health checks: an orchestrator that is refused one may restart the process


def share_for_size(octets: int) -> float:
    """Return the share of the memory that *octets*, which are not small, may fill."""
    return LARGE_SHARE if octets > LARGE_OCTETS else MEDIUM_SHARE


class MemoryBudget:
    """The octets that calls have reserved of *limit*."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.reserved = 0

    def reserve(self, octets: int, *, share: float = FULL_SHARE) -> None:
        """Reserve *octets*. Raises MemoryFull if all calls would hold more than *share*."""
        if self.reserved + octets > self.limit * share:
            raise MemoryFull(self.reserved, self.limit)
        self.reserved += octets

    def reserve_unchecked(self, octets: int) -> None:
        """Reserve *octets* without a limit, for the reply of work that is already done."""
        self.reserved += octets

    def release(self, octets: int, *_: object) -> None:
        """Release *octets*; a callback for the end of a call, whose context it ignores."""
        self.reserved -= octets

    def release_call(self, _: object) -> None:
        """Release the octets of one call; a callback for its end, whose context it ignores."""
        self.reserved -= CALL_OCTETS
