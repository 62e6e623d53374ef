"""Shows operators that mails do not go to all recipients: in the log and in the status report."""

import structlog

from gcsched.config.settings import Settings
from gcsched.usecases.monitoring.status import SendingReport
from gcsched.wiring import policies

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def build_sending_report(settings: Settings) -> SendingReport:
    allowed = settings.allowed_recipients
    return SendingReport(
        redirect_to=settings.redirect_to,
        allowed_recipients=() if allowed is None else allowed.entries,
        senders=policies.show_senders(settings),
    )


def log_recipient_settings(settings: Settings) -> None:
    """Log where mails go instead, and who alone may get them.

    A service for real recipients must not have these settings, so they are warnings.
    """
    if settings.redirect_to:
        log.warning(
            "all mails are redirected",
            redirect_to=settings.redirect_to,
            effect="no recipient gets a mail from this process; no refusal suppresses an address",
        )
    if (allowed := settings.allowed_recipients) is not None:
        log.warning(
            "recipients are restricted",
            allowed_domains=sorted(allowed.domains),
            allowed_addresses=len(allowed.addresses),
            effect="requests for others are refused, and jobs for others that wait fail",
        )
