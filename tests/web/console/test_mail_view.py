"""A mail is shown in a document that can do nothing; its links and remote images are named."""

import base64
from collections.abc import Iterator

import pytest
from aiohttp import web

from gcsched.web.console import routes, server
from gcsched.web.console.call import Call
from gcsched.web.console.mail_view import InlinePart, MailLink, embed_parts, read_facts, show_mail
from gcsched.web.console.routing import Route
from tests.support.console import Browser

SHARED = pytest.mark.asyncio(loop_scope="module")

PNG = b"\x89PNG\r\n\x1a\n"
MAIL = """<p>Dear Ada, <a href="https://example.org/a?x=1&amp;y=2">the <b>plan</b>
 of Friday</a> <img src="cid:logo@x"><img src='https://track.example.org/1.png'></p>"""


@pytest.fixture(scope="module", autouse=True)
def mail_route() -> Iterator[None]:
    async def show(call: Call) -> web.StreamResponse:
        parts = {"logo@x": InlinePart("image/png", PNG)}
        return show_mail(MAIL, parts=parts, has_images="images" in call.request.query)

    route = Route(method="GET", path="/mail", act="GetJob", handler=show)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "ROUTES", (*routes.ROUTES, route))
        yield


@SHARED
async def test_its_document_can_do_nothing_wherever_it_is_opened(visitor: Browser) -> None:
    answer = await visitor.open("/mail")

    assert answer.headers["Content-Security-Policy"] == (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
        " frame-ancestors 'self'"
    )
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.find("img")[0].get("src") == (
        "data:image/png;base64," + base64.b64encode(PNG).decode()
    )


@SHARED
async def test_images_of_others_are_allowed_after_a_click_only(visitor: Browser) -> None:
    before = await visitor.open("/mail")
    after = await visitor.open("/mail?images=1")

    assert "img-src data:;" in before.headers["Content-Security-Policy"]
    assert "img-src data: https: http:;" in after.headers["Content-Security-Policy"]


def test_links_are_listed_as_a_reader_and_a_program_see_them() -> None:
    assert read_facts(MAIL).links == [
        MailLink("the plan of Friday", "https://example.org/a?x=1&y=2")
    ]


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ("<a href='#top'>up</a><a>none</a><a href=''>none</a>", []),
        ("<a href=javascript:alert(1)>x", [MailLink("x", "javascript:alert(1)")]),
        ("<a href=/a>one<a href=/b>two", [MailLink("one", "/a"), MailLink("two", "/b")]),
        ("<area alt='the map' href='https://a'>", [MailLink("the map", "https://a")]),
        ("<form action=https://a><input></form>", [MailLink("", "https://a")]),
        ("<A HREF='HTTPS://A'>x</A><!-- <a href=b>y</a> -->", [MailLink("x", "HTTPS://A")]),
    ],
)
def test_links_are_found_in_broken_html_too(html: str, links: list[MailLink]) -> None:
    assert read_facts(html).links == links


def test_of_many_links_the_first_ones_are_listed() -> None:
    links = read_facts("<a href=x>y</a>" * 1_000).links

    assert len(links) == 200


@pytest.mark.parametrize(
    ("html", "has_images"),
    [
        ("<img src='https://a/1.png'>", True),
        ("<img src=//a/1.png>", True),
        ("<img srcset='https://a/1.png 2x'>", True),
        ("<td background=http://a/1.png>", True),
        ("<p style=\"background: url('https://a/1.png')\">", True),
        ("<style>p { background: url( //a/1.png ) }</style>", True),
        ("<img src=cid:logo><img src='data:image/png;base64,AA=='>", False),
        ("<a href='https://a'>url(https://a)</a>", False),
        ("<img src=relative.png>", False),
    ],
)
def test_remote_images_are_recognised(html: str, *, has_images: bool) -> None:
    assert read_facts(html).has_remote_images is has_images


def test_only_images_are_put_in_the_place_of_their_content_ids() -> None:
    parts = {
        "a b": InlinePart("image/gif", b"GIF"),
        "page": InlinePart("text/html", b"<script>alert(1)</script>"),
    }

    shown = embed_parts("<img src='CID:a%20b'><iframe src=cid:page><img src=cid:none>", parts)

    gif = base64.b64encode(b"GIF").decode()
    assert (
        shown == f"<img src='data:image/gif;base64,{gif}'><iframe src=cid:page><img src=cid:none>"
    )
