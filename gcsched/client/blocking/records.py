"""The methods of the blocking client about suppressions, recipients and templates."""

from collections.abc import Iterator
from datetime import datetime
from typing import Unpack

from gcsched.client.blocking.connection import BlockingConnection
from gcsched.client.calls import records as calls
from gcsched.client.calls.records import PreviewFields, SampleMailFields
from gcsched.client.results.jobs import Preview, ScheduledJob
from gcsched.client.results.records import ForgottenRecipient, Recipient, Suppression, Template


class RecordMethods(BlockingConnection):
    """Read and change what the service keeps beside jobs."""

    def list_suppressions(
        self, *, page_size: int = 0, timeout: float | None = None
    ) -> Iterator[Suppression]:
        """Iterate over the suppressions, in alphabetical order of their addresses.

        They are read page by page, as jobs are by list_jobs. Raises CallFailed.

        >>> sum(1 for suppression in gcsched.list_suppressions())
        0
        """
        return self._iterate(calls.list_suppressions(page_size=page_size), timeout)

    def add_suppression(
        self,
        email: str,
        *,
        reason: str,
        expire_time: datetime | int | None = None,
        timeout: float | None = None,
    ) -> Suppression:
        """Suppress an address until *expire_time*, so that it gets no mail; return that.

        Without a time, it is for as long as the service decides. Raises CallFailed.

        >>> gcsched.add_suppression("gone@example.org", reason="has left").reason
        'has left'
        """
        call = calls.add_suppression(email, reason=reason, expire_time=expire_time)
        return self._run(call, timeout)

    def get_suppression(self, email: str, *, timeout: float | None = None) -> Suppression:
        """Return the suppression of an address, in any spelling. Raises NotFound, CallFailed.

        >>> gcsched.get_suppression("Gone@example.org").reason
        'has left'
        """
        return self._run(calls.get_suppression(email), timeout)

    def remove_suppression(self, email: str, *, timeout: float | None = None) -> Suppression:
        """Remove the suppression of an address; return it. Raises NotFound, CallFailed.

        >>> gcsched.remove_suppression("Gone@example.org").email
        'gone@example.org'
        """
        return self._run(calls.remove_suppression(email), timeout)

    def get_recipient(self, empid: str, *, timeout: float | None = None) -> Recipient:
        """Return what callers sent for an employee. Raises NotFound, CallFailed.

        >>> gcsched.get_recipient("E2").email
        'bob@example.org'
        """
        return self._run(calls.get_recipient(empid), timeout)

    def forget_recipient(self, empid: str, *, timeout: float | None = None) -> ForgottenRecipient:
        """Erase the personal data of an employee; unfinished jobs keep theirs and are counted.

        Raises CallFailed.

        >>> gcsched.forget_recipient("E2")
        ForgottenRecipient(erased_jobs=1, unfinished_jobs=0, details_erased=True)
        """
        return self._run(calls.forget_recipient(empid), timeout)

    def list_templates(self, *, timeout: float | None = None) -> Iterator[Template]:
        """Iterate over the templates of the process that answers, in alphabetical order.

        >>> [template.name for template in gcsched.list_templates()]
        ['cancellation', 'doc', 'invitation', 'reminder', 'update']
        """
        return self._iterate(calls.list_templates(), timeout)

    def preview_template(
        self, template: str = "", *, timeout: float | None = None, **options: Unpack[PreviewFields]
    ) -> Preview:
        """Render a template as a mail would contain it; store nothing. Raises CallFailed.

        What is not given in PreviewFields has an example value.

        >>> gcsched.preview_template("doc", message="Lunch").subject
        'Lunch'
        """
        return self._run(calls.preview_template(template, **options), timeout)

    def send_test_mail(
        self,
        email: str,
        template: str = "",
        *,
        timeout: float | None = None,
        **options: Unpack[SampleMailFields],
    ) -> ScheduledJob:
        """Send a mail of a template now, to an address that the operator allows for tests.

        What is not given in SampleMailFields has an example value. Raises InvalidArgument if
        GCSCHED_TEST_RECIPIENTS does not have the address, CallFailed.

        >>> gcsched.send_test_mail("ada@example.org", "doc").outcome
        'CREATED'
        """
        return self._run(calls.send_test_mail(email, template, **options), timeout)
