"""One session of the tests' relay: parses strictly, replies as scripted."""

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from tests.support.relay.script import (
    Action,
    Answer,
    At,
    BodyStart,
    Drop,
    Hang,
    KeptMail,
    Late,
    Raw,
    StopReading,
    Trickle,
    code_of,
    find_problems,
    hangs_up,
)
from tests.support.relay.wire import Disconnected, Wire

if TYPE_CHECKING:
    from tests.support.relay.server import Relay

PATH = r'((?:"(?:[^"\\]|\\.)*"@)?[^<>\s"]+)'  # RFC 5321 section 4.1.2
MAIL = re.compile(rf"FROM:<{PATH}?>((?: \S+)*)", re.IGNORECASE)
RCPT = re.compile(rf"TO:<{PATH}>", re.IGNORECASE)
LAST_OF_A_GROUP = {"EHLO", "HELO", "DATA", "AUTH", "STARTTLS", "QUIT", "NOOP"}  # RFC 2920, 3.1
ALWAYS_UNDERSTOOD = {"EHLO", "HELO", "RSET", "NOOP", "QUIT"}
MAX_COMMAND_OCTETS = 1024


class Refusal(Exception):
    """The relay refuses a command, independent of the script."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class ServerSession:
    """The state of one connected client."""

    def __init__(self, wire: Wire, relay: "Relay") -> None:
        self.wire, self.relay = wire, relay
        self.is_secure = self.relay.security == "tls"
        self.is_logged_in = not self.relay.users
        self.has_ehlo = self.is_in_group = False
        self.handlers: dict[str, Callable[[str], Awaitable[None]]] = {
            "EHLO": self.on_ehlo,
            "HELO": self.on_helo,
            "STARTTLS": self.on_starttls,
            "AUTH": self.on_auth,
            "MAIL": self.on_mail,
            "RCPT": self.on_rcpt,
            "DATA": self.on_data,
            "RSET": self.on_rset,
            "NOOP": self.on_noop,
            "QUIT": self.on_quit,
        }
        self.reset()

    def reset(self) -> None:
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.parameters: dict[str, str] = {}
        self.needs_rset = False
        self.has_rset = False

    async def serve(self) -> None:
        try:
            with suppress(Disconnected, OSError):
                await self.reply(At.CONNECT, 220, "relay.test ESMTP ready")
                while True:
                    await self.process(await self.wire.read_until(b"\n"))
        finally:
            self.wire.close()

    async def process(self, line: bytes) -> None:
        verb, _, rest = line.rstrip(b"\r\n").decode("utf-8", "replace").partition(" ")
        verb = verb.upper()
        self.relay.commands.append((self.wire.number, verb))
        self.inspect(line, verb)
        if self.relay.loses_pipelined:
            self.wire.buffer.clear()
        was_in_group, self.is_in_group = self.is_in_group, bool(self.wire.buffer)
        try:
            self.refuse_groups(is_in_group=was_in_group)
            await self.handle(verb, rest)
        except Refusal as refused:
            self.write_reply(refused.code, refused.text)

    def refuse_groups(self, *, is_in_group: bool) -> None:
        if is_in_group and self.relay.refuses_groups:
            raise Refusal(503, "5.5.1 bad sequence of commands")

    async def handle(self, verb: str, rest: str) -> None:
        if self.needs_rset and verb not in ALWAYS_UNDERSTOOD:
            raise Refusal(503, "5.5.1 send RSET first")
        if verb not in self.handlers:
            self.add_violation(f"an unknown command: {verb}")
            raise Refusal(500, "5.5.2 unknown command")
        await self.handlers[verb](rest)

    def inspect(self, line: bytes, verb: str) -> None:
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            self.add_violation(f"{verb} does not end with CRLF alone")
        if len(line) > MAX_COMMAND_OCTETS:
            self.add_violation(f"{verb} is {len(line)} octets long")
        if not line.isascii() and b"SMTPUTF8" not in line and "SMTPUTF8" not in self.parameters:
            self.add_violation(f"{verb} is not ASCII")
        may_group = self.has_ehlo and "PIPELINING" in self.relay.offers
        if self.wire.buffer and (verb in LAST_OF_A_GROUP or not may_group):
            self.add_violation(f"sent more before the reply to {verb}")

    def greet(self, name: str) -> None:
        self.reset()
        self.relay.ehlo_names.append(name)
        if self.relay.refuses_literals is not None and name.startswith("["):
            raise Refusal(self.relay.refuses_literals, "5.5.2 need a fully qualified hostname")

    async def on_ehlo(self, name: str) -> None:
        self.greet(name)
        lines = ["relay.test", *sorted(self.relay.offers)]
        if self.relay.size is not None:
            lines.append(f"SIZE {self.relay.size}")
        if self.relay.security == "starttls" and not self.is_secure:
            lines.append("STARTTLS")
        elif self.relay.users:
            lines.append(f"AUTH {self.relay.mechanisms}")
        await self.reply(At.EHLO, 250, "\n".join(lines), then=self.accept_ehlo)

    async def on_helo(self, name: str) -> None:
        self.greet(name)
        self.write_reply(250, "relay.test")

    def accept_ehlo(self) -> None:
        self.has_ehlo = True

    async def on_starttls(self, _: str) -> None:
        if await self.reply(At.TLS, 220, "2.0.0 go ahead") == 220:
            assert self.relay.tls is not None
            await self.wire.start_tls(self.relay.tls)
            self.is_secure, self.has_ehlo = True, False

    async def on_auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if mechanism.upper() not in self.relay.mechanisms.split():
            raise Refusal(504, "5.5.4 unknown mechanism")
        if mechanism.upper() == "PLAIN":
            _, user, password = decode_base64(initial or await self.challenge("")).split("\0")
        else:
            user = decode_base64(initial or await self.challenge("VXNlcm5hbWU6"))
            password = decode_base64(await self.challenge("UGFzc3dvcmQ6"))
        if self.relay.users.get(user) == password:
            await self.reply(At.AUTH, 235, "2.7.0 welcome", then=self.accept_login)
        else:
            await self.reply(At.AUTH, 535, "5.7.8 wrong user or password")

    async def challenge(self, challenge: str) -> str:
        self.write_reply(334, challenge)
        return (await self.wire.read_until(b"\n")).strip().decode()

    def accept_login(self) -> None:
        self.is_logged_in = True

    async def on_mail(self, rest: str) -> None:
        found = MAIL.fullmatch(rest)
        pairs = found[2].upper().split() if found else []
        parameters = {each.partition("=")[0]: each.partition("=")[2] for each in pairs}
        offered = {"SIZE"} if self.relay.size is not None else set()
        offered |= {"BODY"} if "8BITMIME" in self.relay.offers else set()
        offered |= {"SMTPUTF8"} & self.relay.offers
        if found is None or set(parameters) - offered:
            self.add_violation("MAIL with a wrong or unoffered parameter")
            raise Refusal(555, "5.5.4 cannot read that")
        if self.sender is not None:
            if not self.has_rset:
                self.add_violation("MAIL inside of a transaction")
            raise Refusal(503, "5.5.1 nested MAIL")
        if not self.is_logged_in:
            raise Refusal(530, "5.7.0 log in first")
        if self.relay.size and int(parameters.get("SIZE", "0")) > self.relay.size:
            raise Refusal(552, "5.3.4 too large")
        await self.reply(
            At.MAIL, 250, "2.1.0 ok", then=partial(self.start_mail, found[1] or "", parameters)
        )

    def start_mail(self, sender: str, parameters: dict[str, str]) -> None:
        self.sender, self.parameters = sender, parameters

    async def on_rcpt(self, rest: str) -> None:
        found = RCPT.fullmatch(rest)
        if found is None:
            self.add_violation("RCPT with a wrong address or a parameter")
            raise Refusal(501, "5.5.4 cannot read that")
        if self.sender is None:
            raise Refusal(503, "5.5.1 MAIL first")
        to = found[1].lower()
        await self.reply(At.RCPT, 250, "2.1.5 ok", to=to, then=partial(self.recipients.append, to))

    async def on_data(self, _: str) -> None:
        if not self.recipients and not self.relay.always_354:
            raise Refusal(503, "5.5.1 no valid recipients")
        if await self.reply(At.DATA, 354, "go on", to="".join(self.recipients[:1])) != 354:
            return
        if await self.wire.wait_for_data():
            for to in self.recipients:
                self.relay.record_body(BodyStart(recipient=to, time=time.monotonic()))
        self.wire.buffer[:0] = b"\r\n"
        raw = await self.wire.read_until(b"\r\n.\r\n")
        await self.accept_content(re.sub(rb"\r\n\.", b"\r\n", raw[:-3])[2:])

    async def accept_content(self, content: bytes) -> None:
        self.relay.violations.extend(find_problems(content, self.parameters))
        sender, recipients = self.sender or "", self.recipients
        self.reset()
        if not recipients:
            raise Refusal(554, "5.5.1 no valid recipients")
        if self.relay.size and len(content) > self.relay.size:
            raise Refusal(552, "5.3.4 too large")
        keep = partial(self.record_mails, sender, recipients, content)
        await self.reply(At.BODY, 250, "2.0.0 kept", to=recipients[0], then=keep)

    def record_mails(self, sender: str, recipients: list[str], content: bytes) -> None:
        now, session = time.time(), self.wire.number
        for to in recipients:
            self.relay.record_mail(
                KeptMail(sender=sender, recipient=to, content=content, time=now, session=session)
            )

    async def on_rset(self, _: str) -> None:
        # Also if the script refuses RSET: the client has done nothing wrong.
        self.has_rset = True
        await self.reply(At.RSET, 250, "2.0.0 forgotten", then=self.reset)

    async def on_noop(self, _: str) -> None:
        self.write_reply(250, "2.0.0 ok")

    async def on_quit(self, _: str) -> None:
        await self.reply(At.QUIT, 221, "2.0.0 bye")
        raise Disconnected

    def add_violation(self, text: str) -> None:
        self.relay.violations.append(text)

    def write_reply(self, code: int, text: str) -> None:
        self.wire.write(format_reply(code, text))

    async def reply(
        self, at: At, code: int, text: str, *, to: str = "", then: Callable[[], None] | None = None
    ) -> int:
        """Send this reply or the script's; call *then* before it, if that is positive."""
        action = self.relay.decide(at, self.wire.number, to)
        outcome = code_of(action, code)
        if then is not None and 200 <= outcome < 300:
            then()
        self.needs_rset |= self.relay.requires_rset and at in {At.MAIL, At.RCPT} and outcome >= 400
        if isinstance(action, Late):
            await asyncio.sleep(action.seconds)
        await self.perform(action, format_reply(code, text))
        return outcome

    async def perform(self, action: Action | None, ordinary: bytes) -> None:
        write = self.wire.write
        match action:
            case None | Late() | Drop(after=True):
                write(ordinary)
            case Answer(code, text):
                write(format_reply(code, text))
            case Raw(octets):
                write(octets)
            case StopReading():
                write(ordinary)
                self.wire.transport.pause_reading()
            case Trickle(every):
                for octet in ordinary:
                    write(bytes([octet]))
                    await asyncio.sleep(every)
            case Hang(None):
                await asyncio.wait([self.wire.closed])
            case Hang(asyncio.Event() as until):
                await until.wait()
                write(ordinary)
        if hangs_up(action):
            raise Disconnected


def format_reply(code: int, text: str) -> bytes:
    *first, last = text.split("\n")
    lines = [*(f"{code}-{line}\r\n" for line in first), f"{code} {last}\r\n"]
    return "".join(lines).encode()


def decode_base64(text: str) -> str:
    return base64.b64decode(text).decode()
