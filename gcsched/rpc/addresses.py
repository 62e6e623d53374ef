"""Addresses as callers write them, to addresses as we keep them."""

from gcsched.domain.address import normalised_address
from gcsched.errors import Violation


def address_from(email: str, field: str) -> str | Violation:
    """Give the address as a job has it, or what is wrong with *field*."""
    found = normalised_address(email)
    return Violation(field, found.problem) if isinstance(found, Violation) else found
