"""One call of a method of the contract, and a list that takes a call for each page."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A call whose reply *read* turns into a result."""

    method: str
    request: Message
    read: Callable[[Any], T]


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list; *read* turns one message in *field* of each page into an item."""

    method: str
    request: Any
    field: str
    read: Callable[[Any], T]

    def read_page(self, page: Any) -> Iterator[T]:
        return map(self.read, getattr(page, self.field))

    def advance(self, page: Any) -> bool:
        """Turn the request into that of the page after *page*; return whether there is one."""
        token = getattr(page, "next_page_token", "")
        if token:
            self.request.page_token = token
        return bool(token)
