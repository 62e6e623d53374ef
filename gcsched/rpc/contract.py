"""The contract under its published names, those of proto/task.proto.

The generated code registers its messages in an internal package, so that a process can also use
stubs that a caller has generated (ADR 27). Everything that leaves this process has published names.
"""

from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from gcsched.pb import task_pb2

FILE, PACKAGE = "task.proto", "scheduler"
SERVICE = f"{PACKAGE}.Scheduler"
INTERNAL_PACKAGE = task_pb2.DESCRIPTOR.package


def replace_internal_names(text: str) -> str:
    """Return *text*, for example an error of protobuf, with the published names of messages."""
    return text.replace(f"{INTERNAL_PACKAGE}.", f"{PACKAGE}.")


def build_published_file() -> FileDescriptorProto:
    """Return the contract as protoc compiles it from proto/task.proto."""
    file = FileDescriptorProto()
    task_pb2.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = FILE, PACKAGE
    for message in file.message_type:
        _publish_message(message)
    for service in file.service:
        for method in service.method:
            method.input_type = _publish_name(method.input_type)
            method.output_type = _publish_name(method.output_type)
    return file


class ReflectionPool:
    """A descriptor pool that also finds the file of a method, which protobuf's own pool does not.

    Clients ask server reflection for methods: `grpcurl describe scheduler.Scheduler.GetJob`.
    """

    def __init__(self, pool: DescriptorPool) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:
        """Return the file that defines *symbol*. Raises KeyError."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service, _, method = symbol.rpartition(".")
            found = self._pool.FindServiceByName(service)
            return found.methods_by_name[method].containing_service.file


def build_descriptor_pool(*others: FileDescriptor) -> DescriptorPool:
    """Return a pool of the contract, the files *others*, and all that these import."""
    pool, added = DescriptorPool(), set[str]()

    def add(file: FileDescriptor) -> None:
        if file.name not in added:
            added.add(file.name)
            for imported in file.dependencies:
                add(imported)
            pool.AddSerializedFile(file.serialized_pb)

    # The published file comes last, because a pool needs the imports of a file before it.
    for file in (*task_pb2.DESCRIPTOR.dependencies, *others):
        add(file)
    pool.AddSerializedFile(build_published_file().SerializeToString())
    return pool


def _publish_message(message: DescriptorProto) -> None:
    for field in message.field:
        if field.type_name:  # setting it, even to "", would turn a scalar into a message
            field.type_name = _publish_name(field.type_name)
    for nested in message.nested_type:
        _publish_message(nested)


def _publish_name(name: str) -> str:
    """Return the published form of *name*, which starts with a dot; keep other packages."""
    internal = f".{INTERNAL_PACKAGE}."
    return f".{PACKAGE}.{name.removeprefix(internal)}" if name.startswith(internal) else name
