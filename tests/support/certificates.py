"""Certificates of authorities made up for a test, and their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFiles:
    """The files of a certificate and its key."""

    chain: Path
    key: Path

    def write(self, pair: trustme.LeafCert) -> None:
        self.chain.write_bytes(chain_of(pair))
        self.key.write_bytes(pair.private_key_pem.bytes())

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings of gRPC, as a test passes them on."""
        return {"grpc_tls_cert_file": str(self.chain), "grpc_tls_key_file": str(self.key)}


def chain_of(pair: trustme.LeafCert) -> bytes:
    return b"".join(each.bytes() for each in pair.cert_chain_pems)


def write_pair(folder: Path, pair: trustme.LeafCert, *, name: str = "server") -> PairFiles:
    files = PairFiles(chain=folder / f"{name}.pem", key=folder / f"{name}.key")
    files.write(pair)
    return files


def write_authority(folder: Path, authority: trustme.CA, *, name: str = "ca.pem") -> Path:
    (folder / name).write_bytes(authority.cert_pem.bytes())
    return folder / name


def issue(
    authority: trustme.CA, *names: str, start: datetime = NOW - DAY, end: datetime = NOW + 365 * DAY
) -> trustme.LeafCert:
    """Issue a certificate for *names*, by default localhost."""
    return authority.issue_cert(*(names or ("localhost",)), not_before=start, not_after=end)


def channel_credentials(
    authority: trustme.CA, pair: trustme.LeafCert | None = None
) -> grpc.ChannelCredentials:
    """Return the credentials of a caller that trusts *authority*, and is *pair*."""
    own = (None, None) if pair is None else (pair.private_key_pem.bytes(), chain_of(pair))
    return grpc.ssl_channel_credentials(authority.cert_pem.bytes(), *own)


def issue_with(
    authority: trustme.CA, names: Sequence[x509.GeneralName], common_name: str = ""
) -> grpc.ChannelCredentials:
    """Return the credentials of a caller with just these *names*, in any combination."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    signer = load_pem_private_key(authority.private_key_pem.bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    subject = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    pem = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(), pem, certificate.public_bytes(encoding)
    )
