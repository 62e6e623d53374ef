"""Count the memory that calls hold, over all calls, so that callers cannot fill the process."""

from gcsched.errors import MemoryFull

CALL_OCTETS = 32 * 1024  # gRPC's part, its tasks and a small job; measured: tests/measure/flood.py
SMALL_OCTETS = 4 * 1024  # covered by what every call holds
LARGE_OCTETS = 64 * 1024
# How much of the memory calls may fill: what is left then is for smaller and more urgent ones.
WHOLE, INVITATIONS, MEDIUM, LARGE = 1.0, 0.9, 0.75, 0.5
BEYOND = 1.1  # for checks of health: who is refused one may restart the process


def share_of(octets: int) -> float:
    """Return how much of the memory may be filled for *octets* that are not small."""
    return LARGE if octets > LARGE_OCTETS else MEDIUM


class Memory:
    """The octets that calls hold of *most*."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0


class Holding:
    """What one call holds, until it gives that back."""

    __slots__ = ("_memory", "octets")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.octets = 0

    def take(self, octets: int, *, share: float = WHOLE) -> None:
        """Hold *octets* more. Raises MemoryFull if all calls would hold more than *share*."""
        memory = self._memory
        if memory.held + octets > memory.most * share:
            raise MemoryFull(memory.held, memory.most)
        memory.held += octets
        self.octets += octets

    def give_back(self, *_: object) -> None:
        """Hold nothing any more; a callback for the end of a call, whose context it ignores."""
        self._memory.held -= self.octets
        self.octets = 0
