"""A job, and a list of jobs, as people see them."""

from typing import TYPE_CHECKING

from gcsched.cli import fields, output
from gcsched.cli.blocks import Block, Table
from gcsched.cli.exit_codes import DONE

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from gcsched.pb import task_pb2

IN_LISTS = ("job_id", "state", "due_time", "empid", "email", "reason")
OF_ATTEMPTS = ("start_time", "kind", "relay", "code", "enhanced_code", "text")


def listed(jobs: "Iterable[task_pb2.Job]") -> Table:
    return fields.table(jobs, IN_LISTS, kept=3)


def detailed(job: "task_pb2.Job") -> list[Block]:
    blocks: list[Block] = [fields.facts(job, without=["attempts"])]
    if job.attempts:
        blocks.append(fields.table(job.attempts, OF_ATTEMPTS, kept=2))
    return blocks


def told(chosen: "Namespace", job: "task_pb2.Job") -> int:
    output.tell(chosen, job, lambda: detailed(job))
    return DONE
