"""Addresses as callers write them, to addresses as we keep them."""

from gcsched.domain.address import normalised_address
from gcsched.domain.address_rules import AddressRules
from gcsched.errors import Violation


def address_from(email: str, field: str, rules: AddressRules = AddressRules.ANY) -> str | Violation:
    """Return the address as a job has it, or what is wrong with *field*.

    By default its domain may be any: jobs and suppressions stay where the setting that allowed
    their domain has gone, and must be found.
    """
    return normalised_address(email, field=field, rules=rules)
