"""The methods of the blocking client about suppressions, recipients and templates."""

from collections.abc import Iterator
from datetime import datetime
from typing import Unpack

from gcsched.client.blocking.connection import BlockingConnection
from gcsched.client.calls import records as calls
from gcsched.client.calls.records import PreviewFields
from gcsched.client.results.jobs import Preview
from gcsched.client.results.records import ForgottenRecipient, Recipient, Suppression, Template


class RecordMethods(BlockingConnection):
    """Read and change what the service keeps beside jobs."""

    def list_suppressions(
        self, *, page_size: int = 0, timeout: float | None = None
    ) -> Iterator[Suppression]:
        """Iterate over the suppressions, in alphabetical order of their addresses."""
        return self._iterate(calls.list_suppressions(page_size=page_size), timeout)

    def get_suppression(self, email: str, *, timeout: float | None = None) -> Suppression:
        """Return the suppression of an address. Raises NotFound if it is not suppressed."""
        return self._run(calls.get_suppression(email), timeout)

    def add_suppression(
        self,
        email: str,
        *,
        reason: str,
        expire_time: datetime | int | None = None,
        timeout: float | None = None,
    ) -> Suppression:
        """Suppress an address until *expire_time*: no mail is sent to it."""
        call = calls.add_suppression(email, reason=reason, expire_time=expire_time)
        return self._run(call, timeout)

    def remove_suppression(self, email: str, *, timeout: float | None = None) -> Suppression:
        """Remove the suppression of an address; return it. Raises NotFound."""
        return self._run(calls.remove_suppression(email), timeout)

    def get_recipient(self, empid: str, *, timeout: float | None = None) -> Recipient:
        """Return what callers sent for an employee. Raises NotFound."""
        return self._run(calls.get_recipient(empid), timeout)

    def forget_recipient(self, empid: str, *, timeout: float | None = None) -> ForgottenRecipient:
        """Erase the personal data of an employee; unfinished jobs keep theirs and are counted."""
        return self._run(calls.forget_recipient(empid), timeout)

    def list_templates(self, *, timeout: float | None = None) -> Iterator[Template]:
        """Iterate over the templates of the process that answers, in alphabetical order."""
        return self._iterate(calls.list_templates(), timeout)

    def preview_template(
        self, template: str = "", *, timeout: float | None = None, **options: Unpack[PreviewFields]
    ) -> Preview:
        """Render a template as a mail would contain it. Stores nothing."""
        return self._run(calls.preview_template(template, **options), timeout)
