"""ScheduleMeet and BatchScheduleMeets: convert, call the use case, convert."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import grpc
from google.protobuf.message import Message

from gcsched.errors import GcschedError, InvalidRequest, Violation
from gcsched.pb import task_pb2
from gcsched.rpc.answers import Answer, batch_answer, meet_response, rehearsed
from gcsched.rpc.convert import errors_as_status, request_from
from gcsched.rpc.limits import check_size, is_too_large, time_left, too_large
from gcsched.rpc.turns import Turns
from gcsched.usecases.preview import Rehearse
from gcsched.usecases.submit import Submit

MOST_REQUESTS = 1_000
SHOWN_TOGETHER = 50  # in one turn; then it may be somebody else's
SUBJECT_IN_BRIEF = 100
LARGEST_ANSWERS = 3 * 1024 * 1024  # a client takes 4 MiB; beyond this each is told in brief

Reply = task_pb2.MeetResponse | GcschedError
Context = grpc.aio.ServicerContext[Message, Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduling:
    submit: Submit
    rehearse: Rehearse
    turns: Turns = field(default_factory=Turns)

    async def ScheduleMeet(
        self, request: task_pb2.MeetRequest, context: Context
    ) -> task_pb2.MeetResponse:
        async with errors_as_status(context):
            within = time_left(context)
            check_size(request)
            if request.validate_only:
                [answer] = await self._rehearsed([request], within)
                if isinstance(answer, GcschedError):
                    raise answer
                return answer
            return meet_response(await self.submit(request_from(request), within=within))

    async def BatchScheduleMeets(
        self, request: task_pb2.BatchScheduleMeetsRequest, context: Context
    ) -> task_pb2.BatchScheduleMeetsResponse:
        async with errors_as_status(context):
            within = time_left(context)
            if not 1 <= len(request.requests) <= MOST_REQUESTS:
                problem = f"must be 1 to {MOST_REQUESTS}, are {len(request.requests)}"
                raise InvalidRequest([Violation("requests", problem)])
            answers = map(batch_answer, await self._answers(request.requests, within))
            return task_pb2.BatchScheduleMeetsResponse(answers=fitting(answers))

    async def _answers(
        self, requests: Sequence[task_pb2.MeetRequest], within: timedelta
    ) -> list[Reply]:
        """Answer all in order; those to be stored go together."""
        until = time.monotonic() + within.total_seconds()
        answers: dict[int, Reply] = {}
        shown, wanted = list[int](), list[int]()
        for number, request in enumerate(requests):
            if is_too_large(request):
                answers[number] = too_large(request)
            else:
                (shown if request.validate_only else wanted).append(number)
        for begin in range(0, len(shown), SHOWN_TOGETHER):
            some = shown[begin : begin + SHOWN_TOGETHER]
            replies = await self._rehearsed([requests[n] for n in some], time_until(until))
            answers |= zip(some, replies, strict=True)
        raws = [request_from(requests[number]) for number in wanted]
        stored = await self.submit.all(raws, within=time_until(until)) if raws else []
        for number, answer in zip(wanted, stored, strict=True):
            answers[number] = answer if isinstance(answer, GcschedError) else meet_response(answer)
        return [answers[number] for number in range(len(requests))]

    async def _rehearsed(
        self, requests: Sequence[task_pb2.MeetRequest], within: timedelta
    ) -> list[Reply]:
        """Answer what is not to be stored; an error that hits them all is the answer of each."""
        until = time.monotonic() + within.total_seconds()
        raws = [request_from(request) for request in requests]
        try:
            async with self.turns.one(within):
                found = await self.rehearse(raws, within=time_until(until))
        except GcschedError as error:
            return [error] * len(requests)
        return [each if isinstance(each, GcschedError) else rehearsed(each) for each in found]


def time_until(end: float) -> timedelta:
    return timedelta(seconds=max(0.0, end - time.monotonic()))


def fitting(answers: Iterable[Answer]) -> Iterator[Answer]:
    """Give *answers*; those that would make the message too large to be sent without what is long.

    That is text, HTML and a long subject of a preview, and which rules a request has broken.
    """
    left = LARGEST_ANSWERS
    for answer in answers:
        left -= answer.ByteSize()
        if left < 0 and answer.HasField("error"):
            del answer.error.details[1:]
        elif left < 0 and answer.response.HasField("preview"):
            shown = answer.response.preview
            shown.ClearField("text")
            shown.ClearField("html")
            shown.subject = shown.subject[:SUBJECT_IN_BRIEF]
        yield answer
