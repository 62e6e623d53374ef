"""What pages show of a job to those who may not read its content. Pure."""

import re

from gcsched.domain.job import Job
from gcsched.domain.masking import mask

CODE = re.compile(r"\b([245]\d\d(?: [245]\.\d{1,3}\.\d{1,3})?) at [A-Z]+:")


def show_address(job: Job, *, is_full: bool) -> str:
    """Return the address of *job*, of which only the domain and one letter are shown unless full.

    "" if its recipient was forgotten.
    """
    return job.email if is_full else mask_local_part(job.email)


def mask_local_part(address: str) -> str:
    """Return *address* with one letter and its domain; "" stays."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}\u2026@{domain}" if at else address


def show_text(job: Job, text: str, *, is_full: bool) -> str:
    """Return *text* about *job*, such as the words of a relay; without personal words unless full.

    The texts of a meeting are personal as well.
    """
    return text if is_full else mask(text, job)


def find_code(reason: str) -> str:
    """Return the codes of the reply of a relay that *reason* repeats, as `550 5.1.1`, or ""."""
    found = CODE.search(reason)
    return found[1] if found else ""
