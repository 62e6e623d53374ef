"""The token that a client sends with each call: given, or read from a file."""

import os
from pathlib import Path

Metadata = tuple[tuple[str, str], ...]
Stamp = tuple[int, int, int, int]


class TokenSource:
    """Gives each call its metadata. A file is read again when it changes, without a restart.

    Raises ValueError if the token or its file cannot be used. No error shows the token.
    """

    def __init__(self, token: str | None, token_file: str | os.PathLike[str] | None) -> None:
        if token is not None and token_file is not None:
            raise ValueError("token and token_file are given; give one of them")
        self._file = None if token_file is None else Path(token_file)
        self._stamp: Stamp | None = None
        self._metadata = None if token is None else build_metadata(token, "token")
        if self._file is not None:
            try:
                self._refresh(self._file)
            except OSError as error:
                raise ValueError(f"token_file {self._file}: {error.strerror}") from error

    def metadata(self) -> Metadata | None:
        """Return the metadata of the next call; the last good token stays if the file breaks."""
        if self._file is not None:
            try:
                self._refresh(self._file)
            except (OSError, ValueError):
                return self._metadata
        return self._metadata

    def _refresh(self, file: Path) -> None:
        # Behind the links of Kubernetes the file itself changes, and with it the inode.
        found = file.stat()
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if stamp != self._stamp:
            text = file.read_text(encoding="utf-8").strip()
            self._metadata = build_metadata(text, f"token_file {file}")
            self._stamp = stamp


def build_metadata(token: str, source: str) -> Metadata:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"{source} is not a token: give one from `gcsched token new`")
    return (("authorization", f"Bearer {token}"),)
