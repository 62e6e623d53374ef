"""The methods of the asyncio client about suppressions, recipients and templates."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Unpack

from gcsched.client.asynchronous.connection import AsyncConnection
from gcsched.client.calls import records as calls
from gcsched.client.calls.records import PreviewFields, SampleMailFields
from gcsched.client.results.jobs import Preview, ScheduledJob
from gcsched.client.results.records import ForgottenRecipient, Recipient, Suppression, Template


class AsyncRecordMethods(AsyncConnection):
    """Read and change what the service keeps beside jobs."""

    def list_suppressions(
        self, *, page_size: int = 0, timeout: float | None = None
    ) -> AsyncIterator[Suppression]:
        """Do what Client.list_suppressions does."""
        return self._iterate(calls.list_suppressions(page_size=page_size), timeout)

    async def add_suppression(
        self,
        email: str,
        *,
        reason: str,
        expire_time: datetime | int | None = None,
        timeout: float | None = None,
    ) -> Suppression:
        """Do what Client.add_suppression does."""
        call = calls.add_suppression(email, reason=reason, expire_time=expire_time)
        return await self._run(call, timeout)

    async def get_suppression(self, email: str, *, timeout: float | None = None) -> Suppression:
        """Do what Client.get_suppression does."""
        return await self._run(calls.get_suppression(email), timeout)

    async def remove_suppression(self, email: str, *, timeout: float | None = None) -> Suppression:
        """Do what Client.remove_suppression does."""
        return await self._run(calls.remove_suppression(email), timeout)

    async def get_recipient(self, empid: str, *, timeout: float | None = None) -> Recipient:
        """Do what Client.get_recipient does."""
        return await self._run(calls.get_recipient(empid), timeout)

    async def forget_recipient(
        self, empid: str, *, timeout: float | None = None
    ) -> ForgottenRecipient:
        """Do what Client.forget_recipient does."""
        return await self._run(calls.forget_recipient(empid), timeout)

    def list_templates(self, *, timeout: float | None = None) -> AsyncIterator[Template]:
        """Do what Client.list_templates does."""
        return self._iterate(calls.list_templates(), timeout)

    async def preview_template(
        self, template: str = "", *, timeout: float | None = None, **options: Unpack[PreviewFields]
    ) -> Preview:
        """Do what Client.preview_template does."""
        return await self._run(calls.preview_template(template, **options), timeout)

    async def send_test_mail(
        self,
        email: str,
        template: str = "",
        *,
        timeout: float | None = None,
        **options: Unpack[SampleMailFields],
    ) -> ScheduledJob:
        """Do what Client.send_test_mail does."""
        return await self._run(calls.send_test_mail(email, template, **options), timeout)
