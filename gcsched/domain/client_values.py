"""Check single values of the clients file; an error says what is wrong, after the key. Pure."""

import math
import re
from collections.abc import Callable
from datetime import datetime
from difflib import get_close_matches
from typing import TypeVar

from gcsched.domain.access import Scope
from gcsched.domain.access_token import TOKEN_ID
from gcsched.domain.address import parse_address
from gcsched.domain.address_folding import fold_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.caller_text import quote
from gcsched.domain.checks import require_valid
from gcsched.domain.domains import parse_domain
from gcsched.errors import InvalidRequest

T = TypeVar("T")

CLIENT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
NAME_RULE = "use up to 63 lower-case letters, digits, '.', '_' and '-', a letter or digit first"
DIGEST = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
IDENTITY = re.compile(r"(?:cn:|dns:|[a-z][a-z0-9+.-]*://).+")
EXAMPLE_TIME = "2027-11-30T12:00:00Z"
MAX_NUMBER = 1_000_000_000


class InvalidValue(ValueError):
    """A value breaks a rule; the text is the sentence that follows its key."""


def check_text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue("is not a text: write it in quotes")
    return value


def check_each(value: object, check: Callable[[str], T]) -> tuple[T, ...]:
    """Return the items of a list of texts. Raises InvalidValue with the problems of all items."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidValue('is not a list of texts: write it as ["…", "…"]')
    found, problems = list[T](), list[str]()
    for each in value:
        try:
            found.append(check(each))
        except InvalidValue as error:
            problems.append(f"has {quote(each)}, which {error}")
    if len(set(value)) < len(value):
        problems.append("names one twice")
    if problems:
        raise InvalidValue("; ".join(problems))
    return tuple(found)


def check_scopes(value: object) -> frozenset[Scope]:
    found = frozenset(check_each(value, check_scope_name))
    if not found:
        raise InvalidValue(f"is empty: name at least one of {', '.join(Scope)}")
    return found


def check_scope_name(name: str) -> Scope:
    if name not in set(Scope):
        near = get_close_matches(name, list(Scope), n=1)
        advice = f"did you mean {near[0]}?" if near else f"use {', '.join(Scope)}"
        raise InvalidValue(f"is not a scope: {advice}")
    return Scope(name)


def check_identities(value: object) -> tuple[str, ...]:
    return check_each(value, check_identity)


def check_identity(text: str) -> str:
    """Return an identity as certificates are compared with it: names of hosts in lower case."""
    if not IDENTITY.fullmatch(text):
        raise InvalidValue("is not an identity: write spiffe://…, dns:… or cn:…")
    return text.lower() if text.startswith("dns:") else text


def check_domains(value: object) -> tuple[str, ...]:
    return check_each(value, check_domain)


def check_domain(text: str) -> str:
    found = parse_domain(text)
    if found is None:
        raise InvalidValue("is not a domain: write it as example.org")
    return found.name


def check_template_names(value: object) -> tuple[str, ...]:
    return check_each(value, check_template_name)


def check_template_name(text: str) -> str:
    if not text:
        raise InvalidValue("is empty: write the name of a template")
    return text


def check_senders(value: object) -> tuple[str, ...]:
    return check_each(value, check_sender)


def check_sender(text: str) -> str:
    """Return the key of a sender; only a service knows which senders it has."""
    try:
        return fold_address(require_valid(parse_address(text, rules=AddressRules.ANY)))
    except InvalidRequest as error:
        raise InvalidValue("is not an address: write it as payroll@example.org") from error


def check_count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_NUMBER:
        raise InvalidValue(f"is not a whole number from 1 to {MAX_NUMBER}")
    return value


def check_rate(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not isinstance(value, int | float) or not is_rate(value):
        raise InvalidValue(f"is not a number of calls per second, more than 0, up to {MAX_NUMBER}")
    return float(value)


def is_rate(value: float) -> bool:
    return math.isfinite(value) and 0 < value <= MAX_NUMBER


def check_time(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise InvalidValue(f"is not a time: write it without quotes, as in {EXAMPLE_TIME}")
    if value.utcoffset() is None:
        raise InvalidValue(f"has no time zone: write it with one, as in {EXAMPLE_TIME}")
    return value


def check_token_id(value: object) -> str:
    if not isinstance(value, str) or not TOKEN_ID.fullmatch(value):
        raise InvalidValue("is not the id of a token: 8 lower-case letters and digits, in quotes")
    return value


def check_digest(value: object) -> bytes:
    if not isinstance(value, str) or not DIGEST.fullmatch(value):
        raise InvalidValue("is not a SHA-256 digest: 64 hexadecimal digits, in quotes")
    return bytes.fromhex(value)
