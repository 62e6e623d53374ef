"""Many requests in batches that the service accepts, and one answer for each. Pure."""

from collections.abc import Iterable, Sequence

from gcsched.client.calls.scheduling import MailRequest, build_message, parse_reply
from gcsched.client.errors import CallFailed, InvalidArgument, convert_status
from gcsched.client.results.jobs import ScheduledJob
from gcsched.pb import task_pb2

METHOD = "BatchScheduleMeets"
MAX_REQUESTS = 1_000
MAX_BYTES = 4 * 2**20 - 2**10  # the service accepts 4 MiB; the rest is for gRPC
FRAME_BYTES = 6  # around each request in a batch: a tag and a length


class BatchRun:
    """Sends *requests* batch by batch: each is taken by `next_batch` and ended by one answer.

    Raises TypeError and ValueError before the first batch if a request cannot be sent.
    """

    def __init__(self, requests: Iterable[MailRequest]) -> None:
        self._messages = [build_message(each) for each in requests]
        self._sent = 0
        self.answers: list[ScheduledJob | CallFailed] = []

    def next_batch(self) -> task_pb2.BatchScheduleMeetsRequest | None:
        """Return the next batch, or None if all requests have an answer."""
        self._refuse_oversized()
        waiting = self._messages[len(self.answers) :]
        if not waiting:
            return None
        chosen = waiting[: count_fitting([each.ByteSize() for each in waiting[:MAX_REQUESTS]])]
        self._sent = len(chosen)
        return task_pb2.BatchScheduleMeetsRequest(requests=chosen)

    def accept(self, reply: task_pb2.BatchScheduleMeetsResponse, target: str) -> None:
        """Take the answers of the batch under way."""
        if len(reply.answers) != self._sent:
            answered = f"{target} answered {len(reply.answers)} of {self._sent} requests"
            self.fail(CallFailed(answered, code="INTERNAL"))
            return
        self.answers += [read_answer(each, target) for each in reply.answers]

    def fail(self, error: CallFailed) -> None:
        """Answer all requests that have no answer yet with *error*."""
        self.answers += [error] * (len(self._messages) - len(self.answers))

    def _refuse_oversized(self) -> None:
        for message in self._messages[len(self.answers) :]:
            size = message.ByteSize()
            if size + FRAME_BYTES <= MAX_BYTES:
                return
            sentence = f"the request has {size} bytes; no service accepts that many"
            self.answers.append(
                InvalidArgument(sentence, code="INVALID_ARGUMENT", reason="REQUEST_TOO_LARGE")
            )


def count_fitting(sizes: Sequence[int]) -> int:
    """Return how many requests of these *sizes* fit into one batch."""
    total = 0
    for count, size in enumerate(sizes):
        total += size + FRAME_BYTES
        if total > MAX_BYTES:
            return count
    return len(sizes)


def read_answer(
    answer: task_pb2.BatchScheduleMeetsResponse.Answer, target: str
) -> ScheduledJob | CallFailed:
    if answer.HasField("error"):
        return convert_status(answer.error, target)
    try:
        return parse_reply(answer.response)
    except CallFailed as refused:
        return refused
