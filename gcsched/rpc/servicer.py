"""All methods of scheduler.Scheduler, each from the handlers that have it."""

from gcsched.pb import task_pb2, task_pb2_grpc
from gcsched.rpc.turns import Turns

METHODS = [method.name for method in task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods]

WITHOUT_A_TURN = {
    *("ScheduleMeet", "BatchScheduleMeets"),  # these share their writes, and are counted there
    *("GetStatus", "ListTemplates", "PreviewTemplate"),  # these ask no store
}


class SchedulerServicer(task_pb2_grpc.SchedulerServicer):
    """Answers a method by the first of *handlers* that has it; UNIMPLEMENTED where none does.

    Those that read or change what is stored take *turns*.
    """

    def __init__(self, *handlers: object, turns: Turns | None = None) -> None:
        turns = turns or Turns()
        for name in METHODS:
            for each in handlers:
                if (method := getattr(each, name, None)) is not None:
                    in_turn = name not in WITHOUT_A_TURN
                    setattr(self, name, turns.taken_by(method) if in_turn else method)
                    break
