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

    def take(self, octets: int, *, share: float = WHOLE) -> None:
        """Hold *octets* more. Raises MemoryFull if all calls would hold more than *share*."""
        if self.held + octets > self.most * share:
            raise MemoryFull(self.held, self.most)
        self.held += octets

    def add(self, octets: int) -> None:
        """Hold *octets* more, whatever is held: of work that is done, to be given back later."""
        self.held += octets

    def give_back(self, octets: int, *_: object) -> None:
        """Hold *octets* less."""
        self.held -= octets

    def end_call(self, _: object) -> None:
        """Give back what each call holds; a callback for its end, whose context it ignores."""
        self.held -= CALL_OCTETS
