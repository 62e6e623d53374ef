"""Jobs of a lot that the store can change in no way, told after all the others were changed."""

from collections.abc import Sequence

from gcsched.errors import StoreRefused

MAX_NAMED = 10


class PartialChange(Exception):
    """What became of a lot: *changed*, *lost* to others, and *unchangeable*, which no write can change."""

    def __init__(self, changed: int, lost: int, unchangeable: Sequence[str], problem: str) -> None:
        super().__init__(f"{len(unchangeable)} jobs cannot be changed: {problem}")
        self.changed, self.lost, self.unchangeable, self.problem = (
            changed,
            lost,
            unchangeable,
            problem,
        )


def make_unchangeable_error(job_ids: Sequence[str], problem: str, *, changed: int) -> StoreRefused:
    """Make the error that tells which jobs stay as they are."""
    named = ", ".join(job_ids[:MAX_NAMED]) + (" and others" if len(job_ids) > MAX_NAMED else "")
    message = (
        f"{len(job_ids)} jobs stay as they are ({named}) and {changed} were changed: a document is"
        " too large or has a value that cannot be stored, or a validation rule of the collection"
        " forbids the change"
    )
    return StoreRefused("changing jobs", problem, message)
