"""A job, and a list of jobs, formatted for people."""

from typing import TYPE_CHECKING

from gcsched.cli import fields, output
from gcsched.cli.blocks import Block, Table
from gcsched.cli.exit_codes import DONE

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from gcsched.pb import task_pb2

LIST_COLUMNS = ("job_id", "state", "due_time", "empid", "email", "client", "reason")
ATTEMPT_COLUMNS = ("start_time", "kind", "relay", "code", "enhanced_code", "text")
STEP_COLUMNS = ("time", "client", "method", "previous_state", "state", "via", "reason")


def format_jobs(jobs: "Iterable[task_pb2.Job]") -> Table:
    found = list(jobs)
    has_clients = any(job.client for job in found)  # only where access is controlled
    columns = LIST_COLUMNS if has_clients else [each for each in LIST_COLUMNS if each != "client"]
    return fields.tabulate_messages(found, columns, uncut_columns=3)


def format_job(job: "task_pb2.Job") -> list[Block]:
    blocks: list[Block] = [fields.tabulate_fields(job, without=["attempts", "steps"])]
    if job.attempts:
        blocks.append(fields.tabulate_messages(job.attempts, ATTEMPT_COLUMNS, uncut_columns=2))
    if job.steps:
        blocks.append(fields.tabulate_messages(job.steps, STEP_COLUMNS, uncut_columns=3))
    return blocks


def print_job(chosen: "Namespace", job: "task_pb2.Job") -> int:
    output.print_message(chosen, job, lambda: format_job(job))
    return DONE
