"""Permanent and temporary replies of relays: stage, reply, and the kind it means.

Written down from what is known of the named programs and services, not copied from them; those of
Postfix about sender, name and client were observed with a real one too (tests/measure/postfix.py).
The addresses are made up. The kind is as an administrator would read the line.
"""

from gcsched.domain.smtp_reply import Kind, Stage

RELAY, DEFERRED, RECIPIENT = Kind.RELAY, Kind.DEFERRED, Kind.RECIPIENT
CONTENT, POLICY = Kind.CONTENT, Kind.POLICY
MAIL, RCPT, DATA, BODY = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY
RealReply = tuple[Stage, str, Kind]

POSTFIX: tuple[RealReply, ...] = (
    (RCPT, "553 5.7.1 <team@x.org>: Sender address rejected: not owned by user anna", RELAY),
    (RCPT, "553 5.7.1 <team@x.org>: Sender address rejected: not logged in", RELAY),
    (RCPT, "554 5.7.1 <team@x.org>: Sender address rejected: Access denied", RELAY),
    (RCPT, "550 5.1.8 <team@x.org>: Sender address rejected: Domain not found", RELAY),
    (RCPT, "450 4.1.8 <team@x.org>: Sender address rejected: Domain not found", RELAY),
    (RCPT, "501 5.1.7 <team>: Sender address rejected: need fully-qualified address", RELAY),
    (RCPT, "550 5.1.0 <team@x.org>: Sender address rejected: User unknown in local table", RELAY),
    (RCPT, "550 5.1.7 <t@x.org>: Sender address rejected: undeliverable address: unknown", RELAY),
    (RCPT, "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname", RELAY),
    (RCPT, "501 5.5.2 <a_b>: Helo command rejected: Invalid name", RELAY),
    (RCPT, "450 4.7.1 <app>: Helo command rejected: Host not found", RELAY),
    (RCPT, "554 5.7.1 <[127.0.0.1]>: Helo command rejected: Access denied", RELAY),
    (RCPT, "554 5.7.1 <ada@y.org>: Relay access denied", RELAY),
    (RCPT, "454 4.7.1 <ada@y.org>: Relay access denied", RELAY),
    (RCPT, "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied", RELAY),
    (RCPT, "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", RELAY),
    (
        RCPT,
        (
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org;"
            " https://www.spamhaus.org/query/ip/192.0.2.1"
        ),
        RELAY,
    ),
    (RCPT, "554 5.7.1 Service unavailable; Sender address [t@x.org] blocked using dbl.x", RELAY),
    (MAIL, "530 5.7.0 Must issue a STARTTLS command first", RELAY),
    (RCPT, "550 5.7.1 Session encryption is required", RELAY),
    (DATA, "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP pipelining", RELAY),
    (RCPT, "550 5.7.23 <a@y.org>: Recipient address rejected: SPF fail - not authorized", RELAY),
    (RCPT, "550 5.1.1 <ada@y.org>: Recipient address rejected: User unknown in table", RECIPIENT),
    (RCPT, "550 5.1.1 <sender-quota@y.org>: Recipient address rejected: unknown", RECIPIENT),
    (RCPT, "550 5.1.2 <ada@y.org>: Recipient address rejected: Domain not found", RECIPIENT),
    (RCPT, "501 5.1.3 Bad recipient address syntax", RECIPIENT),
    (RCPT, "504 5.5.2 <ada>: Recipient address rejected: need fully-qualified address", POLICY),
    (RCPT, "554 5.7.1 <ada@y.org>: Recipient address rejected: Access denied", POLICY),
    (RCPT, "450 4.1.1 <ada@y.org>: Recipient address rejected: unverified address", DEFERRED),
    (RCPT, "450 4.2.0 <ada@y.org>: Recipient address rejected: Greylisted", DEFERRED),
    (RCPT, "450 4.7.1 <t@x.org>: Sender address rejected: Greylisted, come back later", DEFERRED),
    (RCPT, "552 5.2.2 <ada@y.org>: Recipient address rejected: Mailbox is full", DEFERRED),
    (MAIL, "552 5.3.4 Message size exceeds fixed limit", CONTENT),
    (BODY, "552 5.3.4 Error: message file too big", CONTENT),
    (BODY, "554 5.7.1 Message content rejected", POLICY),
    (BODY, "550 5.7.1 message content rejected", POLICY),
    (BODY, "554 5.3.5 Local configuration error", RELAY),
)
EXIM: tuple[RealReply, ...] = (
    (RCPT, "550 relay not permitted", RELAY),
    (RCPT, "550 Sender verify failed", RELAY),
    (RCPT, "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", RELAY),
    (DATA, "554 SMTP synchronization error", RELAY),
    (RCPT, "550 authentication required", RELAY),
    (RCPT, "550 Unrouteable address", RECIPIENT),
    (RCPT, "550 Unknown user", RECIPIENT),
    (RCPT, "550 Administrative prohibition", POLICY),
    (BODY, "550 This message scored 12.3 spam points.", CONTENT),
    (BODY, "552 Message size exceeds maximum permitted", CONTENT),
    (MAIL, "552 Message size exceeds maximum permitted", CONTENT),
)
SENDMAIL: tuple[RealReply, ...] = (
    (MAIL, "553 5.1.8 <t@x.org>... Domain of sender address t@x.org does not exist", RELAY),
    (RCPT, "553 5.1.8 <t@x.org>... Domain of sender address t@x.org does not exist", RELAY),
    (RCPT, "550 5.7.1 <ada@y.org>... Relaying denied", RELAY),
    (RCPT, "550 5.7.1 <a@y.org>... Relaying denied. IP name lookup failed [192.0.2.1]", RELAY),
    (RCPT, "550 5.7.1 <a@y.org>... Relaying denied. Proper authentication required.", RELAY),
    (RCPT, "501 5.0.0 Invalid domain name in HELO", RELAY),
    (RCPT, "550 5.1.1 <ada@y.org>... User unknown", RECIPIENT),
    (BODY, "552 5.2.3 Message exceeds maximum fixed size (10000000)", CONTENT),
)
QMAIL: tuple[RealReply, ...] = (
    (RCPT, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", RELAY),
    (RCPT, "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)", RELAY),
    (RCPT, "553 sorry, your envelope sender domain must exist (#5.7.1)", RELAY),
    (RCPT, "550 sorry, no mailbox here by that name (#5.1.1)", RECIPIENT),
    (RCPT, "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)", RECIPIENT),
    (RCPT, "553 sorry, your envelope recipient is in my badrcptto list (#5.7.1)", POLICY),
    (RCPT, "552 sorry, the recipient's mailbox is over quota (#5.2.2)", DEFERRED),
    (BODY, "552 sorry, that message size exceeds my databytes limit (#5.3.4)", CONTENT),
    (BODY, "554 sorry, message content is not acceptable (#5.6.0)", CONTENT),
)
EXCHANGE: tuple[RealReply, ...] = (
    (
        BODY,
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        RELAY,
    ),
    (
        BODY,
        (
            "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException."
            "MapiExceptionSendAsDenied; Failed to process message due to a permanent exception"
        ),
        RELAY,
    ),
    (
        BODY,
        (
            "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to"
            " process message due to a permanent exception with message The message can't be"
            " submitted because the sender's submission quota was exceeded."
        ),
        RELAY,
    ),
    (MAIL, "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail", RELAY),
    (RCPT, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", RELAY),
    (RCPT, "550 5.7.1 Unable to relay", RELAY),
    (RCPT, "550 5.7.64 TenantAttribution; Relay Access Denied", RELAY),
    (RCPT, "550 5.7.708 Service unavailable. Access denied, traffic not accepted from", RELAY),
    (BODY, "550 5.7.705 Access denied, tenant has exceeded threshold", RELAY),
    (BODY, "550 5.7.509 Access denied, sending domain x.org does not pass DMARC", RELAY),
    (RCPT, "550 5.7.501 Access denied, spam abuse detected", RELAY),
    (RCPT, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", RELAY),
    (RCPT, "550 5.7.506 Access Denied, Bad HELO", RELAY),
    (BODY, "550 5.7.520 Access denied, Your organization does not allow forwarding", RELAY),
    (
        RCPT,
        (
            "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your"
            " Internet service provider since part of their network is on our block list (S3140)."
        ),
        RELAY,
    ),
    (RCPT, "550 5.7.3 Authentication unsuccessful", RELAY),
    (BODY, "550 5.7.1 Client does not have permissions to send as this sender", RELAY),
    (RCPT, "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found", RECIPIENT),
    (RCPT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by lookup", RECIPIENT),
    (RCPT, "550 5.4.1 Recipient address rejected: Access denied.", RECIPIENT),
    (BODY, "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", POLICY),
    (BODY, "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; not for all", POLICY),
    (BODY, "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceeded", DEFERRED),
    (BODY, "552 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this one", CONTENT),
)
GMAIL: tuple[RealReply, ...] = (
    (BODY, "550 5.4.5 Daily user sending limit exceeded. For more information, see", RELAY),
    (RCPT, "550 5.7.0 Mail relay denied [192.0.2.1]. Invalid credentials for relay", RELAY),
    (MAIL, "530 5.5.1 Authentication Required. Learn more at", RELAY),
    (
        BODY,
        (
            "550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail"
            " requires all senders to authenticate with either SPF or DKIM."
        ),
        RELAY,
    ),
    (BODY, "550 5.7.1 Unauthenticated email from x.org is not accepted due to policy", RELAY),
    (
        BODY,
        "550 5.7.25 The IP address sending this message does not have a PTR record setup",
        RELAY,
    ),
    (
        BODY,
        (
            "550 5.7.1 [192.0.2.1] The IP you're using to send mail is not authorized to send email"
            " directly to our servers. Please use the SMTP relay at your service provider instead."
        ),
        RELAY,
    ),
    (
        RCPT,
        (
            "550 5.1.1 The email account that you tried to reach does not exist. Please try"
            " double-checking the recipient's email address for typos or unnecessary spaces."
        ),
        RECIPIENT,
    ),
    (RCPT, "550 5.2.1 The email account that you tried to reach is disabled.", RECIPIENT),
    (RCPT, "552 5.2.2 The email account that you tried to reach is over quota.", DEFERRED),
    (RCPT, "452 4.2.2 The email account that you tried to reach is over quota.", DEFERRED),
    (
        RCPT,
        (
            "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents"
            " additional messages from being delivered."
        ),
        DEFERRED,
    ),
    (
        BODY,
        (
            "550 5.7.1 Our system has detected that this message is likely unsolicited mail. To"
            " reduce the amount of spam sent to Gmail, this message has been blocked."
        ),
        POLICY,
    ),
    (BODY, "552 5.2.3 Your message exceeded Google's message size limits.", CONTENT),
    (BODY, "552 5.7.0 This message was blocked because its content presents a risk.", POLICY),
)
SERVICES: tuple[RealReply, ...] = (
    # Amazon SES
    (
        BODY,
        (
            "554 Message rejected: Email address is not verified. The following identities failed"
            " the check in region EU-WEST-1: team@x.org"
        ),
        RELAY,
    ),
    (BODY, "454 Throttling failure: Daily message quota exceeded.", RELAY),
    (BODY, "454 Throttling failure: Maximum sending rate exceeded.", RELAY),
    (MAIL, "530 Authentication required", RELAY),
    (BODY, "554 Access denied: User `arn' is not authorized to perform `ses:Send'", RELAY),
    (BODY, "554 Transaction failed: Missing final '@domain'", CONTENT),
    # SendGrid
    (BODY, "550 The from address does not match a verified Sender Identity.", RELAY),
    (MAIL, "550 Unauthenticated senders not allowed", RELAY),
    (RCPT, "550 Unauthenticated senders not allowed", RELAY),
    (BODY, "451 You have exceeded your messaging limits", RELAY),
    # Mailgun
    (BODY, "550 5.7.1 Sender address is not allowed for this account", RELAY),
    (RCPT, "550 5.7.1 Relaying denied", RELAY),
    (MAIL, "550 5.7.1 Domain x.org is not allowed to send", RELAY),
    # GMX, T-Online, OVH, Yahoo and others
    (
        MAIL,
        "550 Requested action not taken: mailbox unavailable Sender address is not allowed",
        RELAY,
    ),
    (BODY, "550 5.7.1 Sender address is not allowed", RELAY),
    (RCPT, "554 delivery error: dd This user doesn't have a yahoo.com account", RECIPIENT),
    (RCPT, "550 No such user here", RECIPIENT),
    (RCPT, "550 mailbox not found", RECIPIENT),
    (RCPT, "550 The recipient does not exist", RECIPIENT),
    (RCPT, "550 Requested action not taken: mailbox unavailable", POLICY),
    (RCPT, "552 Requested mail action aborted: exceeded storage allocation", DEFERRED),
    (RCPT, "552 Mailbox quota exceeded", DEFERRED),
    (RCPT, "550 Mailbox is full", DEFERRED),
    (RCPT, "550 5.2.1 mailbox disabled, not accepting messages", RECIPIENT),
    (RCPT, "550 5.1.2 Destination host not accepting messages", RECIPIENT),
    (RCPT, "550 5.5.3 Limit is 0 recipients per message", POLICY),
    (RCPT, "554 5.3.2 System not accepting network messages", RELAY),
    (RCPT, "552 5.2.0 mailbox full", DEFERRED),
    (BODY, "552 5.2.0 sender's daily quota exceeded", RELAY),
    (RCPT, "552 submission quota exceeded", RELAY),
    (RCPT, "452 4.2.1 outgoing quota of the sender exceeded", RELAY),
    (RCPT, "553 5.7.1 sender is not yours", RELAY),
    (BODY, "553 5.7.1 sender is not yours", RELAY),
    (MAIL, "553 5.7.1 sender is not yours", RELAY),
    (RCPT, "553 sender is not yours", RELAY),
    (RCPT, "501 Syntax error in parameters or arguments", RELAY),
    (RCPT, "504 Command parameter not implemented", RELAY),
    (RCPT, "555 5.5.2 Syntax error, cannot decode response", RELAY),
    (RCPT, "550 5.7.8 Authentication credentials invalid", RELAY),
    (RCPT, "550 5.7.1 Authentication required", RELAY),
    (BODY, "550 5.7.9 Authentication mechanism is too weak", RELAY),
    (RCPT, "550 5.7.10 Encryption needed", RELAY),
    (RCPT, "550 5.7.1 Reverse DNS lookup failed for 192.0.2.1", RELAY),
    (MAIL, "550 go away", RELAY),
)
# Replies that blame one side in terms of the other.
CONFUSING: tuple[RealReply, ...] = (
    (RCPT, "550 5.1.1 Sender verify failed: no such user", RELAY),
    (RCPT, "550 5.1.1 Sender verification failed; user unknown", RELAY),
    (RCPT, "550 5.1.1 <us@x.org>: Sender address rejected: User unknown", RELAY),
    (RCPT, "550 Sender mailbox not found", RELAY),
    (RCPT, "550 Callback: sender user unknown", RELAY),
    (RCPT, "550 5.7.1 You are not allowed to send mail to this recipient", POLICY),
    (RCPT, "550 5.7.1 You are not authorized to send messages to this group", POLICY),
    (BODY, "550 5.7.1 Message rejected: contains a URL listed at spamhaus DBL", POLICY),
    (BODY, "550 5.7.1 Your message was rejected as spam; your network has been blocked", POLICY),
    (BODY, "550 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", RELAY),
    (BODY, "554 Message rejected: Sending paused for this account", RELAY),
    (BODY, "554 Message rejected: Sending suspended for this account", RELAY),
    (
        RCPT,
        "550 Domain x.org has exceeded the max emails per hour (150/150 (100%)) allowed",
        RELAY,
    ),
    (BODY, '550 Outgoing mail from "x.org" has been suspended.', RELAY),
    (RCPT, "550 5.7.1 Rejected: too many messages from your domain today", RELAY),
    (RCPT, "550 5.7.1 Rate limit exceeded", RELAY),
)
ALL: tuple[RealReply, ...] = (
    *POSTFIX,
    *EXIM,
    *SENDMAIL,
    *QMAIL,
    *EXCHANGE,
    *GMAIL,
    *SERVICES,
    *CONFUSING,
)
