"""TLS of a client: the files of its authorities and of its own certificate."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from gcsched.process.key_pairs import UnusableFile, read_chain, read_client_pair

SYSTEM_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)
"""Where systems keep their authorities, as Go looks for them."""

FilePath = str | os.PathLike[str]
Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Encrypt calls, and check the server's certificate.

    Without *ca_file*, the authorities of the system are trusted. *cert_file* and *key_file* are the
    client's own certificate, where the server requires one. *server_name* is the name in the
    server's certificate, if the client calls it by another one. All files are in PEM.
    """

    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    server_name: str = ""

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together; give both or none")

    def read_credentials(self) -> grpc.ChannelCredentials:
        """Read the files. Raises ValueError, which names the file."""
        roots = read_chain(Path(self.ca_file)) if self.ca_file is not None else read_system()
        chain = key = None
        if self.cert_file is not None and self.key_file is not None:
            chain, key = read_client_pair(Path(self.cert_file), Path(self.key_file))
        return grpc.ssl_channel_credentials(roots, key, chain)

    def channel_options(self) -> list[tuple[str, str]]:
        return [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []

    def read_stamps(self) -> tuple[Stamp, ...]:
        """Return what changes when a file does. Raises OSError."""
        files = (self.ca_file, self.cert_file, self.key_file)
        return tuple(read_stamp(each) for each in files if each is not None)


def read_stamp(file: FilePath) -> Stamp:
    # Behind the links of Kubernetes the file itself changes, and with it the inode.
    found = Path(file).stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_system() -> bytes | None:
    """Return the authorities of the system; None leaves the choice to gRPC, which brings some."""
    for file in (ssl.get_default_verify_paths().cafile, *SYSTEM_AUTHORITIES):
        if Path(file or "").is_file():  # none, despite its annotation, if the file is missing
            try:
                return read_chain(Path(file))
            except UnusableFile:
                continue
    return None
