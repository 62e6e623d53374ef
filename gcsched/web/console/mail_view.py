"""Shows the HTML of a mail: in a document that can do nothing, and that loads nothing by itself.

The server fetches nothing that a mail names.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import unquote

from aiohttp import web

SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src {images};"
    " frame-ancestors 'self'"
)
CONTENT_ID = re.compile(r"""cid:([^\s"'<>)]+)""", re.IGNORECASE)
IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"})
REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
STYLE_URL = re.compile(r"url\(\s*[\"']?\s*(?:https?:)?//", re.IGNORECASE)
IMAGE_ATTRIBUTES = frozenset({"src", "srcset", "background", "poster"})
LINK_TAGS = {"a": "href", "area": "href", "form": "action"}
MAX_LINKS = 200
MAX_TEXT_LENGTH = 200


class InlinePart(NamedTuple):
    """A part of the mail that its HTML shows by `cid:`."""

    content_type: str
    content: bytes


class MailLink(NamedTuple):
    """A link in a mail: the text that a reader sees, and where it leads."""

    text: str
    address: str


class MailFacts(NamedTuple):
    """What the page around a mail says about its HTML."""

    links: list[MailLink]
    has_remote_images: bool


def show_mail(
    html: str, *, parts: Mapping[str, InlinePart] | None = None, has_images: bool = False
) -> web.Response:
    """Answer with the *html* of a mail, under an address of its own.

    *parts* are its inline parts by content id. With *has_images* a browser may load images from
    other servers. The header holds wherever the address is opened, in a frame or alone.
    """
    images = "data: https: http:" if has_images else "data:"
    return web.Response(
        text=embed_parts(html, parts or {}),
        content_type="text/html",
        headers={
            "Content-Security-Policy": SANDBOX.format(images=images),
            "Referrer-Policy": "no-referrer",
            "X-DNS-Prefetch-Control": "off",
        },
    )


def embed_parts(html: str, parts: Mapping[str, InlinePart]) -> str:
    """Return *html* with the images of *parts* in place of their content ids."""

    def embed(found: re.Match[str]) -> str:
        part = parts.get(unquote(found[1]))
        if part is None or part.content_type not in IMAGE_TYPES:
            return found[0]
        return f"data:{part.content_type};base64,{b64encode(part.content).decode()}"

    return CONTENT_ID.sub(embed, html)


def read_facts(html: str) -> MailFacts:
    """Return the links of a mail, the first MAX_LINKS, and whether it has remote images."""
    reader = FactReader()
    reader.feed(html)
    reader.close()
    return MailFacts(reader.links[:MAX_LINKS], reader.has_remote_images)


class FactReader(HTMLParser):
    """Reads the HTML of a mail, however broken it is."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[MailLink] = []
        self.has_remote_images = False
        self._texts: list[str] | None = None
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_style = tag == "style"
        given = {name: value or "" for name, value in attrs}
        images = [value for name, value in given.items() if name in IMAGE_ATTRIBUTES]
        is_remote = any(REMOTE.search(each) for each in images)
        self.has_remote_images |= is_remote or bool(STYLE_URL.search(given.get("style", "")))
        address = given.get(LINK_TAGS.get(tag, ""), "").strip()
        if address and not address.startswith("#"):
            self._end_link()
            self.links.append(MailLink(given.get("alt", ""), address))
            self._texts = []

    def handle_endtag(self, tag: str) -> None:
        self._is_style = False
        if tag in LINK_TAGS:
            self._end_link()

    def handle_data(self, data: str) -> None:
        if self._is_style:
            self.has_remote_images |= bool(STYLE_URL.search(data))
        elif self._texts is not None:
            self._texts.append(data)

    def close(self) -> None:
        super().close()
        self._end_link()

    def _end_link(self) -> None:
        """Set the text of the latest link to what was read since it began."""
        if self._texts is None:
            return
        text = " ".join("".join(self._texts).split())[:MAX_TEXT_LENGTH]
        if text:
            self.links[-1] = MailLink(text, self.links[-1].address)
        self._texts = None
