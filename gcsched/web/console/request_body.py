"""Reads bodies as browsers send them: a form in UTF-8, or one with a file; others are refused.

The charset that a caller names is never used: some codecs take minutes for 64 KiB.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import BodyPartReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiDict

from gcsched.web.console.problems import BodyTooLarge, MalformedForm

URL_ENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
MAX_FIELDS = 2_000
MAX_PARTS = 8
MAX_TEXT = 16 * 1024
"""So much a form with a file may have beside it: fields, and the headers of parts."""
BROKEN = (ValueError, AssertionError, HttpProcessingError, web.RequestPayloadError, ConnectionError)
"""What aiohttp raises for bodies that are cut off or not what their headers say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The text fields of a form, and the *content* of its file, "" without one."""

    fields: Mapping[str, str]
    content: bytes


async def read_form(request: web.Request) -> MultiDict[str]:
    """Return the fields of a form, in their order; none if there is no body.

    Raises MalformedForm.
    """
    if not request.body_exists:
        return MultiDict()
    check_type(request, URL_ENCODED)
    with refuse_broken():
        text = (await request.read()).decode()
        return MultiDict(
            parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
        )


async def read_upload(request: web.Request, *, file_field: str, most: int) -> Upload:
    """Return the form of *request*, whose file has at most *most* octets.

    Raises MalformedForm, and BodyTooLarge.
    """
    check_type(request, MULTIPART)
    with refuse_broken():
        reader = await open_parts(request, most + MAX_TEXT)
        fields, content = dict[str, str](), b""
        for _ in range(MAX_PARTS):
            part = await reader.next()
            if part is None:
                return Upload(fields=fields, content=content)
            if not isinstance(part, BodyPartReader):
                raise MalformedForm
            octets = bytes(await part.read())
            if len(octets) > most:
                raise BodyTooLarge
            if part.name == file_field:
                content = octets
            elif part.name:
                fields[part.name] = octets.decode()
    raise MalformedForm


async def open_parts(request: web.Request, most: int) -> aiohttp.MultipartReader:
    """Read the whole body, at most *most* octets, and return a reader of its parts.

    Read from the connection, headers of parts could be without end.
    """
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > most:
            raise BodyTooLarge
    loop = asyncio.get_running_loop()
    protocol = BaseProtocol(loop)
    stream = aiohttp.StreamReader(protocol, limit=most, loop=loop)
    stream.feed_data(bytes(body))
    stream.feed_eof()
    return aiohttp.MultipartReader(request.headers, stream)


def check_type(request: web.Request, content_type: str) -> None:
    charset = (request.charset or "utf-8").lower()
    if request.content_type != content_type or charset not in {"utf-8", "utf8"}:
        raise MalformedForm


@contextmanager
def refuse_broken() -> Iterator[None]:
    try:
        yield
    except BROKEN as error:  # of a browser there is none like that
        raise MalformedForm from error
