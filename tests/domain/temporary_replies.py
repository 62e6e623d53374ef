"""Temporary replies of relays: stage, reply, the kind it means, and the wait it asks for, if any.

Written down from what is known of the named programs and services, not copied from them. Kind and
wait are as an administrator would read the line; a term or a limit is not a wait.
"""

from datetime import timedelta

from gcsched.domain.smtp_reply import Kind, Stage

RELAY, DEFERRED = Kind.RELAY, Kind.DEFERRED
MAIL, RCPT, DATA, BODY = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY
TemporaryReply = tuple[Stage, str, Kind, timedelta | None]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


POSTFIX: tuple[TemporaryReply, ...] = (
    (MAIL, "452 4.3.1 Insufficient system storage", RELAY, None),
    (RCPT, "452 4.3.1 Insufficient system storage", RELAY, None),
    (BODY, "452 4.3.1 Insufficient system storage", RELAY, None),
    (BODY, "451 4.3.0 Error: queue file write error", RELAY, None),
    (DATA, "451 4.3.0 Error: internal error 1", RELAY, None),
    (
        RCPT,
        "451 4.3.5 <ada@y.org>: Recipient address rejected: Server configuration error",
        RELAY,
        None,
    ),
    (RCPT, "451 4.3.5 Server configuration problem", RELAY, None),
    (MAIL, "451 4.3.0 <team@x.org>: Temporary lookup failure", RELAY, None),
    (MAIL, "450 4.7.1 Error: too much mail from 192.0.2.1", RELAY, None),
    (RCPT, "450 4.7.1 Error: too many recipients from 192.0.2.1", RELAY, None),
    (RCPT, "421 4.3.2 mx.y.org: Service shutting down", RELAY, None),
    # A table without an answer for one recipient now, a filter without a verdict on this mail.
    (RCPT, "451 4.3.0 <ada@y.org>: Temporary lookup failure", DEFERRED, None),
    (RCPT, "451 4.7.1 Service unavailable - try again later", DEFERRED, None),
    (BODY, "451 4.7.1 Service unavailable - try again later", DEFERRED, None),
    (
        RCPT,
        "450 4.1.1 <ada@y.org>: unverified address: Address verification in progress",
        DEFERRED,
        None,
    ),
    (RCPT, "450 4.1.2 <ada@y.org>: Recipient address rejected: Domain not found", DEFERRED, None),
    (
        RCPT,
        "450 4.2.0 <ada@y.org>: Recipient address rejected: Greylisted, see http://y.org",
        DEFERRED,
        None,
    ),
    (
        RCPT,
        "450 4.2.0 <ada@y.org>: Recipient address rejected: Greylisted for 300 seconds (see y.org)",
        DEFERRED,
        minutes(5),
    ),
    (RCPT, "450 4.7.1 <ada@y.org>: Policy Rejection- Please try later.", DEFERRED, None),
    (RCPT, "450 4.3.2 <ada@y.org>: try again in 5 minutes", DEFERRED, minutes(5)),
    (
        RCPT,
        "450 4.3.2 Greylisting: the service is busy, try again in 60 seconds",
        DEFERRED,
        minutes(1),
    ),
)
EXIM: tuple[TemporaryReply, ...] = (
    (MAIL, "452 Space shortage, please try later", RELAY, None),
    (RCPT, "452 space shortage, please try later", RELAY, None),
    (MAIL, "421 Too many concurrent SMTP connections; please try again later.", RELAY, None),
    (RCPT, "451 Could not complete sender verify", RELAY, None),
    (RCPT, "451 Temporary local problem - please try later", DEFERRED, None),
    (RCPT, "451 Greylisted, please try again in 180 seconds", DEFERRED, minutes(3)),
    (RCPT, "451 Greylisting in action: wait another 2 mins", DEFERRED, minutes(2)),
    (RCPT, "451 retry time not reached for any host after a long failure period", DEFERRED, None),
)
SENDMAIL: tuple[TemporaryReply, ...] = (
    (MAIL, "452 4.4.5 Insufficient disk space; try again later", RELAY, None),
    (RCPT, "452 4.3.1 Out of memory", RELAY, None),
    (RCPT, "421 4.3.2 Connection rate limit exceeded.", RELAY, None),
    (BODY, "451 4.3.0 Temporary system failure. Please try again later", RELAY, None),
    (RCPT, "450 4.7.1 Relaying temporarily denied. Cannot resolve PTR record", RELAY, None),
    (RCPT, "451 4.7.1 Greylisting in action, please come back in 00:05:00", DEFERRED, minutes(5)),
    # A milter without a text of its own: greylisting, or the milter is unavailable.
    (RCPT, "451 4.3.2 Please try again later", DEFERRED, None),
    (BODY, "451 4.3.2 Please try again later", DEFERRED, None),
    (RCPT, "452 4.5.3 Too many recipients", DEFERRED, None),
)
EXCHANGE: tuple[TemporaryReply, ...] = (
    (MAIL, "452 4.3.1 Insufficient system resources", RELAY, None),
    (RCPT, "452 4.3.1 Insufficient system resources (UsedDiskSpace[C:])", RELAY, None),
    (RCPT, "450 4.3.2 System not accepting network messages", RELAY, None),
    (BODY, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", RELAY, None),
    (
        RCPT,
        "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)",
        RELAY,
        None,
    ),
    (
        RCPT,
        "451 4.7.650 [192.0.2.1] has been temporarily rate limited due to IP reputation",
        RELAY,
        None,
    ),
    (BODY, "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", DEFERRED, None),
    (RCPT, "451 4.7.0 Temporary server error. Please try again later. PRX2", DEFERRED, None),
    (BODY, "450 4.7.320 Certificate validation failed", DEFERRED, None),
    (BODY, "452 4.2.2 STOREDRV; mailbox full", DEFERRED, None),
)
GMAIL: tuple[TemporaryReply, ...] = (
    (MAIL, "421 4.3.0 Temporary System Problem. Try again later", RELAY, None),
    (RCPT, "421 4.7.28 Gmail has detected an unusual rate of mail from your IP", RELAY, None),
    (
        BODY,
        "450 4.7.28 unusual rate of mail from your domain; it has been rate limited",
        RELAY,
        None,
    ),
    (
        RCPT,
        "450 4.2.1 The user you are trying to contact is receiving mail too quickly",
        DEFERRED,
        None,
    ),
    (
        RCPT,
        "451 4.3.0 Multiple destination domains per transaction is unsupported.",
        DEFERRED,
        None,
    ),
    (RCPT, "452 4.2.2 The recipient's inbox is out of storage space and inactive", DEFERRED, None),
)
SERVICES: tuple[TemporaryReply, ...] = (
    # Amazon SES, SendGrid, Mailgun
    (BODY, "454 Throttling failure: Maximum sending rate exceeded.", RELAY, None),
    (BODY, "451 4.4.2 Timeout waiting for data from client.", DEFERRED, None),
    (MAIL, "421 Too many simultaneous connections, try again later", RELAY, None),
    (RCPT, "450 Rate limited, retry after 60 seconds", RELAY, minutes(1)),
    (BODY, "451 You have exceeded your messaging limits, wait 1h30m", RELAY, minutes(90)),
    # Yahoo, Outlook.com, GMX and others
    (
        MAIL,
        "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints",
        RELAY,
        None,
    ),
    (
        MAIL,
        "421 4.7.1 [TS03] All messages from 192.0.2.1 will be deferred for 4 hours",
        RELAY,
        minutes(240),
    ),
    (
        MAIL,
        "421 RP-001 Unfortunately, some messages from 192.0.2.1 exceeded the rate limit.",
        RELAY,
        None,
    ),
    (RCPT, "450 4.7.1 You have reached your limit of 500 mails in 1 hour", RELAY, None),
    (RCPT, "450 4.7.1 Limit is 100 messages per 60 seconds", RELAY, None),
    (
        RCPT,
        "451 Sending limit exceeded: 100 mails in 10 minutes, retry in 90s",
        RELAY,
        minutes(1.5),
    ),
    (RCPT, "451 server shutting down, back in 20 minutes", RELAY, minutes(20)),
    (RCPT, "452 4.3.1 <ada@y.org>: her mailbox is full", DEFERRED, None),
    (RCPT, "452 4.3.1 user over disk quota", DEFERRED, None),
    (RCPT, "452 4.3.1 Over quota", DEFERRED, None),
    (RCPT, "452 4.3.1 sender over quota", RELAY, None),
    (RCPT, "452 no space left in this mailbox", DEFERRED, None),
    (RCPT, "452 no space left on device", RELAY, None),
    (RCPT, "450 mailbox disabled, not accepting messages", DEFERRED, None),
    (MAIL, "452 4.3.4 Message too big for system", DEFERRED, None),
    (RCPT, "450 mailbox unavailable", DEFERRED, None),
    (BODY, "451 held in our queue, expires in 3 days", DEFERRED, None),
    (BODY, "451 4.7.1 Delayed: will be retried for 3 days", DEFERRED, None),
    (RCPT, "450 4.2.0 blocked for this recipient, please wait 5-10 minutes", DEFERRED, minutes(10)),
    (RCPT, "450 4.2.0 not now; 5 minutes before you try again", DEFERRED, minutes(5)),
)
ALL: tuple[TemporaryReply, ...] = (*POSTFIX, *EXIM, *SENDMAIL, *EXCHANGE, *GMAIL, *SERVICES)
