"""How many sessions a relay gets now: by need, as in the concurrency feedback of Postfix.

Additive increase and multiplicative decrease (Chiu and Jain, 1989). Pure: time is an argument, in
seconds of a monotonic clock.
"""

FIRST_SESSIONS = 16
MIN_FOR_SLOW_RELAY = 8
MEAN_WEIGHT = 1 / 16  # of the latest reply in the running mean
BEST_WEIGHT = 1 / 4096  # of the running mean in the best one: what was best long ago may be over
GROWS_BELOW = 3.0  # times the best mean: the relay keeps up
SHRINKS_ABOVE = 6.0
SLACK_SECONDS = 0.1  # replies may take so much longer for reasons of this process
COMPLAINT_INTERVAL_SECONDS = 1.0
FREEZE_SECONDS = 60.0
STUCK_SECONDS = 10.0


class SessionLimit:
    """The number of sessions that may be open, at most *maximum*.

    It grows by about one while each session sends a mail, if mails wait for a session and the relay
    keeps up. It shrinks to half when the relay complains, and slowly while the replies to bodies
    take far longer than they did with fewer sessions. After a complaint it does not grow for a
    minute.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._allowed = float(min(maximum, FIRST_SESSIONS))
        self._mean: float | None = None
        self._best = 0.0
        self._complaint_time = -COMPLAINT_INTERVAL_SECONDS
        self._frozen_until = 0.0
        self._progress_time = 0.0
        self._was_refused = False

    @property
    def current(self) -> int:
        return int(self._allowed)

    def record_reply(self, seconds: float, now: float, *, is_needed: bool) -> None:
        """Record how long the relay took for a body; *is_needed*: mails wait for a session."""
        self._progress_time = now
        self._record_time(seconds)
        mean, best = self._mean or 0.0, self._best
        if is_needed and now >= self._frozen_until and mean <= best * GROWS_BELOW + SLACK_SECONDS:
            self._allowed = min(self._maximum, self._allowed + 1 / self._allowed)
        elif mean > best * SHRINKS_ABOVE + SLACK_SECONDS:
            least = min(self._allowed, MIN_FOR_SLOW_RELAY)
            self._allowed = max(least, self._allowed - 1 / self._allowed)

    def record_complaint(self, now: float) -> None:
        """Record that the relay throttles; complaints within a second are about one cause."""
        if now - self._complaint_time >= COMPLAINT_INTERVAL_SECONDS:
            self._shrink_to(self._allowed / 2, now)

    def record_refused_session(self, open_sessions: int, now: float) -> None:
        """Record that the relay refused a session beside *open_sessions* others."""
        self._was_refused = True
        self._shrink_to(min(self._allowed, open_sessions), now)

    def record_progress(self, now: float) -> None:
        """Record that a session was opened, or was free for another mail."""
        self._progress_time = now

    def is_stuck(self, now: float) -> bool:
        """Return whether lately no session was opened or free, and no body was answered."""
        return now - self._progress_time >= STUCK_SECONDS

    def retry_refused(self, now: float) -> None:
        """Allow a session more, once, if the relay refused one and the others are stuck now."""
        if self._was_refused and self.is_stuck(now):
            self._was_refused = False
            self._allowed = min(self._maximum, self._allowed + 1)

    def _shrink_to(self, allowed: float, now: float) -> None:
        self._allowed = max(1.0, allowed)
        self._complaint_time = now
        self._frozen_until = now + FREEZE_SECONDS

    def _record_time(self, seconds: float) -> None:
        if self._mean is None:
            self._mean = self._best = seconds
            return
        self._mean += (seconds - self._mean) * MEAN_WEIGHT
        self._best += (self._mean - self._best) * BEST_WEIGHT
        self._best = min(self._best, self._mean)
