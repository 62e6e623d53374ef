"""What the mails to one relay have shown about it: how to send the next ones."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gcsched.adapters.smtp.pipelining import FollowingPolicy, PipeliningChoice, PipeliningPolicy
from gcsched.adapters.smtp.session_limit import SessionLimit
from gcsched.adapters.smtp.transaction import Stale, Transaction
from gcsched.domain.smtp_reply import OK, Answered, is_throttling


@dataclass(kw_only=True, eq=False)
class RelayFeedback:
    """The three things that one relay teaches: groups, mails that follow, and sessions.

    *is_needed* returns whether mails wait for a session, *clock* is monotonic.
    """

    relay: str
    limit: SessionLimit
    is_needed: Callable[[], bool]
    clock: Callable[[], float]
    groups: PipeliningPolicy = field(init=False)
    following: FollowingPolicy = field(init=False)

    def __post_init__(self) -> None:
        self.groups = PipeliningPolicy(relay=self.relay)
        self.following = FollowingPolicy(relay=self.relay)

    @property
    def may_follow(self) -> bool:
        """Whether a mail may be sent behind the body of another one."""
        return self.following.may_follow and self.groups.is_undoubted

    def learn(self, transaction: Transaction, choice: PipeliningChoice, *, is_trial: bool) -> None:
        """Learn from *transaction*, which is done; *is_trial*: it tried if mails may follow."""
        if transaction.is_following:
            has_worked = transaction.has_followed
            if has_worked is None and is_trial:
                has_worked = False  # the session was lost: perhaps because of the trial
            self.following.end(is_trial=is_trial, has_worked=has_worked)
        else:
            self.groups.learn(transaction.progress, choice)
        if transaction.reply_seconds is not None:
            self.following.record_reply(transaction.reply_seconds)
            self.limit.record_reply(
                transaction.reply_seconds, self.clock(), is_needed=self.is_needed()
            )
        if is_complaint(transaction):
            self.limit.record_complaint(self.clock())


def is_complaint(transaction: Transaction) -> bool:
    """Return whether the relay replied that it gets too much.

    The 421 of a kept session that had timed out is none: that mail is sent again.
    """
    outcome = transaction.outcome
    return (
        isinstance(outcome, Answered)
        and outcome.reply.code not in OK  # cheaper than the rest, for most replies
        and is_throttling(outcome.reply)
        and not isinstance(transaction.result, Stale)
    )
