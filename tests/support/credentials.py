"""Certificates, tokens and files of clients, made without the code under test."""

import base64
import hashlib
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import trustme

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeToken:
    """A token, and what the file of clients keeps of it."""

    id: str
    text: str
    sha256: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.text}"),)


def make_token() -> MadeToken:
    """Make a token by its definition: ``gcs_<id>_<secret><check>``."""
    token_id = "".join(secrets.choice(ID_CHARACTERS) for _ in range(8))
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    body = f"gcs_{token_id}_{secret}"
    number, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        check = BASE62[digit] + check
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return MadeToken(id=token_id, text=body + check, sha256=digest)


@dataclass(kw_only=True)
class ClientEntry:
    """One client of the file."""

    scopes: Sequence[str] = ("schedule",)
    tokens: list[MadeToken] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)
    limits: str = ""


def write_clients(file: Path, clients: Mapping[str, ClientEntry]) -> None:
    """Replace *file* as an editor does: by another file of the same name."""
    lines = list[str]()
    for name, entry in clients.items():
        lines += [f"[clients.{name}]", f"scopes = {list(entry.scopes)!r}"]
        if entry.identities:
            lines.append(f"identities = {entry.identities!r}")
        if entry.limits:
            lines.append(f"limits = {{ {entry.limits} }}")
        for token in entry.tokens:
            lines += [f"[[clients.{name}.tokens]]", f'id = "{token.id}"']
            lines += [f'sha256 = "{token.sha256}"', "expires = 2099-01-01T00:00:00Z"]
    new = file.with_suffix(".new")
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new.chmod(0o600)
    new.replace(file)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """A pair on disk, replaced in two steps as many tools do."""

    cert: Path
    key: Path

    def write(self, issued: trustme.LeafCert) -> None:
        self.cert.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.key.chmod(0o600)


def client_credentials(
    authority: trustme.CA, issued: trustme.LeafCert | None = None
) -> grpc.ChannelCredentials:
    """Return the credentials of a caller that trusts *authority*, with its own certificate."""
    roots = authority.cert_pem.bytes()
    if issued is None:
        return grpc.ssl_channel_credentials(roots)
    chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
    return grpc.ssl_channel_credentials(roots, issued.private_key_pem.bytes(), chain)
