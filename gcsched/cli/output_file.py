"""Files that a command writes. An existing file is overwritten only on request."""

import os
import stat
import sys
from pathlib import Path

from gcsched.cli.failure import CommandFailed
from gcsched.domain.caller_text import replace_unprintable

STANDARD_OUTPUT = Path("-")


class FileNotWritten(CommandFailed):
    """A file was not written; the message says why, and what to do."""

    reason = "NOT_WRITTEN"


def write_file(file: Path, content: bytes, *, option: str, force: bool) -> None:
    """Write *content* to *file*, or to standard output for ``-``; raise FileNotWritten.

    Without *force* an existing regular file is kept; a device or a pipe is written to.
    """
    if file == STANDARD_OUTPUT:
        write_to_standard_output(content)
        return
    try:
        if force:
            file.write_bytes(content)
        else:
            write_new(file, content)
    except (OSError, ValueError) as error:
        raise FileNotWritten(
            replace_unprintable(f"{option}: {explain_error(file, error)}")
        ) from error


def write_to_standard_output(content: bytes) -> None:
    octets = getattr(sys.stdout, "buffer", None)
    if octets is None:  # closed, or replaced by a text stream
        print(content.decode(), end="")
    else:
        sys.stdout.flush()
        octets.write(content)
        octets.flush()


def write_new(file: Path, content: bytes) -> None:
    """Create *file*; the kernel refuses a name that exists, so there is no race."""
    try:
        with file.open("xb", buffering=0) as created:
            write_all_or_remove(file, created.fileno(), content)
    except FileExistsError:
        # Without O_TRUNC, and with the check on the open descriptor, a regular file stays intact.
        descriptor = os.open(file, os.O_WRONLY)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise
            write_all(descriptor, content)
        finally:
            os.close(descriptor)


def write_all_or_remove(file: Path, descriptor: int, content: bytes) -> None:
    """Write *content*; remove *file* if that fails, as on a full disk."""
    try:
        write_all(descriptor, content)
    except OSError:
        file.unlink(missing_ok=True)
        raise


def write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def explain_error(file: Path, error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return f"{file} exists: name another file, or add --force to overwrite it"
    if isinstance(error, IsADirectoryError):
        return f"{file} is a folder: name a file in it"
    if isinstance(error, NotADirectoryError):
        return f"{file.parent} is not a folder: name another file"
    if isinstance(error, FileNotFoundError) and not os.path.lexists(file.parent):
        return f"the folder {file.parent} does not exist: make it, or name another file"
    why = error.strerror if isinstance(error, OSError) else error
    return f"{file} cannot be written ({why}): name another file"
