"""Clients files and tokens for tests; the format is written here anew, as the oracle."""

import base64
import hashlib
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def check_characters(text: str) -> str:
    number = zlib.crc32(text.encode("ascii"))
    return "".join(DIGITS[number // 62**place % 62] for place in range(5, -1, -1))


@dataclass(frozen=True, kw_only=True)
class TestToken:
    """A token as its caller has it, and its lines in the clients file."""

    __test__ = False

    id: str
    secret: str = field(
        default_factory=lambda: base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    )
    lines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return (start := f"gcs_{self.id}_{self.secret}") + check_characters(start)

    @property
    def bearer(self) -> tuple[tuple[str, str], ...]:
        """The metadata of a call with this token."""
        return (("authorization", f"Bearer {self.text}"),)

    @property
    def digest(self) -> str:
        """What the clients file has of the secret."""
        return hashlib.sha256(self.secret.encode("ascii")).hexdigest()

    def as_toml(self, client: str) -> str:
        lines = [f'[[clients."{client}".tokens]]', f'id = "{self.id}"', f'sha256 = "{self.digest}"']
        return "\n".join([*lines, *self.lines, ""])


def make_token() -> TestToken:
    """Return a token with an id of its own."""
    return TestToken(id=os.urandom(4).hex())


def client_toml(
    name: str, scopes: Iterable[str], *tokens: TestToken, lines: Iterable[str] = ()
) -> str:
    """Return the tables of a client; *lines* are more of its keys."""
    quoted = ", ".join(f'"{each}"' for each in scopes)
    table = "\n".join([f'[clients."{name}"]', f"scopes = [{quoted}]", *lines, ""])
    return table + "".join(each.as_toml(name) for each in tokens)


def write_clients(file: Path, *clients: str) -> Path:
    """Replace the clients file in one step, as the command line does."""
    new = file.with_name(f".{file.name}.new")
    new.write_text("\n".join(clients), encoding="utf-8")
    new.chmod(0o600)
    new.replace(file)
    return file
