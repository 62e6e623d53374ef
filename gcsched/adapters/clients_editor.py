"""Change the file of clients: in one step, by one writer at a time, with its comments kept."""

import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array

from gcsched.adapters.clients_file import WRITABLE_BY_OTHERS, parse_clients, read_octets
from gcsched.domain.access import Client, Scope, Token
from gcsched.domain.client_registry import ClientRegistry
from gcsched.errors import SettingsProblems

OWNER_ONLY = 0o600
HEADER = re.compile(r"(?<=[^\n])\n(\[\[?clients\.)")


@dataclass(kw_only=True, eq=False)
class ClientsEditor:
    """The content of the file while it is locked; nothing is written before `save`."""

    path: Path
    document: tomlkit.TOMLDocument
    registry: ClientRegistry
    rights: os.stat_result | None = None
    """Those of the file so far; None: there is no file yet."""

    def add_token(self, client: Client, token: Token) -> None:
        """Add *token* to *client*, which gets the texts of *client* if the file lacks it."""
        tables: Any = self.document.setdefault("clients", tomlkit.table(is_super_table=True))
        if client.name not in tables:
            tables[client.name] = tomlkit.table()
        table = tables[client.name]
        set_texts(table, "scopes", [each for each in Scope if each in client.scopes])
        set_texts(table, "identities", client.identities)
        if client.note and table.get("note") != client.note:
            table["note"] = client.note
        append_token(table, token)

    def revoke(self, client: Client, token: Token, now: datetime) -> None:
        """Mark *token*, which *client* has, as revoked at *now*."""
        document: Any = self.document
        for each in document["clients"][client.name]["tokens"]:
            if each["id"] == token.id:
                each["revoked"] = now

    def save(self, expected: Mapping[str, Client]) -> None:
        """Write the file, which has to describe exactly the clients *expected* then."""
        octets = separate_tables(tomlkit.dumps(self.document)).encode()
        written = parse_clients(self.path, octets)
        if written.clients != expected:
            sentence = "cannot be changed without loss: its tables are in an unusual order"
            raise SettingsProblems([f"{self.path} {sentence}; write each client in one place"])
        replace_file(self.path, octets, self.rights)


@contextmanager
def edit_clients(path: Path) -> Iterator[ClientsEditor]:
    """Lock the file, and read it. Raises SettingsProblems, also if it is broken already."""
    # Behind a link the file itself is replaced, not the link.
    path = path.resolve()
    with lock_folder(path):
        octets, rights, registry = b"", None, ClientRegistry.of(())
        if path.exists():
            octets, rights = read_octets(path), path.stat()
            registry = parse_clients(path, octets)
        yield ClientsEditor(
            path=path, document=parse(path, octets), registry=registry, rights=rights
        )


def parse(path: Path, octets: bytes) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(octets)
    except TOMLKitError as error:
        raise SettingsProblems([f"{path} is not valid TOML: {error}"]) from error


@contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Hold the lock of all writers of files in the folder of *path*.

    The file itself cannot carry the lock, because each writer puts another file in its place.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        sentence = f"the folder {path.parent} cannot be opened: {error.strerror}"
        raise SettingsProblems([sentence]) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def separate_tables(text: str) -> str:
    """Return *text* with an empty line before each header of a client or a token."""
    return HEADER.sub(r"\n\n\1", text)


def replace_file(path: Path, octets: bytes, rights: os.stat_result | None) -> None:
    """Put a file with *octets* in the place of *path*: a reader sees the old one or the new one.

    It keeps owner and rights of the file before, so that the service can go on reading it.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                set_rights(descriptor, rights)
                file.write(octets)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsProblems([f"{path} cannot be written: {error.strerror}"]) from error
    sync_folder(path.parent)


def set_rights(descriptor: int, rights: os.stat_result | None) -> None:
    if rights is None:
        os.fchmod(descriptor, OWNER_ONLY)
        return
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (rights.st_uid, rights.st_gid):
        os.fchown(descriptor, rights.st_uid, rights.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(rights.st_mode) & ~WRITABLE_BY_OTHERS)


def sync_folder(folder: Path) -> None:
    """Make a new name in *folder* survive a power failure."""
    with suppress(OSError):  # some file systems have no such thing
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def set_texts(table: Any, key: str, texts: Collection[str]) -> None:
    """Add to the list *key* the texts that it lacks."""
    known: Any = table.get(key)
    if known is None:
        if texts:
            table[key] = list(texts)
        return
    for each in texts:
        if each not in known:
            known.append(each)


def append_token(table: Any, token: Token) -> None:
    tokens: Any = table.get("tokens")
    is_inline = isinstance(tokens, Array)
    entry: Any = tomlkit.inline_table() if is_inline else tomlkit.table()
    entry["id"] = token.id
    entry["sha256"] = token.digest.hex()
    for key, moment in (("created", token.create_time), ("expires", token.expire_time)):
        if moment is not None:
            entry[key] = moment
    if tokens is None:
        tokens = AoT([])
        tokens.append(entry)
        table["tokens"] = tokens
    else:
        tokens.append(entry)
