"""The files of TLS of one listener."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gcsched.process.certificates import Certificate
from gcsched.process.key_pairs import (
    Authorities,
    KeyPair,
    read_authorities,
    read_file,
    read_key_pair,
)

Contents = tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerTls:
    """With what a listener serves TLS: its pair, and the authorities of callers or None."""

    pair: KeyPair
    authorities: Authorities | None = None

    @property
    def contents(self) -> Contents:
        """Return the contents of the files from which it was read."""
        own = (self.pair.chain, self.pair.key)
        return own if self.authorities is None else (*own, self.authorities.certificates)

    @property
    def certificates(self) -> dict[str, Certificate]:
        """Return each certificate whose end matters, by what it is."""
        found = {"server": self.pair.certificate}
        if self.authorities is not None:
            found["client_ca"] = self.authorities.certificate
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerFiles:
    """The paths of the files of a listener."""

    chain: Path
    key: Path
    authorities: Path | None = None

    def read(self, *, now: datetime) -> ListenerTls:
        """Read and check the files. Raises UnusableFile."""
        authorities = self.authorities
        return ListenerTls(
            pair=read_key_pair(self.chain, self.key, now=now),
            authorities=None if authorities is None else read_authorities(authorities, now=now),
        )

    def read_contents(self) -> Contents:
        """Return the contents of the files, unchecked. Raises UnusableFile."""
        return tuple(
            read_file(each) for each in (self.chain, self.key, self.authorities) if each is not None
        )
