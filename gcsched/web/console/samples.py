"""The sample values of a preview: examples, those of a job, or those that a form has. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from gcsched.domain.job import Job
from gcsched.domain.mail import TemplateInfo
from gcsched.domain.request import MEETING
from gcsched.usecases.admission.preview import SampleRecipient

TEXTS = ("empid", "name", "email", "message")
VARIABLE = "var."
"""Before the names of variables, which may be those of other fields."""


def list_variables(template: TemplateInfo) -> list[str]:
    """Return the variables that a caller gives; the meeting is not one of them."""
    return [each for each in template.required_variables if each != MEETING]


def make_examples(template: TemplateInfo) -> SampleRecipient:
    """Return a sample with an example for each variable that *template* requires."""
    variables = {each: f"({each.replace('_', ' ')})" for each in list_variables(template)}
    return SampleRecipient(template=template.name, variables=variables)


def use_job(sample: SampleRecipient, job: Job) -> SampleRecipient:
    """Return *sample* with the values of *job*; examples stay for variables that it lacks."""
    return replace(
        sample,
        empid=job.empid,
        name=job.name,
        email=job.email,
        message=job.message,
        variables={**sample.variables, **job.variables},
    )


def use_fields(sample: SampleRecipient, fields: Mapping[str, str]) -> SampleRecipient:
    """Return *sample* with the values of a form."""
    given = {name: fields[name].strip() for name in TEXTS if fields.get(name, "").strip()}
    variables = {
        name.removeprefix(VARIABLE): value
        for name, value in fields.items()
        if name.startswith(VARIABLE)
    }
    return replace(sample, **given, variables={**sample.variables, **variables})


def list_fields(sample: SampleRecipient) -> Iterator[tuple[str, str]]:
    """Yield the fields of a form for *sample*, with their values."""
    for name in TEXTS:
        yield name, getattr(sample, name)
    for name, value in sample.variables.items():
        yield f"{VARIABLE}{name}", value
