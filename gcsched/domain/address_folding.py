"""Compares e-mail addresses without regard to case, as mail servers do in practice. Pure."""

import unicodedata


def fold_address(address: str) -> str:
    """Return *address* case-folded: a key for comparison; no mail is ever sent to it.

    The local part is folded by Unicode's canonical caseless matching (section 3.13, D145), so
    `Straße` and `STRASSE` are equal. Wide letters stay wide: NFKC would join different mailboxes.
    The domain is normalised already, or in capitals at most where a list was imported; it is only
    put in lower case, because `ß` and `ss` are different domains (RFC 5891).
    """
    if address.isascii():
        return address.lower()
    local, at, domain = address.rpartition("@")
    plain = unicodedata.normalize("NFD", local).casefold()
    return f"{unicodedata.normalize('NFC', plain)}{at}{domain.lower()}"


def is_same_address(one: str, other: str) -> bool:
    """Return whether two addresses differ in case at most."""
    return fold_address(one) == fold_address(other)
