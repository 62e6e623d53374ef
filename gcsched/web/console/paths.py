"""Addresses within the console: links are relative, so that a proxy may put a path before them."""

import re
from urllib.parse import urlsplit

LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")
MAX_LENGTH = 500


def find_root(path: str) -> str:
    """Return the relative link from *path* to the first page."""
    depth = path.count("/") - 1
    return "../" * depth if depth > 0 else "./"


def parse_local(path: str) -> str:
    """Return *path* if it is an address of ours, else that of the first page."""
    if len(path) > MAX_LENGTH or not LOCAL.fullmatch(path):
        return "/"
    parts = urlsplit(path)
    return path if not parts.scheme and not parts.netloc else "/"


def forget_notice(path: str) -> str:
    """Return *path* without the word for what a page says after an act, which it shows once."""
    base, _, query = path.partition("?")
    kept = "&".join(each for each in query.split("&") if each and not each.startswith("done="))
    return f"{base}?{kept}" if kept else base
