"""The domain of an address: its normalised spelling, and whether it is reserved. Pure.

The syntax is always checked. A reserved domain (a bare host, a special-use name, an address
literal) parses like any other; AddressRules decide whether an address may have it.
"""

import re
from collections.abc import Collection
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
"""Names below which the public DNS has nothing: by RFC 2606, 6761, 6762, 7686 and 8375, by ICANN's
resolutions, and those that routers and cloud machines give themselves."""
IN_BRACKETS = "An IP address after the @-sign must be in brackets, as in ada@[192.0.2.1]."
NUMBER = re.compile(r"(?:.*\.)?[0-9]+", re.DOTALL)


class Domain(NamedTuple):
    """A domain in its normalised spelling; *reserved_reason* is "" for a public one.

    ``name`` is in lower case, with U-labels; an address literal has its brackets.
    """

    name: str
    reserved_reason: str = ""


def is_public_name(name: str) -> bool:
    """Return whether another network could look up *name*, a host name in ASCII."""
    name = name.lower().rstrip(".")
    is_within = any(name == each or name.endswith(f".{each}") for each in NOT_PUBLIC)
    return "." in name and not is_within and not NUMBER.fullmatch(name)


def is_within(domain: str, allowed: Collection[str]) -> bool:
    """Return whether *allowed* has *domain*, or a domain that it is a subdomain of."""
    dot = "."
    while dot:
        if domain in allowed:
            return True
        _, dot, domain = domain.partition(".")
    return False


@lru_cache(maxsize=10_000)
def parse_domain(domain: str) -> Domain | None:
    """Return *domain* normalised, or None if it is not a domain."""
    try:
        return split_address(f"x@{domain}")[1]
    except EmailNotValidError:
        return None


def split_address(email: str) -> tuple[str, Domain]:
    """Return the normalised local part of *email* and its domain. Raises EmailNotValidError.

    By RFC 5321, 5322 and 6531; a quoted local part loses the quotes that it does not need.
    """
    try:
        found = _validate(email)
    except EmailSyntaxError as error:
        return _split_reserved(email, error)
    literal = getattr(found, "domain_address", None) is not None
    return _local_part(found), Domain(found.domain, "is an IP address" if literal else "")


def _split_reserved(email: str, error: EmailSyntaxError) -> tuple[str, Domain]:
    """Split an address whose domain may be reserved; raise *error* if it is not."""
    before, _, written = email.rpartition("@")
    domain = _map_domain(written)
    if NUMBER.fullmatch(domain):
        raise EmailSyntaxError(IN_BRACKETS) from error
    for name in SPECIAL_USE:
        if domain == name or domain.endswith(f".{name}"):
            above = domain.removesuffix(name)
            # The library refuses special-use names, so a name that it accepts stands in.
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
