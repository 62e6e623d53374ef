"""Name what a caller has misspelt, and what was probably meant. Pure."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches


def refuse_unknown(given: Iterable[str], known: Collection[str], *, caller: str) -> None:
    """Raise the TypeError of Python itself for each option of *given* that is not *known*."""
    unknown = [f"{name!r}{suggest_name(name, known)}" for name in given if name not in known]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise TypeError(
            f"{caller}() got unexpected keyword argument{plural} {', '.join(unknown)};"
            f" it takes {', '.join(sorted(known))}"
        )


def suggest_name(name: str, known: Collection[str]) -> str:
    """Return a question for the nearest of *known*, or nothing where none is near."""
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
