"""Compare e-mail addresses without regard to case, as mailboxes do in practice. Pure."""

import unicodedata


def fold_address(address: str) -> str:
    """Return what all spellings of *address* have in common; nothing is ever sent to that.

    The part before the @ is folded by Unicode's canonical caseless matching (section 3.13, D145),
    so `Straße` and `STRASSE` are one. Wide letters are not made narrow: NFKC would join mailboxes
    that are different ones. The domain is normalised already; of a list that was imported it may
    only be in capitals, and `ß` there is another domain than `ss` (RFC 5891).
    """
    if address.isascii():
        return address.lower()
    local, at, domain = address.rpartition("@")
    plain = unicodedata.normalize("NFD", local).casefold()
    return f"{unicodedata.normalize('NFC', plain)}{at}{domain.lower()}"


def is_same_address(one: str, other: str) -> bool:
    """Tell whether two addresses differ in their spelling at most."""
    return fold_address(one) == fold_address(other)
