"""Bulk changes that some jobs refuse: reported after all other jobs were changed."""

from collections.abc import Sequence

from gcsched.errors import StoreRefused

MAX_NAMED = 10


class PartialChange(Exception):
    """The result of a write in which some jobs cannot be changed.

    *changed* and *lost* (to other writers) are counts, *unchangeable* are ids, *problem* says why.
    """

    def __init__(self, changed: int, lost: int, unchangeable: Sequence[str], problem: str) -> None:
        super().__init__(f"{len(unchangeable)} jobs cannot be changed: {problem}")
        self.changed, self.lost = changed, lost
        self.unchangeable, self.problem = unchangeable, problem


def make_unchangeable_error(job_ids: Sequence[str], problem: str, *, changed: int) -> StoreRefused:
    """Return the error that names the jobs which could not be changed."""
    named = ", ".join(job_ids[:MAX_NAMED]) + (" and others" if len(job_ids) > MAX_NAMED else "")
    message = (
        f"{len(job_ids)} jobs stay as they are ({named}) and {changed} were changed: a document is"
        " too large or has a value that cannot be stored, or a validation rule of the collection"
        " forbids the change"
    )
    return StoreRefused("changing jobs", problem, message)
