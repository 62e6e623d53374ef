"""An existing client, unchanged: it makes one call with stubs of the frozen contract.

python call.py TARGET EMPID EMAIL MESSAGE NAME TIMESTAMP, with the generated stubs in the path.
"""

import sys

import grpc
import task_pb2  # type: ignore[import-not-found]  # generated when the test runs
import task_pb2_grpc  # type: ignore[import-not-found]  # generated when the test runs


def main() -> None:
    target, empid, email, message, name, timestamp = sys.argv[1:]
    with grpc.insecure_channel(target) as channel:
        reply = task_pb2_grpc.SchedulerStub(channel).ScheduleMeet(
            task_pb2.MeetRequest(
                empid=empid,
                emailID=email,
                message=message,
                empName=name,
                timestamp=int(timestamp),
            )
        )
    sys.stdout.write(f"{reply.success} {reply.job_id}\n")


if __name__ == "__main__":
    main()
