"""Phrases of real refusals, grouped by the cause they name. Pure patterns, no decisions.

Collected from Postfix, Exim, sendmail, qmail, Exchange and Office 365, Gmail, SES, SendGrid and
Mailgun; tests/domain/real_replies.py has the replies themselves.
"""

import re

IN_BRACKETS = re.compile(r"<[^<>]*(?:>|$)")
# A relay may send 32 KiB; the cause is at the start, and a history keeps no more than this.
MAX_TEXT_LENGTH = 512


def compile_phrases(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


def either_order_pattern(one: str, other: str) -> str:
    """Return a pattern of *one* and *other*, in either order, close together in one sentence."""
    return f"(?:{one})[^.;]{{0,40}}(?:{other})|(?:{other})[^.;]{{0,40}}(?:{one})"


def strip_addresses(text: str) -> str:
    """Return *text* without the addresses and commands that it repeats: callers choose those."""
    if len(text) > MAX_TEXT_LENGTH:
        # The last word goes as well: the cut may have halved it.
        text = text[:MAX_TEXT_LENGTH].rpartition(" ")[0]
    return " ".join(word for word in IN_BRACKETS.sub(" ", text).split() if "@" not in word)


_NOT_ALLOWED = r"(?:allowed|permitted|authori[sz]ed|accepted|entitled)"
_REFUSED = r"(?:rejected|refused|denied|blocked|banned|disallowed|forbidden|prohibited)"
_REQUIRED = r"(?:required|needed|necessary|mandatory)"

_UNKNOWN = (
    r"(?:user|recipient|mailbox|local part|address) (?:is )?(?:unknown|not known|not found)\b",
    (
        r"(?:unknown|no such|nonexistent) (?:\w{1,30} )?"
        r"(?:user|recipient|mailbox|local part|address)"
    ),
    (
        r"(?:user|recipient|mailbox|account|address) (?:that you tried to reach )?"
        r"(?:does not|doesn't|do not) exist"
    ),
    r"(?:no|doesn't have an?) (?:\w{1,30}\.com )?(?:mailbox|account)\b(?! required)",
)
_SENDER = (
    r"\b(?:senders?|return[- ]path|mail ?from|from[- ]address)(?:'s)?"
    r"(?: (?:e-?mail|address|domain|identity|mailbox|account|user|name)){0,2}"
)
_IS = r"(?:(?:is|was|has been|does|did|could|can|currently) ?){0,2}"

# The cause is our HELO name or our sender.
HELO = compile_phrases(r"\b(?:helo|ehlo)\b")
SENDER = compile_phrases(
    rf"{_SENDER} {_IS}{_REFUSED}",
    rf"{_SENDER} {_IS}(?:invalid|unknown|unverified|forged|undeliverable|non-?existent)",
    rf"{_SENDER} {_IS}(?:not |n't |doesn't )(?:be )?"
    rf"(?:{_NOT_ALLOWED}|yours?|verified|valid|found|known|exist|owned|deliverable)",
    rf"{_SENDER}[ :;,-]{{1,3}}(?:{'|'.join(_UNKNOWN)})",
    r"(?:user|mailbox|account|address) of (?:the |your )?sender",
    r"sender (?:address )?(?:verif\w{1,20}|callout|callback)|sender reputation",
    r"(?:invalid|bad|unknown|banned|unverified|unauthori[sz]ed|forged|spoofed|no such) "
    r"(?:envelope )?sender",
    rf"{_REFUSED} (?:envelope )?sender",
    r"not owned by|send ?as ?denied|badmailfrom|return[- ]path",
    r"send (?:mail |messages? |e-?mails? )?(?:as|on behalf of|from) (?:this|that|the|your|another)",
    rf"(?:mail ?from|from (?:address|header|domain))\b.{{0,40}}(?:{_REFUSED}|not|must|invalid)",
    r"verified sender|(?:address|identity|domain) (?:is )?not verified|failed the check in region",
    r"domain of sender|sender'?s? domain|envelope[- ]sender|envelope from",
)
SENDING = compile_phrases(rf"not (?:be )?{_NOT_ALLOWED} to (?:send|use|perform)\b(?! to)")
# The cause is a missing proof of our sender (SPF, DKIM, DMARC).
PROOF = compile_phrases(
    r"\b(?:spf|dkim|dmarc)\b", r"unauthenticated (?:e-?mails?|mail|messages?|senders?)\b"
)
# The cause is the machine that we connect from.
CLIENT = compile_phrases(
    rf"(?:client|connecting|sending) (?:host|ip|server|address)\b.{{0,60}}{_REFUSED}",
    r"blocked using|\bdnsbl\b|\brbls?\b|spamhaus|spamcop|\bsorbs\b",
    r"(?:\bip\b|host|client|server|network|\byou\b).{0,60}(?:black|block|deny) ?-?list",
    r"\bptr\b|reverse[- ](?:dns|host|lookup)|\brdns\b|cannot find your",
    rf"(?:\bip\b|your (?:host|server|network)).{{0,60}}(?:{_REFUSED}|not {_NOT_ALLOWED})",
    r"(?:poor|low|bad|ip) reputation|traffic not accepted from",
)
RELAYING = compile_phrases(
    rf"relay(?:ing)?(?: access)?(?: is| was)? (?:{_REFUSED}|not {_NOT_ALLOWED})",
    rf"not {_NOT_ALLOWED} to relay|(?:unable|not|cannot|can't|won't)(?: to)? relay|no relay",
    r"rcpthosts|relay host is not",
)
LOGIN = compile_phrases(
    rf"(?:authentication|authenticate|\bauth|log ?in|credentials)(?: is| are)? {_REQUIRED}",
    r"(?:authentication|\bauth|log ?in|credentials) (?:first|failed|unsuccessful|invalid)",
    r"(?:must|please|need to|have to|not) (?:be )?(?:authenticated?|log(?:ged)? ?in)\b",
)
ENCRYPTION = compile_phrases(
    r"starttls",
    rf"(?:\btls|\bssl|encryption|secure connection)\b.{{0,30}}{_REQUIRED}",
    r"(?:must|requires?|need) .{0,30}(?:\btls\b|\bssl\b|encrypt)",
)
_SENT = r"(?:sender|sending|submission|outgoing|outbound|daily|hourly|monthly|tenant)"
_STOPPED = r"(?:paused|suspended|disabled|stopped|blocked|locked)"
_MAILS = r"(?:e-?mails?|mails?|messages?)"
_ADDRESS = r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b|(?:ipv6:)?[0-9a-f]{0,4}:[0-9a-f]{0,4}:)"
_LIMITED = (
    r"(?:max(?:imum)? (?:number of )?|limit(?:ed)?(?: is| of| to)?:? [0-9]{1,9} )"
    rf"(?:{_MAILS}|recipients) (?:per|in|an|each)|\brate[- ]?limit"
)
# Postfix starts with "Recipient address rejected:", and a user table is a part of the relay.
_ONE = (
    r"(?<!your )(?<!sender )(?<!sender's )\b(?:{})\b"
    r"(?! (?:address|database|directory|lookup|table))"
)
_RECIPIENT, _USER = _ONE.format("recipient|mailbox|inbox"), _ONE.format("user|account")
NOT_WHAT_WE_SEND = compile_phrases(rf"\A(?!.*\b(?:{_SENT}|your?)\b)")
RECIPIENTS_RATE = compile_phrases(
    r"\A(?!.*\b(?:sender|sending|submission|outgoing|outbound)\b)"
    rf".*(?:{either_order_pattern(_RECIPIENT, _LIMITED)})"
)
USERS_RATE = compile_phrases(
    rf"{NOT_WHAT_WE_SEND.pattern}.*(?:{either_order_pattern(_USER, _LIMITED)})"
)
QUOTA = compile_phrases(
    rf"{_SENT}\b.{{0,30}}(?:quota|limit|rate|threshold)s?\b.{{0,30}}(?:exceed|reach)",
    rf"(?:exceed|reach)\w{{0,4}}\b.{{0,30}}{_SENT}\b.{{0,20}}(?:quota|limit|rate|allowance)",
    r"submission ?quota|sender'?s?.{0,20} quota|quota of (?:the )?sender|tenant has exceeded",
    r"\byou (?:have |'ve )?(?:exceeded|reached|sent too many)",
    rf"(?:sending|outgoing {_MAILS}|outbound {_MAILS})\b.{{0,40}}{_STOPPED}",
    rf"your (?:account|domain|organi[sz]ation|tenant|plan) (?:is |was |has been )?{_STOPPED}",
    rf"max(?:imum)? (?:number of )?(?:{_MAILS}|recipients) (?:per|an|each) "
    r"(?:second|minute|hour|day|week|month)",
    rf"too (?:many|much) (?:{_MAILS}|recipients|connections) (?:sent )?(?:from|by) "
    rf"(?:your\b|you\b|this\b|\[?{_ADDRESS})",
    rf"limit(?:ed)?(?: is| of| to)?:? [0-9]{{1,9}} (?:{_MAILS}|recipients) (?:per|in|an|each) "
    r"(?:[0-9]{1,5} )?(?:second|minute|hour|day|week|month)",
    r"(?<!recipient )\brate[- ]limited\b",
    r"(?<!recipient )\b(?:message |mail |sending )?rate ?limit\w{0,3} "
    r"(?:is |was |has been )?(?:exceeded|reached|hit)",
    r"(?:exceed\w{0,4}|reached|hit|over) (?:the |your |our |a )?(?:\w{1,20} )?rate ?limit",
)
# The cause is our protocol, or the relay itself.
PIPELINED = compile_phrases(r"pipelin", r"synchroni[sz]ation error")
_SYSTEM = (
    r"config\w* (?:error|problem)|internal (?:server |software )?error|system error|queue file",
    r"(?:system|server) (?:error|failure|problem)",
    r"insufficient (?:system (?:storage|resources)|disk space)|disk (?:is )?full",
    r"no space left(?! (?:in|on|for) (?:\S{1,20} ){0,2}(?:mailbox|user|recipient|account))",
    r"space shortage|out of (?:memory|disk)|load (?:is )?(?:too |average )",
    r"(?:server|system) (?:is )?(?:too |currently )?(?:busy|overloaded)|shutting down|going down",
    r"(?:server|system) (?:is )?(?:currently )?not accepting",
)
_CONNECTIONS = r"too many (?:\w{1,20} ){0,3}connections"
_SERVICE = r"service (?:is )?(?:currently |temporarily )?(?:unavailable|not available)"
SYSTEM = compile_phrases(*_SYSTEM, _CONNECTIONS)
RELAY = compile_phrases(*_SYSTEM, _CONNECTIONS, _SERVICE, r"lookup error")
_PROBLEM = "|".join((*_SYSTEM, _SERVICE, r"insufficient (?:\w{1,20} )?(?:storage|space)"))
RECIPIENTS_SYSTEM = compile_phrases(either_order_pattern(f"{_RECIPIENT}|{_USER}", _PROBLEM))
FILTERS_SYSTEM = compile_phrases(
    either_order_pattern(r"\b(?:filter|scanner|milter|anti-?virus)\b", _PROBLEM)
)

# The cause is the recipient, for now or permanently.
GREYLISTED = compile_phrases(
    r"gr[ae]y ?-?list", r"receiving (?:e?mail|messages) (?:at a rate|too quickly)"
)
BUSY_RECIPIENT = compile_phrases(
    r"receiving (?:e?mail|messages) (?:at a rate|too quickly)", r"recipient thread limit"
)
RESTRICTED = compile_phrases(
    r"resolver\.rst",
    rf"(?:{_NOT_ALLOWED}|permissions?) to (?:send|post|write) (?:any |an? |your )?"
    r"(?:e-?mails? |mails? |messages? )?to\b(?! (?:us|our|external|outside|remote|other|any|the "
    r"internet|internet)\b)",
    rf"(?:{_NOT_ALLOWED}|permissions?) to (?:e-?mail|mail|message|contact|reach) (?:this|that|the)",
    r"(?:blocked|rejected|refused) by (?:the |this |its )?(?:recipient|owner)\b",
    r"only accepts? (?:mail|messages|e-?mails?) from|badrcptto|banned recipient",
    r"recipient (?:prefers|does not (?:want|accept)|has blocked|is not accepting)",
    r"not authenticated (?:for|to send to)",
)
_FULL = (
    r"(?:mailbox|inbox|mail ?drop|account|user|recipient)\b.{0,40}(?:\bfull\b|(?:over|out of) "
    r"(?:its |the |their |disk |mail )?(?:quota|limit|space|storage))"
)
THE_MAILBOX_IS_FULL = compile_phrases(
    _FULL, rf"\A(?!.*\b(?:{_SENT}|message|rate)\b).*\bover ?quota\b"
)
FULL_MAILBOX = compile_phrases(
    _FULL,
    r"over ?quota|quota (?:is )?(?:exceeded|full|violation)",
    r"exceed\w{0,4} .{0,20}(?:quota|storage)",
    r"mailbox .{0,20}(?:limit|quota|size)\b.{0,20}exceed|(?:insufficient|no|out of) .{0,12}storage",
)
NO_USER = compile_phrases(
    *_UNKNOWN, r"invalid (?:recipient|mailbox)|recipnotfound|unroute?able address"
)
BAD_ADDRESS = compile_phrases(r"recipient|rcpt|(?:bad|invalid|malformed) (?:e-?mail )?address")
REJECTED_RECIPIENT = compile_phrases(r"recipient address rejected")
REJECTED_ADDRESS = compile_phrases(r"\b(?:recipient|address) (?:was |is |has been )?rejected")
# The cause is the mail, unless the machine that it comes from is named as well.
SPAM = compile_phrases(
    r"\A(?!.*(?:\bips?\b|client host|\bhost \[|spf|dkim|dmarc)).*(?:"
    rf"{_REFUSED} (?:as|for|because|due to|since) .{{0,30}}"
    r"\b(?:spam|virus|malware|phishing|urls?)\b"
    r"|contain(?:s|ed|ing) .{0,30}\b(?:urls?|links?|domains?|spam|virus|malware|attachments?)\b"
    r"|\burls?\b.{0,40}(?:listed|spamhaus|block|black)|\b(?:surbl|uribl)\b"
    r"|(?:detected|identified|classified|flagged|marked|considered|looks like|to be) (?:as )?"
    r"(?:likely )?(?:spam|unsolicited|junk|phishing)"
    r"|(?:spam|virus|malware) (?:message|content|detected|found)|unsolicited (?:e-?mail|mail)"
    r")"
)
LARGE_MAIL = compile_phrases(rf"{_MAILS} (?:is )?too (?:large|big|long)|(?:message|mail) size")
TOO_LARGE = compile_phrases(
    r"too (?:large|big|long)|(?:message|mail|maximum|max) size|size (?:limit|exceeds)|databytes"
)
