"""Folders of templates, and variables to render them with."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gcsched.adapters.mail.template_variables import Variables
from gcsched.adapters.mail.templates import Templates
from gcsched.errors import TemplateProblem

BUILT_IN = ("cancellation", "invitation", "reminder", "update")
"""The templates for meetings, which every folder has, in the order of their names."""


def a_folder(path: Path, **files: str) -> Path:
    """Write *files* (``doc_html`` becomes doc.html) and a plain doc.html unless one is given."""
    named = {"doc_html": "<p>{{ username }}</p>", **files}
    for name, source in named.items():
        stem, _, suffix = name.rpartition("_")
        (path / f"{stem}.{suffix}").write_text(source, "utf-8")
    return path


def sample_variables(
    *,
    username: str = "Zoë",
    empid: str = "E-17",
    email: str = "zoe@example.org",
    message: str = "Review",
    job_id: str = "j1",
) -> Variables:
    due = datetime(2025, 11, 24, 9, 30, tzinfo=UTC)
    return Variables(
        username=username, empid=empid, email=email, message=message, due=due, job_id=job_id
    )


def load_problem(folder: Path) -> str:
    with pytest.raises(TemplateProblem) as caught:
        Templates.load(folder)
    return str(caught.value)
