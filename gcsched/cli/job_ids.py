"""Ids that are abbreviated: the first characters of one job's id stand for it, as in git."""

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
    """Return the id that *given* begins; *given* itself where no job is known to have such an id.

    Then the service says so. It may be written as a UUID. Raises WrongUsage where it is too short
    or several ids begin with it, CallFailed.
    """
    if UUID_PREFIX.fullmatch(given):
        given = given.replace("-", "").lower()
    if len(given) < MIN_PREFIX:
        raise WrongUsage(
            f"{given!r} is too short for the id of a job; write at least {MIN_PREFIX} characters"
        )
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

    wanted = task_pb2.JobFilter(id_prefix=given)
    request = task_pb2.ListJobsRequest(filter=wanted, page_size=MAX_CANDIDATES + 1)
    try:
        page: task_pb2.ListJobsResponse = service.call("ListJobs", request)
    except CallFailed as error:
        if is_no_answer(error):
            raise
        return []
    # A service that is older than the field lists its newest jobs: which others there are with
    # such an id, nothing says.
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
        f"several jobs have ids that begin with {given!r}; write more of the id:",
        advice=[*rows, *more],
        metadata={"job_ids": ids, **({"more": "true"} if more else {})},
    )
