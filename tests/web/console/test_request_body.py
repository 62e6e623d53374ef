"""Bodies that no browser sends: each is answered at once, and none is a defect of ours."""

import gzip
import time
from collections.abc import AsyncIterator

import pytest

from tests.support.console import SAME_ORIGIN, Answer, Browser
from tests.support.log_events import Events, find_events

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
END = b"\r\n--x--\r\n"
MOST = 512 * 1024


async def send(browser: Browser, path: str, body: object, content_type: str, **more: str) -> Answer:
    headers = {"Content-Type": content_type, **SAME_ORIGIN, **more}
    return await browser.request("POST", path, data=body, **headers)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (f"{FORM}; charset=punycode", b"zone=" + b"x" * 65_000),
        (f"{FORM}; charset=unicode_escape", b"zone=\\ud800"),
        (f"{FORM}; charset=nonsense", b"zone=UTC"),
        ("text/plain", b"zone=UTC"),
        (MULTIPART, FILE + b"x" + END),
        (FORM, b"zone=\xff"),
        (FORM, b"zone=%ff"),
        (FORM, b"a&" * 2_001),
    ],
)
async def test_a_form_that_no_browser_sends_is_refused_at_once(
    guest: Browser, events: Events, content_type: str, body: bytes
) -> None:
    start = time.process_time()

    answer = await send(guest, "/view", body, content_type)

    assert answer.status == 400
    assert time.process_time() - start < 0.5
    assert not find_events(events, "page failed")


async def test_a_request_without_a_body_has_no_fields(visitor: Browser) -> None:
    """As `curl -X POST` sends it; a browser names the type of an empty form."""
    answer = await visitor.request("POST", "/resume", **SAME_ORIGIN)

    assert (answer.status, answer.location) == (303, "./?done=resumed")


async def test_a_compressed_form_is_not_unpacked(guest: Browser) -> None:
    body = gzip.compress(b"zone=" + b"x" * 50_000_000)

    answer = await send(guest, "/view", body, FORM, **{"Content-Encoding": "gzip"})

    assert answer.status == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (FILE + b"x" * 1_000, 400),  # cut off
        (b"--x\r\nno header\r\n\r\n" + END, 400),
        ((FILE + b"x\r\n") * 9 + END, 400),
        (FILE + b"x" * (MOST + 1) + END, 413),
    ],
)
async def test_a_form_with_a_file_that_no_browser_sends_is_refused(
    visitor: Browser, events: Events, body: bytes, status: int
) -> None:
    answer = await send(visitor, "/suppressions/import", body, MULTIPART)

    assert answer.status == status
    assert not find_events(events, "page failed")


async def test_headers_of_a_part_have_an_end(visitor: Browser) -> None:
    """Sent in chunks, whose sum no header tells."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"--x\r\n"
        while sent < 100 * MOST:
            sent += 64 * 1024
            yield (b"A: " + b"b" * 1_020 + b"\r\n") * 64

    answer = await send(visitor, "/suppressions/import", endless(), MULTIPART)

    assert answer.status == 413


async def test_a_file_may_have_512_kib_beside_the_rest_of_the_form(visitor: Browser) -> None:
    line = b"a@example.org\n"
    content = line + b"," * (MOST - len(line))

    answer = await send(visitor, "/suppressions/import", FILE + content + END, MULTIPART)

    assert answer.status == 200


async def test_a_file_of_very_many_lines_is_not_parsed_to_its_end(visitor: Browser) -> None:
    start = time.process_time()

    answer = await send(visitor, "/suppressions/import", FILE + b"a\n" * 260_000 + END, MULTIPART)

    assert answer.status == 400
    assert "has more than 2,000 lines" in answer.words
    assert time.process_time() - start < 0.4
