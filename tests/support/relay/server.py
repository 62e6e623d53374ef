"""A real SMTP server that follows a script, and keeps a ledger of all mails that it accepted.

In a test:     async with Relay() as relay:
                   relay.script(At.RCPT, Answer(450, "4.2.0 later"), nth=3)
As a process:  python -m tests.support.relay.server --port 2525 --ledger kept.jsonl
               [--seed 7 --share 0.1]
It parses strictly: each violation of the protocol by a client is in `violations`.
"""

import argparse
import asyncio
import ssl
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import trustme
import uvloop

from gcsched.adapters.smtp.relay_settings import RelaySettings, Security
from tests.support.connections import ListeningSocket
from tests.support.relay.script import (
    Action,
    Answer,
    At,
    BodyStart,
    Drop,
    Faults,
    Greylist,
    Hang,
    KeptMail,
    Late,
    LoseReply,
    Moment,
    Raw,
    Rule,
    ScriptedRule,
    SlowReplies,
    StopReading,
    Throttle,
    Trickle,
)
from tests.support.relay.session import ServerSession
from tests.support.relay.wire import Wire

__all__ = [
    "Action",
    "Answer",
    "At",
    "Drop",
    "Faults",
    "Greylist",
    "Hang",
    "KeptMail",
    "Late",
    "LoseReply",
    "Moment",
    "Raw",
    "Relay",
    "Rule",
    "ScriptedRule",
    "StopReading",
    "Throttle",
    "Trickle",
    "relay_command",
]


@dataclass(kw_only=True, eq=False)
class Relay:
    """Listens on 127.0.0.1; all sessions share one script."""

    port: int = 0
    security: str = "none"  # none, starttls, tls
    offers: frozenset[str] = frozenset({"PIPELINING", "8BITMIME", "SMTPUTF8"})
    size: int | None = 10_000_000  # None: SIZE is not offered
    users: Mapping[str, str] = field(default_factory=dict)  # with users, MAIL needs a login
    mechanisms: str = "PLAIN LOGIN"
    certificate_for: str = "127.0.0.1"
    loses_pipelined: bool = False  # discards octets that arrive together with a command
    refuses_groups: bool = False  # answers 503 to commands in a group, except the first
    requires_rset: bool = False  # after a refused MAIL or RCPT: 503 to everything until RSET
    always_354: bool = False  # accepts DATA even without a recipient
    refuses_literals: int | None = None  # with this code, in EHLO and HELO
    ledger_file: Path | None = None
    bodies_file: Path | None = None
    ledger: list[KeptMail] = field(default_factory=list, init=False)
    bodies: list[BodyStart] = field(default_factory=list, init=False)  # of kept mails and others
    violations: list[str] = field(default_factory=list, init=False)
    commands: list[tuple[int, str]] = field(default_factory=list, init=False)  # (session, verb)
    ehlo_names: list[str] = field(default_factory=list, init=False)  # of EHLO and HELO
    applied_actions: list[tuple[Moment, Action]] = field(default_factory=list, init=False)
    sessions: int = field(default=0, init=False)  # ever opened
    most_open: int = field(default=0, init=False)  # at the same time

    def __post_init__(self) -> None:
        self._rules: list[Rule] = []
        self._counts: Counter[str] = Counter()
        self._wires: set[Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="relay-", ignore_cleanup_errors=True)
        self.ca_file = Path(self._folder.name, "ca.pem")
        self.tls = None if self.security == "none" else self._certificate()
        # Line by line, so that a killed relay has written all mails that it kept.
        self._file = self.ledger_file.open("a", buffering=1) if self.ledger_file else None
        self._bodies = self.bodies_file.open("a", buffering=1) if self.bodies_file else None

    async def __aenter__(self) -> Self:
        self._listening = ListeningSocket(self.port)
        self.port = self._listening.port
        self._server = await asyncio.get_running_loop().create_server(
            self._make_wire,
            sock=self._listening,
            ssl=self.tls if self.security == "tls" else None,
            backlog=1024,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._listening.stop(self._server)
        for file in (self._file, self._bodies):
            if file is not None:
                file.close()
        closing = [wire.closed for wire in self._wires]
        self.drop_all()
        for task in self._tasks:
            task.cancel()
        await self._listening.end_connections()
        if closing or self._tasks:
            await asyncio.wait([*closing, *self._tasks])
        self._folder.cleanup()

    def settings(self, **others: Any) -> RelaySettings:
        """Return the settings of a client of this relay; *others* replace some of them."""
        ca_file = None if self.tls is None else self.ca_file
        defaults = {"host": "127.0.0.1", "port": self.port, "ca_file": ca_file}
        return RelaySettings(**{**defaults, "security": Security(self.security), **others})

    # Scripting

    def script(self, at: str, action: Action, *, nth: int | None = None, to: str = "") -> None:
        """Do *action* the *nth* time at this stage, or each time; *to*: for this recipient only."""
        self.add_rule(ScriptedRule(at=at, action=action, nth=nth, to=to))

    def add_rule(self, rule: Rule) -> None:
        """Call *rule* at every stage; the first rule that returns an action wins."""
        self._rules.append(rule)

    def clear_rules(self) -> None:
        """Remove all rules."""
        self._rules.clear()

    def drop_all(self) -> None:
        """Hang up on every session."""
        for wire in self._wires:
            wire.transport.abort()

    def send_to_all(self, octets: bytes) -> None:
        """Send *octets* to every client, without a command."""
        for wire in self._wires:
            wire.write(octets)

    # Reading

    @property
    def open(self) -> int:
        return len(self._wires)

    @property
    def per_recipient(self) -> dict[str, list[KeptMail]]:
        found: dict[str, list[KeptMail]] = defaultdict(list)
        for kept in self.ledger:
            found[kept.recipient].append(kept)
        return dict(found)

    @property
    def unread(self) -> bytes:
        """Return the octets that wait behind the command that is being answered."""
        return b"".join(bytes(wire.buffer) for wire in self._wires)

    @property
    def open_sessions(self) -> set[int]:
        """Return the numbers of the sessions that are open."""
        return {wire.number for wire in self._wires}

    def discard_unread(self, session: int) -> bytes:
        """Discard what waits behind the command of *session* that is being answered; return it."""
        (wire,) = [wire for wire in self._wires if wire.number == session]
        unread = bytes(wire.buffer)
        wire.buffer.clear()
        return unread

    def count_commands(self, verb: str) -> int:
        """Return how often clients sent *verb*."""
        return sum(sent == verb for _, sent in self.commands)

    # Called by the sessions

    def decide(self, at: str, session: int, recipient: str) -> Action | None:
        self._counts[at] += 1
        moment = Moment(at=at, nth=self._counts[at], session=session, recipient=recipient)
        for rule in self._rules:
            if (action := rule(moment)) is not None:
                self.applied_actions.append((moment, action))
                return action
        return None

    def record_body(self, body: BodyStart) -> None:
        self.bodies.append(body)
        if self._bodies is not None:
            self._bodies.write(body.as_json() + "\n")

    def record_mail(self, kept: KeptMail) -> None:
        self.ledger.append(kept)
        if self._file is not None:
            self._file.write(kept.as_json() + "\n")

    def _on_open(self, wire: Wire) -> None:
        self._wires.add(wire)
        self.most_open = max(self.most_open, len(self._wires))
        task = asyncio.get_running_loop().create_task(ServerSession(wire, self).serve())
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_close(self, wire: Wire) -> None:
        self._wires.discard(wire)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.violations.append(f"the relay itself failed: {error!r}")

    def _make_wire(self) -> Wire:
        self.sessions += 1
        return Wire(self.sessions, on_open=self._on_open, on_close=self._on_close)

    def _certificate(self) -> ssl.SSLContext:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(self.certificate_for).configure_cert(context)
        return context


def relay_command(*, port: int, ledger: Path, others: Sequence[str] = ()) -> list[str]:
    """Return the command line of a relay as a process; start it in the repository's root."""
    options = ["--port", str(port), "--ledger", str(ledger), *others]
    return [sys.executable, "-m", "tests.support.relay.server", *options]


async def serve(options: argparse.Namespace) -> None:
    async with Relay(
        port=options.port, ledger_file=options.ledger, bodies_file=options.bodies
    ) as relay:
        if options.slow:
            relay.add_rule(SlowReplies(seed=options.seed or 0, longest=options.slow))
        elif options.seed is not None:
            relay.add_rule(Faults(seed=options.seed, share=options.share))
        sys.stdout.write(f"listening on {relay.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--bodies", type=Path, help="file for the start times of bodies")
    parser.add_argument("--slow", type=float, default=0.0, help="seconds that a reply may take")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--share", type=float, default=0.1)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
