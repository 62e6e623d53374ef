"""Abbreviated job ids: the first characters of an id stand for it, as in git."""

import re
from typing import TYPE_CHECKING

from gcsched.cli import fields
from gcsched.cli.call import is_no_answer
from gcsched.cli.failure import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcsched.client import Client
    from gcsched.pb import task_pb2

UUID_PREFIX = re.compile("[0-9a-fA-F-]*[0-9a-fA-F][0-9a-fA-F-]*")
FULL_LENGTH = 32
MIN_PREFIX = 4
MAX_CANDIDATES = 5


def expand_job_id(service: "Client", given: str) -> str:
    """Return the only job id that starts with *given*, which may be written as a UUID.

    Return *given* itself if no such id is found; the service then reports that. Raises WrongUsage
    if *given* is too short or several ids start with it, and CallFailed.
    """
    if UUID_PREFIX.fullmatch(given):
        given = given.replace("-", "").lower()
    if len(given) < MIN_PREFIX:
        raise WrongUsage(f"invalid job id {given!r}: write at least {MIN_PREFIX} characters of it")
    if len(given) >= FULL_LENGTH:
        return given
    found = find_by_prefix(service, given)
    ids = [job.job_id for job in found]
    if len(ids) > 1 and given not in ids:
        raise ambiguous_id_error(given, found)
    return ids[0] if len(ids) == 1 else given


def find_by_prefix(service: "Client", given: str) -> "Sequence[task_pb2.Job]":
    from gcsched.client import CallFailed
    from gcsched.pb import task_pb2

    # One more than is shown, to know whether there are more.
    request = task_pb2.ListJobsRequest(
        filter=task_pb2.JobFilter(id_prefix=given), page_size=MAX_CANDIDATES + 1
    )
    try:
        page: task_pb2.ListJobsResponse = service.call("ListJobs", request)
    except CallFailed as error:
        if is_no_answer(error):
            raise
        return []
    # A service that is older than the field ignores it and lists its newest jobs. Even if one of
    # them matches, there may be others.
    is_by_prefix = all(job.job_id.startswith(given) for job in page.jobs)
    return page.jobs if is_by_prefix else []


def ambiguous_id_error(given: str, found: "Sequence[task_pb2.Job]") -> WrongUsage:
    rows = [
        "  "
        + "  ".join(
            fields.format_field(job, name) for name in ("job_id", "state", "due_time", "email")
        )
        for job in found[:MAX_CANDIDATES]
    ]
    more = ["  and more"] if len(found) > MAX_CANDIDATES else []
    ids = ",".join(job.job_id for job in found[:MAX_CANDIDATES])
    return WrongUsage(
        f"ambiguous job id {given!r}: several jobs match, write more of it",
        advice=[*rows, *more],
        metadata={"job_ids": ids, **({"more": "true"} if more else {})},
    )
