"""Commands that need more packages than the client, and the error when they are missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from gcsched.cli.exit_codes import WRONG_USAGE
from gcsched.cli.failure import CommandFailed

SERVER = "server"
EMBEDDED = "embedded"


class NotInstalled(CommandFailed):
    """A command needs packages that are not installed."""

    exit_code = WRONG_USAGE
    reason = "NOT_INSTALLED"

    def __init__(self, command: str, extra: str, missing: str) -> None:
        super().__init__(
            f"{command} cannot run: the module {missing} is not installed;"
            f" run `pip install 'gcsched[{extra}]'`"
        )


@contextmanager
def require_extra(extra: str, *, command: str) -> Iterator[None]:
    """Raise NotInstalled if an import in the block fails because *extra* is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or str(error)).partition(".")[0]
        if missing == "gcsched":  # the package itself is broken: no extra repairs it
            raise
        raise NotInstalled(command, extra, missing) from error
