"""Modules that are imported at their first use: each worker imports every file of tests."""

from importlib import import_module
from typing import Any


class Later:
    """The module called *name*."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
