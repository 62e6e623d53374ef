"""Describe the error of a setting, and how to correct it. Never shows a secret."""

import re
from collections.abc import Mapping
from typing import get_args

from pydantic import BaseModel, SecretStr
from pydantic_core import ErrorDetails

from gcsched.adapters.store_url import quote_value
from gcsched.config.fields import variable_name
from gcsched.domain.invalid_setting import ContradictorySettings, InvalidSetting

TRY_DEV = "(for a try-out without any server run: python -m gcsched dev)"
Fields = type[BaseModel]


def describe_error(error: ErrorDetails, fields: Fields, texts: Mapping[str, str]) -> str:
    """Describe *error* in one of *fields*; *texts* are the values in the environment."""
    field = str(error["loc"][0])
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, ContradictorySettings):
        return str(cause)
    if isinstance(cause, InvalidSetting):
        return f"{variable_name(field)} {cause}"
    advice = find_advice(fields, field)
    if error["type"] == "missing":
        return f"{variable_name(field)} is missing: {advice} {TRY_DEV}"
    if error["input"] == "":
        return f"{variable_name(field)} is missing: {advice}"
    given = (
        "" if is_secret(fields, field) else describe_value(texts.get(field, str(error["input"])))
    )
    return f"{variable_name(field)} cannot be used: {given}{advice}"


def describe_value(value: str) -> str:
    """Quote *value* without a login that it seems to hold, as a URL instead of a host may."""
    before, _, after = value.rpartition("@")
    has_login = re.search(r"[:/]\S*$", before)
    return f"{quote_value(f'…@{after}' if has_login else value)} is not valid: "


def is_secret(fields: Fields, field: str) -> bool:
    kind = fields.model_fields[field].annotation
    return SecretStr in {kind, *get_args(kind)}


def find_advice(fields: Fields, field: str) -> str:
    extra = fields.model_fields[field].json_schema_extra
    return str(extra["advice"]) if isinstance(extra, dict) else ""
