"""All methods of scheduler.Scheduler, each from the handlers that have it."""

from gcsched.pb import task_pb2, task_pb2_grpc

METHODS = [method.name for method in task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods]


class SchedulerServicer(task_pb2_grpc.SchedulerServicer):
    """Answers a method by the first of *handlers* that has it; UNIMPLEMENTED where none does."""

    def __init__(self, *handlers: object) -> None:
        for name in METHODS:
            for each in handlers:
                if (method := getattr(each, name, None)) is not None:
                    setattr(self, name, method)
                    break
