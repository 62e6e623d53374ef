"""One mail on its way through the pool: it waits for a session, for the relay, for its permit."""

import asyncio
from collections.abc import Callable

from gcsched.adapters.smtp.conversation import CLAIM_LOST
from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.adapters.smtp.feedback import RelayFeedback
from gcsched.adapters.smtp.pipelining import IN_GROUP
from gcsched.adapters.smtp.session import Session
from gcsched.adapters.smtp.transaction import Stale, Step, Transaction
from gcsched.domain.smtp_reply import Answered, Transmission
from gcsched.usecases.ports import Begin


class PendingMail:
    """A mail that the pool sends, by one transaction after the other until one has an outcome.

    *on_session* is called when the mail has a session to itself, or may open one. *requeue* is
    called with this mail when it has to wait for a session once more.
    """

    def __init__(
        self,
        mail: EncodedMail,
        *,
        feedback: RelayFeedback,
        on_session: Callable[[], None] | None = None,
        requeue: Callable[["PendingMail"], None],
    ) -> None:
        self.mail = mail
        self.may_open = False  # a session, for which the pool has reserved a place
        self.was_tried = False  # it has waited already, and goes before the others
        self.prefers_new_session = False  # kept ones may all be dead, as the one that it had
        self._feedback = feedback
        self._on_session = on_session
        self._requeue = requeue
        self._may_follow = True
        self._is_trial = False
        self._lost_after: int | None = None  # how far its own group came
        self._choice = IN_GROUP
        self._session: Session | None = None
        self._transaction: Transaction | None = None
        self._result: Transmission | Stale | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def transaction(self) -> Transaction | None:
        """The latest transaction."""
        return self._transaction

    async def wait(self) -> None:
        """Wait until this mail may open a session, the relay waits for its body, or it is done."""
        while not (self.may_open or self._result is not None or self._is_awaiting_permit):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    async def complete(self, begin: Begin) -> Transmission | Stale:
        """Send the body once *begin* permits it; return what became of the mail.

        Without an outcome the mail is Stale. If this is cancelled, or *begin* raises, the session
        is closed; if *begin* has given the permit, the mail may have been sent.
        """
        await self.wait()
        if self._is_awaiting_permit and self._session is not None:
            permit = await begin()
            self._session.transmit(permit)
            if permit is None:
                return CLAIM_LOST  # also if the session was lost meanwhile
            await self.wait()
        return self._result or Stale()

    def try_again(self, result: Stale | None = None, *, mail: EncodedMail | None = None) -> None:
        """Forget what came to nothing, before the next attempt."""
        if result is not None:
            self.prefers_new_session = result.lost_after is None
            self._lost_after = result.lost_after if self._lost_after is None else self._lost_after
            self._may_follow = False
        self.mail = mail or self.mail
        self.was_tried = True
        self.forget()

    def forget(self) -> None:
        """Drop the transaction, which refers to this mail too."""
        self._session = self._transaction = self._result = None

    def give_up(self) -> None:
        """Stop sending this mail."""
        if self._session is not None and self._transaction is not None and self._result is None:
            self._session.give_up(self._transaction)
            if self._transaction.is_withdrawn:
                self._feedback.following.end(is_trial=self._is_trial, has_worked=None)

    # Called by the pool

    def start(self, session: Session) -> bool:
        """Begin a transaction in *session*, which is alive and free.

        Returns False if the relay does not offer what the mail needs: then it is done already.
        """
        self.note_session()
        mail = session.capabilities.select_form(self.mail)
        if (refusal := session.capabilities.find_refusal(mail)) is not None:
            self.conclude(Answered(refusal))
            return False
        self._choice = self._feedback.groups.choose(self._lost_after)
        session.start(self._begin_transaction(session, mail))
        return True

    def follow(self, session: Session) -> Transaction | None:
        """Return a transaction that follows the body in *session*; None: it cannot follow there."""
        mail = session.capabilities.select_form(self.mail)
        if not self._may_follow or session.capabilities.find_refusal(mail) is not None:
            return None
        self._is_trial = self._feedback.following.begin()
        self._choice = IN_GROUP
        return self._begin_transaction(session, mail)

    def open_session(self) -> None:
        """Open a session for this mail."""
        self.may_open = True
        self._wake()

    def conclude(self, outcome: Transmission) -> None:
        """End without a transaction."""
        self._result = outcome
        self._wake()

    def note_session(self) -> None:
        """Report, once, that this mail waits for the relay, and no more for other mails."""
        if self._on_session is not None:
            self._on_session()
            self._on_session = None

    # Called by the conversation

    def on_change(self) -> None:
        if self._transaction is None:
            return
        self._result = self._transaction.result
        if self._result is not None:
            self._feedback.learn(self._transaction, self._choice, is_trial=self._is_trial)
        self._wake()

    def on_turn(self) -> None:
        self.note_session()

    def on_withdrawn(self) -> None:
        self._may_follow = False
        self._feedback.following.withdraw(is_trial=self._is_trial)
        self.try_again()
        self._requeue(self)

    @property
    def _is_awaiting_permit(self) -> bool:
        return self._transaction is not None and self._transaction.step is Step.PERMIT

    def _begin_transaction(self, session: Session, mail: EncodedMail) -> Transaction:
        capabilities = session.capabilities
        self._session = session
        self._transaction = Transaction(
            mail=mail,
            commands=capabilities.envelope_commands(mail),
            in_group=self._choice.in_group and capabilities.pipelining,
            owner=self,
        )
        return self._transaction

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
