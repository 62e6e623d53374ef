"""Advice for an operator when a store cannot be reached. Independent of any driver."""

import re
from collections.abc import Sequence

Advice = Sequence[tuple[str, str]]

NO_SUCH_HOST = (
    "name or service not known|nodename nor|no address associated|name resolution"
    "|DNS|nameserver|resolution lifetime"
)
NO_TLS = "does that port speak TLS? Check scheme, port and TLS options of {setting}"
NO_ANSWER = (
    "is it running, does the network let it through, and do both speak TLS or neither? Check"
    " {setting}"
)
CONNECTION_CLOSED = (
    "it closed the connection; if that continues, does its port require TLS? Check {setting}"
)
# The first match counts, so specific patterns come first.
CONNECTION_ADVICE: Advice = (
    (
        "unable to get (local )?issuer|self.signed",
        "name its certificate authority: {ca} in {setting}",
    ),
    ("hostname mismatch|IP address mismatch", "use a host name of its certificate in {setting}"),
    ("certificate has expired", "renew the server's certificate"),
    ("certificate verify failed", "check its certificate, and {ca} in {setting}"),
    (
        "certificate required|handshake failure",
        "it requires a client certificate: set one in {setting}",
    ),
    ("unsupported protocol|protocol version", "it supports only other versions of TLS"),
    (r"wrong version number|record layer failure|\bSSL", NO_TLS),
    (NO_SUCH_HOST, "check the host in {setting}, and DNS"),
    ("refused|connect call failed", "is it running? Check host and port in {setting}"),
    ("no such file", "is it running? Check the path in {setting}"),
    ("permission denied", "this user may not use it: correct the permissions, or {setting}"),
    ("unreachable|no route", "check host and network of {setting}"),
    ("timed? ?out|no answer", NO_ANSWER),
    ("closed|reset by peer|EOF|broken pipe|incomplete", CONNECTION_CLOSED),
)


def add_advice(text: str, advice: Advice, *, setting: str, ca: str) -> str:
    """Return *text* with the first advice whose pattern it matches.

    *setting* is the setting that the advice names, *ca* the option for a certificate authority.
    """
    for pattern, advice_text in advice:
        if re.search(pattern, text, re.IGNORECASE):
            return f"{text}: {advice_text.format(setting=setting, ca=ca)}"
    return text
