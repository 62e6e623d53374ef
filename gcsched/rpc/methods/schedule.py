"""ScheduleMeet and BatchScheduleMeets: convert, call the use case, convert the results."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from gcsched.domain.checks import require_valid
from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.request import MeetRequest, batch_violations
from gcsched.errors import GcschedError, RequestTooLarge
from gcsched.pb import task_pb2
from gcsched.rpc.batches import BatchMessage, BatchRequests, ConvertedRequests, as_requests
from gcsched.rpc.call import MAX_REQUEST, Context, check_size, time_left
from gcsched.rpc.caller import current_caller
from gcsched.rpc.concurrency import CallLimiter
from gcsched.rpc.messages import Answer, batch_answer, dry_run_response, meet_response
from gcsched.rpc.requests import request_from
from gcsched.rpc.status import ErrorsAsStatus, abort_for
from gcsched.usecases.admission.preview import DryRun
from gcsched.usecases.admission.submit import Submit
from gcsched.usecases.loop_share import LoopShare

PREVIEWS_PER_SLOT = 50  # then the slot is free for other calls
BRIEF_SUBJECT_LENGTH = 100
MAX_ANSWERS_BYTES = 3 * 1024 * 1024  # clients accept 4 MiB; beyond this, answers are abbreviated

Reply = task_pb2.MeetResponse | GcschedError


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleMethods:
    submit: Submit
    dry_run: DryRun
    limiter: CallLimiter = field(default_factory=CallLimiter)
    share: LoopShare = field(default_factory=LoopShare)

    async def ScheduleMeet(
        self, request: task_pb2.MeetRequest, context: Context
    ) -> task_pb2.MeetResponse:
        try:
            within = time_left(context)
            check_size(request)
            raw = request_from(request)
            if request.validate_only:
                return await self._dry_run(raw, within)
            return meet_response(
                await self.submit.submit(raw, within=within, client=current_caller())
            )
        except Exception as error:
            await abort_for(context, error)
            raise

    async def BatchScheduleMeets(
        self, request: BatchMessage, context: Context
    ) -> task_pb2.BatchScheduleMeetsResponse:
        async with ErrorsAsStatus(context):
            within = time_left(context)
            requests = as_requests(request)
            require_valid(batch_violations(len(requests)))
            response = task_pb2.BatchScheduleMeetsResponse()
            await self._fill_response(response, await self._answer_all(requests, within))
            return response

    async def _answer_all(self, requests: BatchRequests, within: timedelta) -> list[Reply]:
        """Return the answers in order; all requests to store are submitted together."""
        until = time.monotonic() + within.total_seconds()
        answers: dict[int, Reply] = {}
        previewed, submitted = list[int](), list[int]()
        for number in range(len(requests)):
            if not self.share.try_take():
                await self.share.wait()
            if (octets := requests.size_of(number)) > MAX_REQUEST:
                answers[number] = RequestTooLarge(octets, MAX_REQUEST)
            else:
                (previewed if requests.read(number).validate_only else submitted).append(number)
        answers |= zip(
            previewed,
            await self._preview_all(ConvertedRequests(requests, previewed), until),
            strict=True,
        )
        raws = ConvertedRequests(requests, submitted)
        stored = await self._submit_all(raws, until) if submitted else []
        for number, answer in zip(submitted, stored, strict=True):
            answers[number] = answer if isinstance(answer, GcschedError) else meet_response(answer)
        return [answers[number] for number in range(len(requests))]

    async def _submit_all(
        self, raws: ConvertedRequests, until: float
    ) -> list[AdmissionResult | GcschedError]:
        client = current_caller()
        return await self.submit.submit_all(raws, within=time_until(until), client=client)

    async def _preview_all(self, raws: ConvertedRequests, until: float) -> list[Reply]:
        """Return a dry run of each; shorten the previews that would not fit into one reply."""
        replies, left = list[Reply](), MAX_ANSWERS_BYTES
        for start in range(0, len(raws), PREVIEWS_PER_SLOT):
            part = raws[start : start + PREVIEWS_PER_SLOT]
            for reply in await self._dry_run_all(part, time_until(until)):
                if isinstance(reply, task_pb2.MeetResponse):
                    left -= reply.ByteSize()
                    if left < 0:
                        shorten_preview(reply.preview)
                replies.append(reply)
        return replies

    async def _dry_run(self, raw: MeetRequest, within: timedelta) -> task_pb2.MeetResponse:
        [answer] = await self._dry_run_all([raw], within)
        if isinstance(answer, GcschedError):
            raise answer
        return answer

    async def _dry_run_all(self, raws: Sequence[MeetRequest], within: timedelta) -> list[Reply]:
        """Return a dry run of each request; an error of the whole run is the answer to each."""
        until, client = time.monotonic() + within.total_seconds(), current_caller()
        try:
            async with self.limiter.slot(within):
                found = await self.dry_run.run(raws, within=time_until(until), client=client)
        except GcschedError as error:
            return [error] * len(raws)
        return [
            each if isinstance(each, GcschedError) else dry_run_response(each) for each in found
        ]

    async def _fill_response(
        self, response: task_pb2.BatchScheduleMeetsResponse, replies: Iterable[Reply]
    ) -> None:
        """Add an answer for each of *replies*; abbreviate those that make it too large."""
        left = MAX_ANSWERS_BYTES
        for reply in replies:
            if not self.share.try_take():
                await self.share.wait()
            answer = batch_answer(reply)
            left -= answer.ByteSize()
            response.answers.append(answer if left >= 0 else abbreviate(answer))


def time_until(end: float) -> timedelta:
    return timedelta(seconds=max(0.0, end - time.monotonic()))


def abbreviate(answer: Answer) -> Answer:
    """Return *answer* without its long parts.

    These are the bodies and a long subject of a preview, and the violations of a request.
    """
    if answer.HasField("error"):
        del answer.error.details[1:]
    elif answer.response.HasField("preview"):
        shorten_preview(answer.response.preview)
    return answer


def shorten_preview(preview: task_pb2.Preview) -> None:
    preview.ClearField("text")
    preview.ClearField("html")
    preview.ClearField("calendar")
    preview.subject = preview.subject[:BRIEF_SUBJECT_LENGTH]
