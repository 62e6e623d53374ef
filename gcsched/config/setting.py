"""How one setting is described, and how it is named in the environment."""

from typing import Any

from pydantic import Field

PREFIX = "GCSCHED_"


def setting(description: str, give: str, *, default: Any = ..., **more: Any) -> Any:
    """Describe a field: *description* is its row in the README, *give* says how to put it right."""
    return Field(default, description=description, json_schema_extra={"give": give}, **more)


def variable(field: str) -> str:
    return PREFIX + field.upper()
