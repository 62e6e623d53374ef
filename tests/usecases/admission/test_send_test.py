"""Test mails whose call is repeated; the oracle is what the caller sent."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo.collection import Collection

from gcsched.adapters.mongo.connection import Mongo
from gcsched.domain.access import ANYONE
from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.recipient_list import RecipientList
from gcsched.errors import RequestIdReused
from gcsched.usecases.admission.preview import SampleRecipient
from gcsched.usecases.admission.send_test import SendTestMail
from tests.support.builders import WITH_INVITATIONS, FixedClock, a_job_factory
from tests.support.clocks import SECOND
from tests.support.rows import Row
from tests.usecases.admission.test_submit import LONG, run_submit

CONTEXT = dataclasses.replace(WITH_INVITATIONS, templates={"doc": (), "invitation": ("meeting",)})
LATER = [SECOND, timedelta(days=30)]
TEMPLATES = ["doc", "invitation"]


@pytest.fixture(name="test_mails")
async def make_test_mails(
    mongo: Mongo, redis_url: str, clock: FixedClock
) -> AsyncIterator[SendTestMail]:
    factory = a_job_factory(context=CONTEXT)
    async with run_submit(mongo, redis_url, now=clock, factory=factory) as submit:
        listed = RecipientList.parse("zoe@example.org")
        yield SendTestMail(submit=submit, test_recipients=listed, now=clock)


async def send(test_mails: SendTestMail, request_id: str, **sample: Any) -> AdmissionResult:
    recipient = SampleRecipient(**sample)
    return await test_mails.send(recipient, request_id=request_id, within=LONG, client=ANYONE)


@pytest.mark.parametrize("later", LATER, ids=str)
@pytest.mark.parametrize("template", TEMPLATES)
async def test_a_call_with_a_request_id_may_be_repeated_later(
    test_mails: SendTestMail,
    clock: FixedClock,
    jobs: Collection[Row],
    template: str,
    later: timedelta,
) -> None:
    first = await send(test_mails, "R", template=template)
    [row] = jobs.find()
    assert row["due"] == clock.now
    clock.advance(later)

    again = await send(test_mails, "R", template=template)

    assert (first.outcome, again.outcome) == ("CREATED", "REPLAYED")
    assert (again.job_id, again.meeting_id) == (first.job_id, first.meeting_id)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("other", [{"message": "Lunch"}, {"name": "Bob"}, {"empid": "E2"}], ids=str)
async def test_another_mail_cannot_have_the_same_request_id(
    test_mails: SendTestMail, template: str, other: dict[str, str]
) -> None:
    await send(test_mails, "R", template=template)

    with pytest.raises(RequestIdReused):
        await send(test_mails, "R", template=template, **other)


async def test_the_template_counts_as_well(test_mails: SendTestMail) -> None:
    await send(test_mails, "R", template="doc")

    with pytest.raises(RequestIdReused):
        await send(test_mails, "R", template="invitation")


@pytest.mark.parametrize("template", TEMPLATES)
async def test_without_a_request_id_another_second_is_another_mail(
    test_mails: SendTestMail, clock: FixedClock, template: str
) -> None:
    first = await send(test_mails, "", template=template)
    same_second = await send(test_mails, "", template=template)
    clock.advance(SECOND)

    another = await send(test_mails, "", template=template)

    assert (first.outcome, same_second.outcome, another.outcome) == (
        "CREATED",
        "REPLAYED",
        "CREATED",
    )
