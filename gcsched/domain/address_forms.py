"""Finds e-mail addresses in foreign text, in every form in which a relay may repeat them. Pure.

Beyond `ada@example.org`: quoted local parts, comments, address literals, SRS and VERP (RFC 3834 and
Postfix's), SMTPUTF8 and IDN, the wide forms of `@`, `%40`, `=40`, `&#64;`, `ada (at) example.org`,
`<ada at example.org>`. Takes time linear in the length of the text: a run of characters is matched
from its start only, and possessive quantifiers (`++`) prevent backtracking.
"""

import re

LOCAL = r"""[^\s<>"(),;:@\uff20\ufe6b\\\[\]{}]"""
DOTTED = r"[\w-]++(?:(?:\.|%2E|=2E)[\w-]++)++"
DOMAIN = r"""(?:\[[^\]\s]{1,64}+\]?|[^\s<>"(),;:@\uff20\ufe6b\\\[\]{}'/]++)"""
BRACKETED_DOT = r"(?:\s{0,2}[\[({]\s?dot\s?[\])}]\s{0,2}[\w-]++)"
ADDRESS = re.compile(
    rf"""
    (?: "(?:(?:[^"\\]|\\.){{0,256}}+|[^"]{{0,256}}+)"   # RFC 5321: Quoted-string
      | (?<!{LOCAL}){LOCAL}+?
    )
    (?: \([^()]{{0,64}}+\) )?                           # RFC 5322: a comment
    (?: (?:%40|=40|\+40|\s{{1,2}}[@\uff20\ufe6b]\s{{0,2}}|[@\uff20\ufe6b]\s){DOTTED}
      | \\?(?:[@\uff20\ufe6b]|&\#0*64;|&\#x0*40;|&commat;){DOMAIN}?(?:[@\uff20\ufe6b]{DOMAIN})*+
      | \s{{0,2}}[\[({{]\s?(?:at|@)\s?[\])}}]\s{{0,2}}{DOMAIN}
    )
    {BRACKETED_DOT}*+
    """,
    re.IGNORECASE | re.VERBOSE,
)
AT_IN_WORDS = re.compile(
    rf"""
    (?P<before> < | \b(?:user|mailbox|recipient|account|address|sender|for|to|from)[\s:]{{1,2}} )
    {LOCAL}{{1,64}}+ \s at \s (?: {DOTTED} | {DOMAIN}(?=>) )
    | \b(?:user|mailbox|recipient|account) \s at \s {DOTTED}
    """,
    re.IGNORECASE | re.VERBOSE,
)
BRACKETED_AT = re.compile(r"[\[({]\s?(?:at|@)\s?[\])}]", re.IGNORECASE)


def mask_addresses(text: str, mask: str = "(address)") -> str:
    """Return *text* with *mask* in the place of each address."""
    if not may_contain_address(text):
        return text
    return AT_IN_WORDS.sub(rf"\g<before>{mask}", ADDRESS.sub(mask, text))


def may_contain_address(text: str) -> bool:
    """Return whether a full search can find anything; most values in a log line hold no address."""
    if "@" in text or " at " in text or "%40" in text or "=40" in text or "+40" in text:
        return True
    is_bracketed = "(" in text or "[" in text or "{" in text
    return (
        "&" in text
        or "\uff20" in text
        or "\ufe6b" in text
        or (is_bracketed and bool(BRACKETED_AT.search(text)))
    )
