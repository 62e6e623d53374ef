"""How many jobs one claim takes: few at first, more while a backlog lasts."""

GROWTH_LIMIT = 4


class BatchSize:
    """The size of the next claim: *first*, and twice as much after each claim that came back full.

    A statement costs MongoDB and this process about as much for one job as for sixty, so a backlog
    is claimed in larger batches, *GROWTH_LIMIT* times *first* at most. The first claims of a second
    stay small, so that replicas that wake up together share its jobs evenly and the first mails
    leave early.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self.current = first

    def adapt(self, *, was_full: bool) -> None:
        """Grow after a claim that took all it asked for while more was due, else start over."""
        larger = min(self.current * 2, self._first * GROWTH_LIMIT)
        self.current = larger if was_full else self._first
