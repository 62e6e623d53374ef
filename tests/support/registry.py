"""The clients of a clients file that a test writes."""

import tomllib

from gcsched.domain.client_document import read_registry
from gcsched.domain.client_registry import ClientRegistry


def registry_of(*clients: str) -> ClientRegistry:
    return read_registry(tomllib.loads("\n".join(clients)))
