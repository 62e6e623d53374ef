"""Reads a form with a file, in memory: the file systems of containers are often read-only."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import BodyPartReader, web

from gcsched.web.console.problems import BodyTooLarge, MalformedForm

MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The text fields of a form, and the *content* of its file, "" without one."""

    fields: Mapping[str, str]
    content: bytes


async def read_upload(request: web.Request, *, file_field: str, most: int) -> Upload:
    """Return the form of *request*. Raises MalformedForm, and BodyTooLarge beyond *most* octets."""
    if request.content_type != MULTIPART:
        raise MalformedForm
    if (request.content_length or 0) > most:
        raise BodyTooLarge
    fields, content, left = dict[str, str](), b"", most
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise MalformedForm
            octets = await read_part(part, most=left)
            left -= len(octets)
            if part.name == file_field:
                content = octets
            elif part.name:
                fields[part.name] = octets.decode()
    except (ValueError, AssertionError) as error:  # of a browser there is none like that
        raise MalformedForm from error
    return Upload(fields=fields, content=content)


async def read_part(part: BodyPartReader, *, most: int) -> bytes:
    found = bytearray()
    while chunk := await part.read_chunk():
        found += chunk
        if len(found) > most:
            raise BodyTooLarge
    return bytes(found)
