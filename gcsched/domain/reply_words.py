"""What relays really say when they refuse, by whom they blame. Pure patterns, no decisions.

Collected from Postfix, Exim, sendmail, qmail, Exchange and Office 365, Gmail, SES, SendGrid and
Mailgun; tests/domain/real_replies.py has the replies themselves.
"""

import re

ADDRESSES = re.compile(r"<[^<>]*>|\S+@\S+")
LONGEST_TEXT = 2_000  # a relay may send 32 KiB; what is wrong stands at the beginning


def words(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


def spoken(text: str) -> str:
    """Return *text* without the addresses and commands it repeats: anybody may have chosen them."""
    return " ".join(ADDRESSES.sub(" ", text[:LONGEST_TEXT]).split())


_NOT_ALLOWED = r"(?:allowed|permitted|authori[sz]ed|accepted|entitled)"
_REFUSED = r"(?:rejected|refused|denied|blocked|banned|disallowed|forbidden|prohibited)"
_REQUIRED = r"(?:required|needed|necessary|mandatory)"

# Blamed is what we say we are.
HELO = words(r"\b(?:helo|ehlo)\b")
SENDER = words(
    rf"senders? (?:address |domain |identity |e-?mail )?(?:is |was |has been )?{_REFUSED}",
    r"sender (?:address |domain |identity )?(?:is |was )?(?:invalid|unknown|unverified|forged)",
    rf"sender (?:address |domain |identity )?(?:is |was )?not (?:{_NOT_ALLOWED}|yours?)",
    r"sender (?:address |domain )?(?:is |was |does )?not (?:verified|valid|found|exist|owned)",
    r"sender (?:address )?(?:verif\w+|callout)|sender reputation",
    r"(?:invalid|bad|unknown|banned|unverified|unauthori[sz]ed|forged|spoofed) sender",
    rf"{_REFUSED} (?:envelope )?sender",
    r"not owned by|send ?as ?denied|badmailfrom|return[- ]path",
    r"send (?:mail |messages? |e-?mails? )?(?:as|on behalf of|from) (?:this|that|the|your|another)",
    rf"not (?:be )?{_NOT_ALLOWED} to (?:send|use|perform)\b(?! to)",
    rf"(?:mail ?from|from (?:address|header|domain))\b.{{0,40}}(?:{_REFUSED}|not|must|invalid)",
    r"verified sender|(?:address|identity|domain) (?:is )?not verified|failed the check in region",
    r"domain of sender|sender'?s? domain|envelope[- ]sender|envelope from",
)
# Blamed is that nothing proves it.
PROOF = words(r"\b(?:spf|dkim|dmarc)\b", r"unauthenticated (?:e-?mails?|mail|messages?|senders?)\b")
# Blamed is the machine that we speak from.
CLIENT = words(
    rf"(?:client|connecting|sending) (?:host|ip|server|address)\b.{{0,60}}{_REFUSED}",
    r"blocked using|\bdnsbl\b|\brbls?\b|spamhaus|spamcop|\bsorbs\b",
    r"(?:\bip\b|host|client|server|network|\byou\b).{0,60}(?:black|block|deny) ?-?list",
    r"\bptr\b|reverse[- ](?:dns|host|lookup)|\brdns\b|cannot find your",
    rf"(?:\bip\b|your (?:host|server|network)).{{0,60}}(?:{_REFUSED}|not {_NOT_ALLOWED})",
    r"(?:poor|low|bad|ip) reputation|traffic not accepted from",
)
RELAYING = words(
    rf"relay(?:ing)?(?: access)?(?: is| was)? (?:{_REFUSED}|not {_NOT_ALLOWED})",
    rf"not {_NOT_ALLOWED} to relay|(?:unable|not|cannot|can't|won't)(?: to)? relay|no relay",
    r"rcpthosts|relay host is not",
)
LOGIN = words(
    rf"(?:authentication|authenticate|\bauth|log ?in|credentials)(?: is| are)? {_REQUIRED}",
    r"(?:authentication|\bauth|log ?in|credentials) (?:first|failed|unsuccessful|invalid)",
    r"(?:must|please|need to|have to|not) (?:be )?(?:authenticated?|log(?:ged)? ?in)\b",
)
ENCRYPTION = words(
    r"starttls",
    rf"(?:\btls|\bssl|encryption|secure connection)\b.{{0,30}}{_REQUIRED}",
    r"(?:must|requires?|need) .{0,30}(?:\btls\b|\bssl\b|encrypt)",
)
QUOTA = words(
    r"(?:sender|sending|submission|outgoing|outbound|daily|hourly|monthly|tenant)\b.{0,30}"
    r"(?:quota|limit|rate|threshold)s?\b.{0,30}(?:exceed|reach)",
    r"(?:exceed|reach)\w*\b.{0,30}(?:sending|submission|outgoing|outbound|daily|hourly|monthly)\b"
    r".{0,20}(?:quota|limit|rate|allowance)",
    r"submission ?quota|sender'?s?.{0,20} quota|quota of (?:the )?sender|tenant has exceeded",
    r"\byou (?:have |'ve )?(?:exceeded|reached|sent too many)",
)
# Blamed is how we talk, or nobody but the relay.
PIPELINED = words(r"pipelin", r"synchroni[sz]ation error")
RELAY = words(
    r"service (?:is )?(?:currently |temporarily )?(?:unavailable|not available)",
    r"config\w* error|internal (?:server |software )?error|system error|queue file|lookup error",
    r"(?:server|system) (?:is )?(?:too )?busy",
)

# Blamed is the recipient, for now or for good.
GREYLISTED = words(r"gr[ae]y ?-?list", r"receiving (?:e?mail|messages) (?:at a rate|too quickly)")
BUSY_RECIPIENT = words(r"receiving (?:e?mail|messages) (?:at a rate|too quickly)")
RESTRICTED = words(
    r"resolver\.rst",
    rf"(?:{_NOT_ALLOWED}|permissions?) to (?:send|post|write) to",
    r"only accepts? (?:mail|messages|e-?mails?) from|badrcptto|banned recipient",
    r"recipient (?:prefers|does not (?:want|accept)|has blocked|is not accepting)",
    r"not authenticated (?:for|to send to)",
)
FULL_MAILBOX = words(
    r"(?:mailbox|inbox|mail ?drop|account|user|recipient)\b.{0,40}(?:\bfull\b|(?:over|out of) "
    r"(?:its |the |their )?(?:quota|limit|space|storage))",
    r"over ?quota|quota (?:is )?(?:exceeded|full|violation)|exceed\w* .{0,20}(?:quota|storage)",
    r"mailbox .{0,20}(?:limit|quota|size)\b.{0,20}exceed|(?:insufficient|no|out of) .{0,12}storage",
)
NO_USER = words(
    r"(?:user|recipient|mailbox|local part|address) (?:is )?(?:unknown|not known|not found)\b",
    r"(?:unknown|no such|nonexistent) (?:\w+ )?(?:user|recipient|mailbox|local part|address)",
    r"(?:user|recipient|mailbox|account|address) (?:that you tried to reach )?"
    r"(?:does not|doesn't|do not) exist",
    r"(?:no|doesn't have an?) (?:\w+\.com )?(?:mailbox|account)\b(?! required)",
    r"invalid (?:recipient|mailbox)|recipnotfound|unroute?able address",
)
BAD_ADDRESS = words(r"recipient|rcpt|(?:bad|invalid|malformed) (?:e-?mail )?address")
REJECTED_RECIPIENT = words(r"recipient address rejected")
# Blamed is the mail.
TOO_LARGE = words(
    r"too (?:large|big|long)|(?:message|mail|maximum|max) size|size (?:limit|exceeds)|databytes"
)
