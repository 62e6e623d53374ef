"""A conversation without a socket: a test plays the relay, on a clock that stands still."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gcsched.adapters.smtp.conversation import Conversation
from gcsched.adapters.smtp.envelope import Capabilities, EncodedMail
from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.adapters.smtp.transaction import Stale, Step, Transaction
from gcsched.domain.permit import Permit
from gcsched.domain.smtp_reply import Transmission
from tests.support.clocks import FakeMonotonicClock
from tests.support.mails import CONTENT, a_mail

CAPABILITIES = Capabilities(pipelining=True)
READY = ("250 ok", "250 ok", "354 go on")
DATE = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def a_permit(seconds: float = 25.0) -> Permit:
    return Permit(until=time.monotonic() + seconds, date=DATE)


@dataclass(eq=False)
class Sender:
    """The owner of one mail; it records what its transaction tells it, and all *results*."""

    name: str
    content: bytes = CONTENT
    in_group: bool = True
    results: list[Transmission | Stale] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        mail = a_mail(recipient=f"{self.name}@example.org", content=self.content)
        encoded = EncodedMail.encode(mail)
        self.transaction = Transaction(
            mail=encoded,
            commands=CAPABILITIES.envelope_commands(encoded),
            in_group=self.in_group,
            owner=self,
        )

    @property
    def envelope(self) -> bytes:
        return b"MAIL FROM:<team@example.org>\r\nRCPT TO:<%b@example.org>\r\nDATA\r\n" % (
            self.name.encode()
        )

    @property
    def body(self) -> bytes:
        return self.content + b".\r\n"

    @property
    def awaits_permit(self) -> bool:
        return self.transaction.step is Step.PERMIT

    @property
    def result(self) -> Transmission | Stale | None:
        """The only result; None while there is none."""
        assert len(self.results) <= 1
        return self.results[0] if self.results else None

    def on_change(self) -> None:
        if (result := self.transaction.result) is not None:
            self.results.append(result)

    def on_turn(self) -> None:
        self.told.append("turn")

    def on_withdrawn(self) -> None:
        self.told.append("withdrawn")


@dataclass(eq=False)
class Peer:
    """The relay's end of a conversation; *unsent* octets wait in the buffers of the client."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    unsent: int = 0
    clock: FakeMonotonicClock = field(default_factory=FakeMonotonicClock)
    written: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.conversation = Conversation(
            timeouts=self.timeouts,
            write=self.written.append,
            count_unsent=lambda: self.unsent,
            now=self.clock,
        )

    def reply(self, *lines: str) -> None:
        """Send *lines* in one piece."""
        self.conversation.receive("".join(f"{line}\r\n" for line in lines).encode())

    def take_written(self) -> list[bytes]:
        """Return what was written since the last call, write by write."""
        written = [*self.written]
        self.written.clear()
        return written

    def forward(self, seconds: float) -> None:
        """Advance the clock; look at the deadlines as a session does when one has come."""
        self.clock.now += seconds
        if self.clock.now >= self.conversation.next_deadline:
            self.conversation.check_deadlines()

    # Mails

    def begin(self, sender: Sender) -> None:
        """Send the mail of *sender* up to the point where the relay waits for its body."""
        self.conversation.start(sender.transaction)
        if sender.in_group:
            self.reply(*READY)
        else:
            for line in READY:
                self.reply(line)
        assert sender.awaits_permit

    def transmit(self, sender: Sender, following: Sequence[Sender] = ()) -> None:
        """Write the body of *sender*, followed by the first of *following* that it takes."""
        assert self.conversation.current is sender.transaction
        waiting = iter([each.transaction for each in following])
        self.conversation.transmit(a_permit(), lambda: next(waiting, None))

    def follow(self, first: Sender, second: Sender) -> None:
        """Send the body of *first* with the envelope of *second* behind it."""
        self.begin(first)
        self.transmit(first, [second])
        assert self.conversation.following is second.transaction
        self.take_written()
