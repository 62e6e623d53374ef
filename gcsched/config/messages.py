"""Say what is wrong with a setting, and how to put it right. Never shows a secret."""

import re
from collections.abc import Mapping
from typing import get_args

from pydantic import BaseModel, SecretStr
from pydantic_core import ErrorDetails

from gcsched.adapters.store_url import shown
from gcsched.config.fields import variable
from gcsched.domain.contradiction import Contradiction

TRY_OUT = "(for a try-out without any server run: python -m gcsched dev)"
Fields = type[BaseModel]


def sentence(error: ErrorDetails, fields: Fields, said: Mapping[str, str]) -> str:
    """Describe *error* in one of *fields*; *said* is what the environment gave."""
    field = str(error["loc"][0])
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Contradiction):
        return f"{variable(field)} {cause}"
    advice = advice_on(fields, field)
    if error["type"] == "missing":
        return f"{variable(field)} is missing: {advice} {TRY_OUT}"
    if error["input"] == "":
        return f"{variable(field)} is missing: {advice}"
    given = "" if is_secret(fields, field) else told(said.get(field, str(error["input"])))
    return f"{variable(field)} cannot be used: {given}{advice}"


def told(value: str) -> str:
    """Repeat *value*, but no login that it seems to hold, as a URL in a host may."""
    before, _, after = value.rpartition("@")
    has_login = re.search(r"[:/]\S*$", before)
    return f"{shown(f'…@{after}' if has_login else value)} is not valid: "


def is_secret(fields: Fields, field: str) -> bool:
    kind = fields.model_fields[field].annotation
    return SecretStr in {kind, *get_args(kind)}


def advice_on(fields: Fields, field: str) -> str:
    extra = fields.model_fields[field].json_schema_extra
    return str(extra["give"]) if isinstance(extra, dict) else ""
