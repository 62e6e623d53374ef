"""Send a mail of a template to an address that the operator of the service lists for tests."""

from dataclasses import replace

from aiohttp import web

from gcsched.errors import InvalidRequest, RequestIdReused
from gcsched.usecases.admission.send_test import TEST_EMPID
from gcsched.web.console.call import Call
from gcsched.web.console.pages.templates import (
    PAGE,
    SampleForm,
    find_template,
    make_request_id,
    show_sample,
)
from gcsched.web.console.routing import of_page
from gcsched.web.console.samples import make_examples, use_fields

REUSED = "was another mail when this form was sent before; look at the preview and send it again"


async def send(call: Call) -> web.StreamResponse:
    """Send what the form shows, as SendTestMail does. A form that is sent twice is one mail."""
    fields = await call.form()
    sample = use_fields(make_examples(find_template(call)), fields)
    to = fields.get("to", "").strip()
    try:
        found = await call.services.send_test.send(
            replace(sample, email=to, empid=TEST_EMPID),
            request_id=fields.get("request_id", "") or make_request_id(),
            within=call.within,
            client=call.client,
        )
    except InvalidRequest as error:
        own = {"email": ""}
        problem = "; ".join(own.get(v.field, f"{v.field} ") + v.problem for v in error.violations)
    except RequestIdReused:
        fields = {**fields, "request_id": ""}
        problem = REUSED
    else:
        notice = "test" if found.is_accepted and found.is_new else "again-before"
        return call.redirect(f"/jobs/{found.job_id}", done=notice)
    return show_sample(call, SampleForm(sample=sample, fields=fields, problem=problem))


ROUTES = (of_page(PAGE, "/templates/{name}/send", "SendTestMail", send),)
