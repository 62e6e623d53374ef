"""Templates: what each needs, and how its mails look with examples or with the values of a job."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aiohttp import web

from gcsched.domain.checks import require_valid
from gcsched.domain.job import Job
from gcsched.domain.mail import TemplateInfo
from gcsched.domain.validation import job_id_violations
from gcsched.errors import InvalidRequest, UnknownJob
from gcsched.usecases.admission.preview import SampleRecipient
from gcsched.web.console.call import Call
from gcsched.web.console.job_mail import ShownMail, make_mail
from gcsched.web.console.mail_view import read_facts, show_mail
from gcsched.web.console.pages.job import require_content
from gcsched.web.console.problems import UnknownTemplate
from gcsched.web.console.routing import Route, of_page
from gcsched.web.console.samples import (
    list_fields,
    list_variables,
    make_examples,
    use_fields,
    use_job,
)

PAGE = "/templates/{name}"
ACT = "PreviewTemplate"
RANDOM_OCTETS = 8
TABS = {"html": "HTML", "phone": "Phone", "text": "Text", "headers": "Headers"}
GMAIL_CLIP = 102 * 1024
"""Octets of HTML that Gmail shows; it hides the rest behind a link."""
FORGOTTEN = "The recipient of this job was forgotten, so its values are not known any more."
NO_JOB = "There is no such job; finished ones are kept for 30 days."
Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleForm:
    """The values of a preview, and where they come from.

    *fields* is the form into which they were typed, None for those of a job or examples.
    *problem* is that of a test mail that was refused.
    """

    sample: SampleRecipient
    job_id: str = ""
    job_problem: str = ""
    fields: Fields | None = None
    problem: str = ""


async def list_all(call: Call) -> web.StreamResponse:
    templates = [(each, list_variables(each)) for each in call.services.templates()]
    return call.page("templates.html", templates=templates)


def find_template(call: Call) -> TemplateInfo:
    """Return the template of the address. Raises UnknownTemplate."""
    name = call.request.match_info["name"]
    found = [each for each in call.services.templates() if each.name == name]
    if not found:
        raise UnknownTemplate
    return found[0]


async def show(call: Call) -> web.StreamResponse:
    """Show a template with examples, or as for the job in the address."""
    sample, problem = await find_sample(call)
    return show_sample(
        call, SampleForm(sample=sample, job_id=find_job_id(call), job_problem=problem)
    )


async def show_typed(call: Call) -> web.StreamResponse:
    """Show it with the values of a form, which may be personal: they have no place in a URL."""
    fields = await call.form()
    sample = use_fields(make_examples(find_template(call)), fields)
    return show_sample(call, SampleForm(sample=sample, fields=fields))


def find_job_id(call: Call) -> str:
    return call.request.query.get("job", "").strip()


async def find_sample(call: Call) -> tuple[SampleRecipient, str]:
    """Return the values of the job in the address, else examples, and what is wrong with the job.

    Raises ScopeMissing if the client may not read the job's content.
    """
    examples, job_id = make_examples(find_template(call)), find_job_id(call)
    if not job_id:
        return examples, ""
    try:
        job = await read_job(call, job_id)
    except UnknownJob:
        return examples, NO_JOB
    except InvalidRequest as error:
        return examples, error.violations[0].problem
    return (examples, FORGOTTEN) if job.is_erased else (use_job(examples, job), "")


async def read_job(call: Call, job_id: str) -> Job:
    require_valid(job_id_violations(job_id))
    async with call.services.slots.reading.slot(call.within):
        job = await call.services.read_jobs.get(job_id, call.client)
    require_content(call, job)
    return job


def show_sample(call: Call, form: SampleForm) -> web.Response:
    """Show the page with the mail of *form*."""
    template, mail = find_template(call), make_sample_mail(call, form.sample)
    listed = call.services.send_test.test_recipients
    given = call.request.query if form.fields is None else form.fields
    return call.page(
        "template.html",
        status=400 if form.problem or form.job_problem else 200,
        info=template,
        form=form,
        fields=list(list_fields(form.sample)),
        is_typed=form.fields is not None,
        mail=mail,
        html_size=len(mail.html.encode()),
        most_html=GMAIL_CLIP,
        listed=None if listed is None else listed.entries,
        to=given.get("to", ""),
        request_id=given.get("request_id", "") or make_request_id(),
        **build_view(call, form, mail, given),
    )


def build_view(call: Call, form: SampleForm, mail: ShownMail, given: Fields) -> dict[str, object]:
    """Return the tabs, the chosen one, and what surrounds the mail."""
    tab = given.get("tab", "")
    page = call.link(f"/templates/{quote(form.sample.template, safe='')}")
    job = {"job": form.job_id} if form.job_id and not form.job_problem else {}
    facts, has_images = read_facts(mail.html), "images" in given
    images = {"images": "1"} if has_images else {}
    return {
        "page": page,
        "tab": tab if tab in TABS else "html",
        "tabs": [(each, TABS[each], f"{page}?{urlencode({**job, 'tab': each})}") for each in TABS],
        "source": f"{page}/mail?{urlencode({**job, **images})}",
        "links": facts.links,
        "has_images": has_images,
        "has_hidden_images": facts.has_remote_images and not has_images,
        "with_images": f"{page}?{urlencode({**job, 'tab': tab, 'images': '1'})}",
    }


def make_request_id() -> str:
    return f"test-{secrets.token_hex(RANDOM_OCTETS)}"


def make_sample_mail(call: Call, sample: SampleRecipient) -> ShownMail:
    try:
        job = call.services.preview.create_job(sample, call.client)
    except InvalidRequest as error:
        problem = "; ".join(f"{each.field} {each.problem}" for each in error.violations)
        return ShownMail(problem=problem)
    return make_mail(call.services.mails, job)


async def show_html(call: Call) -> web.StreamResponse:
    """Answer with the bare HTML of the mail, in a document that can do nothing."""
    sample, _ = await find_sample(call)
    return send_html(call, sample, has_images="images" in call.request.query)


async def show_typed_html(call: Call) -> web.StreamResponse:
    fields = await call.form()
    sample = use_fields(make_examples(find_template(call)), fields)
    return send_html(call, sample, has_images="images" in fields)


def send_html(call: Call, sample: SampleRecipient, *, has_images: bool) -> web.Response:
    mail = make_sample_mail(call, sample)
    return show_mail(mail.html or mail.problem, has_images=has_images)


ROUTES = (
    Route(method="GET", path="/templates", act="ListTemplates", handler=list_all),
    Route(method="GET", path=PAGE, act=ACT, handler=show),
    of_page(PAGE, PAGE, ACT, show_typed),
    Route(method="GET", path="/templates/{name}/mail", act=ACT, handler=show_html),
    of_page(PAGE, "/templates/{name}/mail", ACT, show_typed_html),
)
