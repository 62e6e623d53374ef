"""Random requests for allowed and other recipients, and which of these may get a mail."""

import random
import time
from dataclasses import dataclass, field

import idna

from gcsched.pb import task_pb2
from tests.support.relay.script import Action, Answer, At, Drop, LoseReply, Moment

STAGING = "staging@safe.test"
RESTRICTIONS: dict[str, dict[str, str]] = {
    "redirect": {"redirect_to": STAGING},
    "allowed": {"allowed_recipients": "qa@lab.test, safe.test, bücher.test"},
    "both": {"redirect_to": "staging@lab.test", "allowed_recipients": "safe.test"},
}
ALLOWED = (
    *("qa@lab.test", "QA@LAB.test", "{}@safe.test", "{}@Safe.Test", "{}@a.b.safe.test"),
    *("{}@bücher.test", "{}@xn--bcher-kva.test", "zoë.{}@safe.test", '"a {}"@safe.test'),
    *('"{}@evil.test"@safe.test', "{}%evil.test@safe.test"),
)
OTHERS = (
    *("{}@lab.test", "qa@x.lab.test", "{}@notsafe.test", "{}@safe.test.evil.test", "{}@evil.test"),
    *(
        '"qa@lab.test"@evil.test',
        "{}@bucher.test",
        "{}@xn--bcher-kva.evil.test",
        "zoë.{}@evil.test",
    ),
    *("qa@lab.example.org", "{}@s\u0430fe.test", "safe.test@evil.test", "用户{}@例え.test"),
)
NAMES = ("", "Ada", "Zoë O'Neil", "<b>Ada</b> & Bob", "名前", "=?utf-8?q?x?=")
REPLY_TO = ("", "", "hr@evil.test", "chloé@evil.test")


@dataclass(kw_only=True)
class Requests:
    """Makes the requests of one seed."""

    chance: random.Random
    number: int = 0
    made: list[task_pb2.MeetRequest] = field(default_factory=list)

    def make(self) -> task_pb2.MeetRequest:
        """Make a request for an allowed or another recipient; one in twenty repeats another."""
        chance = self.chance
        if self.made and chance.random() < 0.05:
            return chance.choice(self.made)
        self.number += 1
        pattern = chance.choice(ALLOWED if chance.random() < 0.4 else OTHERS)
        now = int(time.time())
        timestamp = chance.choice((0, now - 60, now, now, now + 1))
        template = chance.choice(("", "doc", "room"))
        request = task_pb2.MeetRequest(
            empid=f"E{self.number}",
            emailID=pattern.format(f"n{self.number}"),
            message=chance.choice(("Stand-up", "Größe & <Farbe>", "x" * 300)),
            empName=chance.choice(NAMES),
            timestamp=timestamp,
            template=template,
            variables={"room": "<4>"} if template == "room" else {},
            request_id=f"R{self.number}" if chance.random() < 0.3 else "",
            not_after=now + 7 * 86_400 if chance.random() < 0.2 else 0,
            reply_to=chance.choice(REPLY_TO),
            labels={"k": "v"} if chance.random() < 0.2 else {},
            priority=chance.choice((task_pb2.NORMAL, task_pb2.URGENT)),
            validate_only=chance.random() < 0.1,
        )
        self.made.append(request)
        return request


@dataclass(kw_only=True)
class Refusals:
    """Refuses, defers and breaks off a share of the conversations; none asks for a long wait."""

    chance: random.Random
    share: float = 0.1

    def __call__(self, moment: Moment) -> Action | None:
        actions: dict[str, tuple[Action, ...]] = {
            At.RCPT: (
                Answer(550, "5.1.1 no such user"),
                Answer(550, "5.7.1 not from you"),
                Answer(450, "4.2.1 busy"),
                Drop(),
            ),
            At.BODY: (Answer(451, "4.3.0 no"), Answer(554, "5.6.0 no"), LoseReply(), Drop()),
        }
        if moment.at not in actions or self.chance.random() >= self.share:
            return None
        return self.chance.choice(actions[moment.at])


def is_allowed(address: str) -> bool:
    """Return whether the list of "allowed" has *address*, whose domain has A-labels."""
    local, _, domain = address.lower().rpartition("@")
    within = (".safe.test", ".xn--bcher-kva.test")
    return (local, domain) == ("qa", "lab.test") or f".{domain}".endswith(within)


def as_envelope(address: str) -> str:
    """Return *address* with its domain as A-labels."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{idna.encode(domain, uts46=True).decode()}"


def may_get_mail(restriction: str, address: str) -> bool:
    """Return whether a mail to *address* in the envelope is right."""
    if "redirect_to" in RESTRICTIONS[restriction]:
        return address == RESTRICTIONS[restriction]["redirect_to"]
    return is_allowed(address)


def is_accepted(restriction: str, address: str) -> bool:
    """Return whether a request for *address* is right."""
    envelope = as_envelope(address)
    if restriction == "both":
        return f".{envelope.lower().rpartition('@')[2]}".endswith(".safe.test")
    return restriction == "redirect" or is_allowed(envelope)
