"""Any mails to a relay that does anything: no outcome claims more or less than the relay has."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.adapters.smtp.transaction import Stale, Transaction
from gcsched.domain.smtp_reply import Answered, Broken, Stage, Transmission
from tests.support.mails import CONTENT
from tests.support.relay.peer import Peer, Sender, a_permit

OK = "ok"
TO_COMMANDS = ["4xx", "5xx", "503", "421", "drop", "drop after", "silent", "354"]
TO_BODIES = [
    "4xx",
    "5xx",
    "421",
    "354",
    "drop",
    "keep and drop",
    "silent",
    "keep and fall silent",
    "discard what follows",
    "hang up on what follows",
]
CODES = {"4xx": 451, "5xx": 550, "503": 503, "421": 421, "354": 354}
POSITIVE = {b"RSET": 250, b"MAIL": 250, b"RCPT": 250, b"DATA": 354}


@dataclass(eq=False)
class ReferenceRelay:
    """One session of a relay: it reads what it gets, and does what *actions* say, one by one.

    *kept* has the recipient of each mail of which it got every octet, and which it took.
    """

    actions: Iterator[str]
    kept: list[str]
    buffer: bytes = b""
    recipient: str = ""
    reads_body: bool = False
    is_silent: bool = False
    has_hung_up: bool = False
    replies: list[bytes] = field(default_factory=list)

    def read(self, octets: bytes) -> bytes:
        """Take *octets*; return the replies to what is complete."""
        self.buffer += octets
        self.replies = []
        while not (self.is_silent or self.has_hung_up) and self.process_next():
            pass
        return b"".join(self.replies)

    def process_next(self) -> bool:
        end = b"\r\n.\r\n" if self.reads_body else b"\r\n"
        taken, found, rest = self.buffer.partition(end)
        if not found:
            return False
        self.buffer = rest
        if self.reads_body:
            self.reads_body = False
            self.end_body(next(self.actions, OK), is_complete=taken + b"\r\n" == CONTENT)
        else:
            self.answer_command(taken, next(self.actions, OK))
        return True

    def answer_command(self, line: bytes, action: str) -> None:
        verb = line[:4]
        if verb == b"DATA" and not self.recipient and action == OK:
            action = "503"
        if action == "drop":
            self.has_hung_up = True
        elif action == "silent":
            self.is_silent = True
        else:
            code = CODES.get(action, POSITIVE[verb])
            self.apply_command(verb, line, code)
            self.send(code)
            self.has_hung_up = action in {"drop after", "421"}

    def apply_command(self, verb: bytes, line: bytes, code: int) -> None:
        if verb in {b"RSET", b"MAIL"}:
            self.recipient = ""
        elif verb == b"RCPT" and code == 250:
            self.recipient = line.decode().partition("<")[2].partition("@")[0]
        self.reads_body = verb == b"DATA" and code == 354

    def end_body(self, action: str, *, is_complete: bool) -> None:
        if action == "hang up on what follows":
            action = "drop" if self.buffer else OK
        elif action not in TO_BODIES:
            action = OK
        if action in {OK, "keep and drop", "keep and fall silent", "discard what follows"}:
            assert is_complete
            self.kept.append(self.recipient)
        self.recipient = ""
        self.has_hung_up = action in {"drop", "keep and drop", "421"}
        self.is_silent = action in {"silent", "keep and fall silent"}
        if action == "discard what follows":
            self.buffer = b""
        if action in CODES:
            self.send(CODES[action])
        elif not (self.has_hung_up or self.is_silent):
            self.send(250)

    def send(self, code: int) -> None:
        self.replies.append(b"%d done\r\n" % code)


@dataclass(eq=False)
class Post:
    """Sends every mail until the relay accepts it, by one session after the other."""

    names: list[str]
    relay_actions: Iterator[str]
    loses_permit: Iterator[bool]
    outcomes: dict[str, list[Transmission]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    attempts: list[Sender] = field(default_factory=list)  # all that were ever begun
    begun: set[Sender] = field(default_factory=set)  # of these, the ones with a permit
    under_way: list[Sender] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outcomes = {name: [] for name in self.names}
        self.waiting = deque(self.names)
        self.single: set[str] = set()  # their group was lost
        self.alone: set[str] = set()  # they have followed a body once
        self.open_session()

    def open_session(self) -> None:
        self.peer = Peer()
        self.relay = ReferenceRelay(self.relay_actions, self.kept)

    def run(self) -> None:
        for _ in range(1000):
            if not (self.waiting or self.under_way):
                return
            self.proceed()
            self.exchange()
            self.collect()
        raise AssertionError("a mail waits for ever")

    def proceed(self) -> None:
        """Begin a mail in a free session; give the permit; or let time pass."""
        conversation = self.peer.conversation
        if conversation.lost_reason is not None:
            self.open_session()
        elif conversation.is_free and self.waiting:
            self.peer.conversation.start(self.make_sender().transaction)
        elif expected := [each for each in self.under_way if each.awaits_permit]:
            (sender,) = expected
            if next(self.loses_permit, False):
                conversation.transmit(None)
            else:
                self.begun.add(sender)
                conversation.transmit(a_permit(), self.take_following)
        elif conversation.next_deadline < float("inf"):
            self.peer.forward(conversation.next_deadline - self.peer.clock.now)

    def make_sender(self) -> Sender:
        name = self.waiting.popleft()
        sender = Sender(name, in_group=name not in self.single)
        self.attempts.append(sender)
        self.under_way.append(sender)
        return sender

    def take_following(self) -> Transaction | None:
        if not self.waiting or self.waiting[0] in self.alone | self.single:
            return None
        self.alone.add(self.waiting[0])
        return self.make_sender().transaction

    def exchange(self) -> None:
        """Carry octets between both sides until neither has more to say."""
        while written := b"".join(self.peer.take_written()):
            if replies := self.relay.read(written):
                self.peer.conversation.receive(replies)
        if self.relay.has_hung_up:
            self.peer.conversation.lose("the connection closed")

    def collect(self) -> None:
        """Take the results of mails that are done, and put those back that are not accepted."""
        for sender in [*self.under_way]:
            if "withdrawn" in sender.told:
                self.under_way.remove(sender)
                self.waiting.appendleft(sender.name)
            elif sender.result is not None:
                self.under_way.remove(sender)
                self.take_result(sender, sender.result)

    def take_result(self, sender: Sender, result: Transmission | Stale) -> None:
        if isinstance(result, Stale):
            if result.lost_after is not None:
                self.single.add(sender.name)
            assert sender not in self.begun
        else:
            self.outcomes[sender.name].append(result)
        if not is_accepted(result):
            self.waiting.append(sender.name)


def is_accepted(result: object) -> bool:
    is_at_dot = isinstance(result, Answered) and result.reply.stage is Stage.BODY
    return is_at_dot and isinstance(result, Answered) and result.reply.code == 250


def is_uncertain(result: object) -> bool:
    return isinstance(result, Broken) and result.stage is Stage.BODY


# Most of what a relay does is what it should do: else no mail would get far.
ACTIONS = st.sampled_from([OK] * 20 + TO_COMMANDS + TO_BODIES * 2)


@given(
    count=st.integers(1, 8),
    actions=st.lists(ACTIONS, max_size=60),
    permits=st.lists(st.sampled_from([False, False, False, True]), max_size=10),
)
@settings(deadline=None, max_examples=150)
def test_outcomes_are_true_whatever_the_relay_does(
    count: int, actions: list[str], permits: list[bool]
) -> None:
    post = Post([f"r{number}" for number in range(count)], iter(actions), iter(permits))

    post.run()

    copies = Counter(post.kept)
    for name, outcomes in post.outcomes.items():
        uncertain = sum(map(is_uncertain, outcomes))
        assert is_accepted(outcomes[-1])  # the relay runs out of bad ideas, so all get there
        assert sum(map(is_accepted, outcomes)) == 1
        # Each copy has an acceptance, or an outcome that says that there may be one.
        assert 1 <= copies[name] <= 1 + uncertain
    for sender in post.attempts:
        is_withdrawn = "withdrawn" in sender.told
        assert len(sender.results) == (not is_withdrawn)
        # Uncertain are exactly those whose body had begun and whose reply was lost.
        assert not is_uncertain(sender.result) or sender in post.begun
