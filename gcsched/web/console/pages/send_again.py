"""Send the mail of a job again, as a new job: for "I never got it"."""

import secrets
from collections.abc import Mapping

from aiohttp import web

from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.job import Job
from gcsched.domain.request import MeetRequest
from gcsched.errors import InvalidRequest, RequestIdReused, Violation
from gcsched.web.console.call import Call
from gcsched.web.console.job_words import write_headline
from gcsched.web.console.pages.job import METHODS, read_job, require_content

RANDOM_OCTETS = 6
OF_A_MEETING = "belongs to a meeting, which sends its mails itself: change the meeting instead"
FORGOTTEN = "is not known any more: the recipient was forgotten"


async def show(call: Call) -> web.StreamResponse:
    """Show the form. The request id in it makes a form that is sent twice one request."""
    job = await read_sendable(call)
    request_id = f"again-{job.id}-{secrets.token_hex(RANDOM_OCTETS)}"
    now = str(int(call.times().now.timestamp()))
    return show_form(call, job, {"email": job.email, "request_id": request_id, "timestamp": now})


async def act(call: Call) -> web.StreamResponse:
    job, fields = await read_sendable(call), await call.form()
    try:
        found = await call.services.submit.submit(
            make_request(call, job, fields), within=call.within, client=call.client
        )
    except InvalidRequest as error:
        return show_form(call, job, fields, problems=name_fields(error))
    except RequestIdReused:
        problem = "was another one when this form was sent before; open the form again"
        return show_form(call, job, fields, problems={"email": problem})
    return call.redirect(f"/jobs/{found.job_id}", done=find_notice(found))


async def read_sendable(call: Call) -> Job:
    """Return the job of the address. Raises UnknownJob, ScopeMissing, InvalidRequest."""
    job = await read_job(call)
    require_content(call, job)
    if job.meeting is not None or job.is_erased:
        raise InvalidRequest([Violation("job", FORGOTTEN if job.is_erased else OF_A_MEETING)])
    return job


def make_request(call: Call, job: Job, fields: Mapping[str, str]) -> MeetRequest:
    """Return the request for the mail of *job* now, to the address in the form."""
    return MeetRequest(
        empid=job.empid,
        email=fields.get("email", "").strip(),
        message=job.message,
        name=job.name,
        timestamp=find_timestamp(call, fields),
        request_id=fields.get("request_id", ""),
        template=job.template,
        variables=job.variables,
        reply_to=job.reply_to,
        labels=job.labels,
        priority=job.priority,
        sender=job.sender,
    )


def find_timestamp(call: Call, fields: Mapping[str, str]) -> int:
    """Return when the form was opened, so that a form that is sent twice is the same request."""
    now, text = int(call.times().now.timestamp()), fields.get("timestamp", "")
    is_given = text.isascii() and text.isdecimal() and len(text) <= len(str(now))
    return min(int(text), now) if is_given else now


def name_fields(error: InvalidRequest) -> dict[str, str]:
    """Return the problems by the fields of the form; those of other fields at the address."""
    own = {"emailID": ""}
    problems = [own.get(each.field, f"{each.field} ") + each.problem for each in error.violations]
    return {"email": "; ".join(problems)}


def find_notice(found: AdmissionResult) -> str:
    if not found.is_accepted:
        return "not-again"
    return "again" if found.is_new else "again-before"


def show_form(
    call: Call,
    job: Job,
    fields: Mapping[str, str],
    *,
    problems: Mapping[str, str] | None = None,
) -> web.Response:
    return call.page(
        "send_again.html",
        status=400 if problems else 200,
        job=job,
        headline=write_headline(job, call.times().now),
        email=fields.get("email", ""),
        request_id=fields.get("request_id", ""),
        timestamp=fields.get("timestamp", ""),
        problem=(problems or {}).get("email", ""),
        method=METHODS["again"],
    )
