"""The domain of an address: its one spelling, and whether the public internet can have it. Pure.

The syntax is always checked. What is reserved (bare hosts, special-use names, address literals) is
read here like any other; whether an address may have it is decided by AddressRules.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import idna
from email_validator import (
    SPECIAL_USE_DOMAIN_NAMES,
    EmailNotValidError,
    EmailSyntaxError,
    ValidatedEmail,
    validate_email,
)

PLACEHOLDER_TLD = "test"  # callers' own test suites use it (RFC 2606), so it is never reserved here
SPECIAL_USE = tuple(name for name in SPECIAL_USE_DOMAIN_NAMES if name != PLACEHOLDER_TLD)
NOT_PUBLIC = (*SPECIAL_USE_DOMAIN_NAMES, "localdomain", "example", "test", "internal", "intranet")
NOT_PUBLIC += ("private", "lan", "home", "corp", "mail")
"""What the public DNS has nothing within: by RFC 2606, 6761, 6762, 7686 and 8375, for ever by
ICANN's resolutions, and what routers and cloud machines call themselves."""
IN_BRACKETS = "An IP address after the @-sign must be in brackets, as in ada@[192.0.2.1]."
NUMBER = re.compile(r"(?:.*\.)?[0-9]+", re.DOTALL)


class Domain(NamedTuple):
    """A domain in its normalised spelling; *reserved_reason* says why the public internet has none such.

    ``name`` is in lower case, with U-labels; an address literal has its brackets.
    """

    name: str
    reserved_reason: str = ""


def is_public_name(name: str) -> bool:
    """Return whether *name*, a host's in ASCII, is one that another network could look up."""
    name = name.lower().rstrip(".")
    is_within = any(name == each or name.endswith(f".{each}") for each in NOT_PUBLIC)
    return "." in name and not is_within and not NUMBER.fullmatch(name)


@lru_cache(maxsize=10_000)
def parse_domain(domain: str) -> Domain | None:
    """Return *domain* as it is kept, None where it is not a domain."""
    try:
        return split_address(f"x@{domain}")[1]
    except EmailNotValidError:
        return None


def split_address(email: str) -> tuple[str, Domain]:
    """Return the normalised local part of *email* and its domain. Raises EmailNotValidError.

    By RFC 5321, 5322 and 6531; a quoted local part has the fewest quotes that it can have.
    """
    try:
        found = _validate(email)
    except EmailSyntaxError as error:
        return _split_reserved(email, error)
    literal = getattr(found, "domain_address", None) is not None
    return _local_part(found), Domain(found.domain, "is an IP address" if literal else "")


def _split_reserved(email: str, error: EmailSyntaxError) -> tuple[str, Domain]:
    """Read an address whose domain may be one that is reserved; raise *error* if it is not."""
    before, _, written = email.rpartition("@")
    domain = _map_domain(written)
    if NUMBER.fullmatch(domain):
        raise EmailSyntaxError(IN_BRACKETS) from error
    for name in SPECIAL_USE:
        if domain == name or domain.endswith(f".{name}"):
            above = domain.removesuffix(name)
            found = _validate(f"{before}@{above}{PLACEHOLDER_TLD}")
            known = found.domain.removesuffix(PLACEHOLDER_TLD) + name
            return _local_part(found), Domain(known, f"is within {name!r}, a special-use name")
    try:
        found = _validate(email, is_public=False)
    except EmailSyntaxError:
        raise error from None
    kind = "is not within a top-level domain" if "." in found.domain else "is a bare host name"
    return _local_part(found), Domain(found.domain, kind)


def _map_domain(domain: str) -> str:
    """Return *domain* in lower case and with plain dots, as the library compares it (UTS 46)."""
    if domain.isascii():
        return domain.lower()
    try:
        return idna.uts46_remap(domain, std3_rules=False, transitional=False)
    except idna.IDNAError:
        return domain


def _local_part(found: ValidatedEmail) -> str:
    return str(found.local_part)


def _validate(email: str, *, is_public: bool = True) -> ValidatedEmail:
    return validate_email(
        email,
        allow_quoted_local=True,
        allow_domain_literal=True,
        check_deliverability=False,
        globally_deliverable=is_public,
        test_environment=True,
        strict=True,
    )
