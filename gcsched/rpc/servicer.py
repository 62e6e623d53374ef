"""All methods of scheduler.Scheduler, each from the handlers that have it."""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias, cast

import grpc

from gcsched.pb import task_pb2, task_pb2_grpc
from gcsched.rpc.concurrency import Turns

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

METHODS = [method.name for method in task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods]
READING = {"GetJob", "CountJobs", "ListSuppressions", "GetSuppression", "GetRecipient"}
LISTING = {"ListJobs"}  # a page of 200 jobs with all their texts can take 50 MB while it is made
CHANGING = {
    *("CancelJob", "RescheduleJob", "RetryJob", "ResolveJob"),
    *("AddSuppression", "RemoveSuppression"),
}
CHANGING_MANY = {"CancelJobs", "RetryJobs", "RunDailyQueue", "ForgetRecipient"}


def turns_of_each() -> Mapping[Turns, Collection[str]]:
    """Give who waits for whom.

    What is not named here waits for nobody: invitations share their writes and are counted there,
    a pause must not wait, and the rest asks no store.
    """
    return {
        Turns(): READING,
        Turns(at_once=2): LISTING,
        Turns(): CHANGING,
        Turns(at_once=2): CHANGING_MANY,
    }


async def unimplemented(_: object, context: Context) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "method not implemented")


class SchedulerServicer:
    """Answers a method by the first of *handlers* that has it; UNIMPLEMENTED where none does.

    Those that read or change what is stored take *turns*.
    """

    def __init__(
        self, *handlers: object, turns: Mapping[Turns, Collection[str]] | None = None
    ) -> None:
        each = turns_of_each() if turns is None else turns
        turn = {name: those for those, names in each.items() for name in names}
        for name in METHODS:
            for handler in handlers:
                if (method := getattr(handler, name, None)) is not None:
                    setattr(self, name, turn[name].taken_by(method) if name in turn else method)
                    break
            else:
                setattr(self, name, unimplemented)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register all methods of the contract with *server*."""
        # They are set when it is made, where no type checker can see them.
        methods = cast("task_pb2_grpc.SchedulerServicer", self)
        task_pb2_grpc.add_SchedulerServicer_to_server(methods, server)
