"""The methods of the contract, and the answers that a test may set for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gcsched.client.suggestions import suggest_name
from gcsched.pb import task_pb2

Answer: TypeAlias = Message | Callable[[Any], Message]
"""A reply, or a function of the request that returns one or raises the error to answer with."""


@dataclass(frozen=True, slots=True)
class ContractMethod:
    """A method with the classes of its messages."""

    name: str
    request: type[Message]
    reply: type[Message]

    def convert_reply(self, reply: object) -> Message:
        """Return *reply*, which may come from stubs of the caller's own. Raises TypeError."""
        if isinstance(reply, self.reply):
            return reply
        if isinstance(reply, Message) and reply.DESCRIPTOR.name == self.reply.DESCRIPTOR.name:
            return self.reply.FromString(reply.SerializeToString())
        raise TypeError(
            f"{self.name} cannot be answered with {reply!r}:"
            f" use a task_pb2.{self.reply.DESCRIPTOR.name}"
        )


METHODS: Mapping[str, ContractMethod] = {
    method.name: ContractMethod(
        method.name, GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    )
    for method in task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods
}


def find_method(name: str) -> ContractMethod:
    """Return the method *name*. Raises ValueError."""
    if name not in METHODS:
        raise ValueError(f"the contract has no method {name!r}{suggest_name(name, METHODS)}")
    return METHODS[name]
