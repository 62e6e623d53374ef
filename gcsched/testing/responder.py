"""Answer the calls to a fake: by the errors and answers that the test set up, else by the rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeAlias, cast

import grpc
from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status

from gcsched.domain.checks import require_valid
from gcsched.domain.request import batch_violations
from gcsched.errors import GcschedError
from gcsched.pb import task_pb2
from gcsched.testing.admission import FakeAdmission
from gcsched.testing.contract_methods import METHODS, ContractMethod
from gcsched.testing.failures import CallRefused, Failure, build_status, name_status
from gcsched.testing.meeting_memory import METHODS as MEETING_METHODS
from gcsched.testing.meeting_memory import MeetingMemory
from gcsched.testing.records import RecordedCall, Records, ScheduledRequest
from gcsched.testing.script import Script

Reply: TypeAlias = tuple[Message, Sequence[ScheduledRequest]]
BatchAnswer = task_pb2.BatchScheduleMeetsResponse.Answer

SCHEDULE, BATCH = "ScheduleMeet", "BatchScheduleMeets"
# Keeps the client from calling again: it would hide an error that a test chose for one call.
NO_RETRY = ("grpc-retry-pushback-ms", "-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """Answers each call and records it. Its methods run in many threads at once."""

    admission: FakeAdmission
    script: Script
    records: Records
    meetings: MeetingMemory

    def respond(
        self, method: ContractMethod, request: Any, context: grpc.ServicerContext
    ) -> Message:
        """Return the reply to *request*, or abort the call with an error."""
        metadata = dict(context.invocation_metadata())
        call = RecordedCall(method=method.name, request=request, metadata=metadata)
        try:
            reply, scheduled = self._find_reply(method, request)
        except Exception as error:
            status = find_status(error, method, request)
            self.records.add(replace(call, failure=name_status(status)), [])
            abort(context, status)
        self.records.add(call, scheduled)
        return reply

    def _find_reply(self, method: ContractMethod, request: Any) -> Reply:
        refuse_if(self.script.take_failure(method.name), request)
        known: Mapping[str, Callable[[Any], Reply]] = {
            SCHEDULE: self._schedule,
            BATCH: self._schedule_many,
            "ListTemplates": self._list_templates,
        }
        if method.name in known:
            return known[method.name](request)
        # At the first such call only: the rules of all methods take 0.1 s to import.
        from gcsched.testing.rules import check_request

        check_request(method.name, request, self.admission)
        reply = self._find_answer(method, request)
        if reply is None and method.name in MEETING_METHODS:
            reply = self.meetings.answer(method.name, request)
        if reply is None:
            raise CallRefused(explain_missing_answer(method))
        return reply, []

    def _schedule(self, request: task_pb2.MeetRequest) -> Reply:
        refuse_if(self.script.find_failure_for(request.empid), request)
        reply, scheduled = self.admission.admit(request)
        chosen = self._find_answer(METHODS[SCHEDULE], request)
        answer = reply if chosen is None else cast("task_pb2.MeetResponse", chosen)
        if request.validate_only or not answer.success:
            return answer, []
        return answer, [replace(scheduled, job_id=answer.job_id, meeting_id=answer.meeting_id)]

    def _schedule_many(self, batch: task_pb2.BatchScheduleMeetsRequest) -> Reply:
        require_valid(batch_violations(len(batch.requests)))
        chosen = self._find_answer(METHODS[BATCH], batch)
        if chosen is not None:
            return chosen, []
        answers, scheduled = list[BatchAnswer](), list[ScheduledRequest]()
        for request in batch.requests:
            try:
                refuse_if(self.script.take_failure(SCHEDULE, is_call=False), request)
                reply, new = self._schedule(request)
            except Exception as error:
                answers.append(BatchAnswer(error=find_status(error, METHODS[SCHEDULE], request)))
            else:
                answers.append(BatchAnswer(response=cast("task_pb2.MeetResponse", reply)))
                scheduled.extend(new)
        return task_pb2.BatchScheduleMeetsResponse(answers=answers), scheduled

    def _list_templates(self, request: task_pb2.ListTemplatesRequest) -> Reply:
        chosen = self._find_answer(METHODS["ListTemplates"], request)
        return self.admission.list_templates() if chosen is None else chosen, []

    def _find_answer(self, method: ContractMethod, request: Any) -> Message | None:
        answer = self.script.take_answer(method.name)
        if answer is None or isinstance(answer, Message):
            return answer
        return method.convert_reply(answer(request))


def refuse_if(failure: Failure | None, request: Any) -> None:
    if failure is not None:
        raise CallRefused(build_status(failure, request))


def find_status(error: Exception, method: ContractMethod, request: Any) -> status_pb2.Status:
    """Return the status for *error*; any other one than ours is a defect of the test's answer."""
    if isinstance(error, CallRefused):
        return error.status
    if isinstance(error, GcschedError):
        return build_status(error, request)
    problem = f"the answer that the test set for {method.name} failed: {error!r}"
    return status_pb2.Status(code=code_pb2.INTERNAL, message=problem)


def explain_missing_answer(method: ContractMethod) -> status_pb2.Status:
    message = (
        f"gcsched.testing stores nothing, so it has no answer to {method.name}: set one in the"
        f" test, fake.answer({method.name!r}, task_pb2.{method.reply.DESCRIPTOR.name}(...))"
    )
    return status_pb2.Status(code=code_pb2.UNIMPLEMENTED, message=message)


def abort(context: grpc.ServicerContext, status: status_pb2.Status) -> NoReturn:
    prepared = rpc_status.to_status(status)
    context.set_trailing_metadata((*prepared.trailing_metadata, NO_RETRY))
    context.abort(prepared.code, prepared.details)
