"""Report misspelt names with a suggestion. Pure."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches


def refuse_unknown(given: Iterable[str], known: Collection[str], *, caller: str) -> None:
    """Raise a TypeError like Python's own if any option of *given* is not *known*."""
    unknown = [f"{name!r}{suggest_name(name, known)}" for name in given if name not in known]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise TypeError(
            f"{caller}() got unexpected keyword argument{plural} {', '.join(unknown)};"
            f" it takes {', '.join(sorted(known))}"
        )


def suggest_name(name: str, known: Collection[str]) -> str:
    """Return a question with the closest of *known*; "" if none is close."""
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
