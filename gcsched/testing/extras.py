"""The error when packages are missing that the fake or the real service needs."""

from collections.abc import Iterator
from contextlib import contextmanager

TESTING = "testing"
EMBEDDED = "embedded"


@contextmanager
def require_extra(extra: str, *, user: str) -> Iterator[None]:
    """Raise an error that names *extra* if an import in the block fails without it."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or str(error)).partition(".")[0]
        if missing == "gcsched":  # the package itself is broken: no extra repairs it
            raise
        raise ModuleNotFoundError(explain_missing(user, missing, extra), name=error.name) from error


def explain_missing(user: str, missing: str, extra: str) -> str:
    return (
        f"{user} cannot be used: the module {missing} is not installed;"
        f" run `pip install 'gcsched[{extra}]'`"
    )
