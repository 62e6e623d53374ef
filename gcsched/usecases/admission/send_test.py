"""Test mails: a template, sent to an address that the operator has listed for that."""

from dataclasses import dataclass
from datetime import timedelta

from gcsched.domain.access import ANYONE, Client
from gcsched.domain.address import parse_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.job import Priority
from gcsched.domain.recipient_list import RecipientList
from gcsched.domain.request import MeetRequest
from gcsched.errors import InvalidRequest, Violation
from gcsched.usecases.admission.preview import (
    SampleRecipient,
    find_sample_event,
    with_sample_fields,
)
from gcsched.usecases.admission.submit import Submit
from gcsched.usecases.ports import Clock

TEST_EMPID = "gcsched-test"
"""The employee of a test mail: not an example that some employee may really have."""
AT_ONCE = 1
"""A time that is past. Unlike the present second it is the same whenever a call is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTestMail:
    """Schedules a mail of a template for now, as an ordinary job that is urgent.

    Its recipient must be one of *test_recipients*; None: the operator allows no test mails. All
    other rules and limits of requests apply as well.
    """

    submit: Submit
    test_recipients: RecipientList | None
    now: Clock

    async def send(
        self,
        sample: SampleRecipient,
        *,
        request_id: str,
        within: timedelta,
        client: Client = ANYONE,
    ) -> AdmissionResult:
        """Accept the mail of *sample*. Raises InvalidRequest, and what `Submit.submit` raises."""
        require_valid(address_violations(sample.email, self.test_recipients))
        now, context = self.now(), self.submit.job_factory.context
        raw = MeetRequest(
            empid=sample.empid,
            email=sample.email,
            message=sample.message,
            name=sample.name,
            timestamp=AT_ONCE if request_id else int(now.timestamp()),
            template=sample.template,
            variables=sample.variables,
            sender=sample.sender,
            event=find_sample_event(sample.template, now, context),
            is_sample=True,
            request_id=request_id,
            priority=Priority.URGENT,
        )
        try:
            return await self.submit.submit(raw, within=within, client=client)
        except InvalidRequest as error:
            raise with_sample_fields(error) from error


def address_violations(email: str, listed: RecipientList | None) -> Checked[None]:
    """Check that *email* is an address that *listed* allows."""
    address = yield from parse_address(email, field="email", rules=AddressRules.ANY)
    if listed is None:
        problem = "cannot get a test mail: GCSCHED_TEST_RECIPIENTS is not set"
        yield Violation("email", f"{problem}; the operator of this service lists addresses there")
    elif address and not listed.allows(address):
        problem = "must be one of GCSCHED_TEST_RECIPIENTS, which the operator of this service lists"
        yield Violation("email", problem)
