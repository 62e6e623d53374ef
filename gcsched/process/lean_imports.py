"""Import libraries without the packages that they load and a service never uses."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any


class HidingFinder(MetaPathFinder):
    """Reports one package as not installed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, _: Sequence[str] | None, __: ModuleType | None = None
    ) -> None:
        """Raise ModuleNotFoundError for the package; leave other names to the other finders."""
        if fullname == self._name:
            raise ModuleNotFoundError(f"{fullname} is hidden", name=fullname)


class PostponedModule(ModuleType):
    """Imports the real module at the first use of one of its attributes."""

    def __getattr__(self, attribute: str) -> Any:
        self.leave()
        return getattr(import_module(self.__name__), attribute)

    def leave(self) -> None:
        """Free the name, so that an import finds the real module."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


@contextmanager
def hide_package(name: str) -> Iterator[None]:
    """Make imports of the package *name* fail in the block, unless it is imported already.

    For a package that a library uses only if it is installed.
    """
    finder = HidingFinder(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def postpone_import(name: str) -> Iterator[None]:
    """Make `import name` in the block load the module at its first use, not at once.

    Not importlib's LazyLoader: in Python 3.11 the import statement itself counts as a use.
    """
    module = PostponedModule(name)
    if sys.modules.setdefault(name, module) is not module:  # it is imported already
        yield
        return
    try:
        yield
    finally:
        module.leave()
