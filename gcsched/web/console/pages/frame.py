"""What belongs to the frame of all pages: its files, its switches, its list of keys, Resume."""

from aiohttp import web

from gcsched.domain.checks import require_valid
from gcsched.domain.pause import parse_optional_by
from gcsched.web.console import cookies
from gcsched.web.console.call import Call
from gcsched.web.console.paths import parse_local
from gcsched.web.console.preferences import choose
from gcsched.web.console.problems import UnknownPage

FOREVER = "public, max-age=31536000, immutable"


async def send_file(call: Call) -> web.StreamResponse:
    """Send a file of the pages. Its name has a digest of its content, so it is kept forever."""
    found = call.installation.static.by_name.get(call.request.match_info["name"])
    if found is None:
        raise UnknownPage
    return web.Response(
        body=found.content, content_type=found.content_type, headers={"Cache-Control": FOREVER}
    )


async def choose_view(call: Call) -> web.StreamResponse:
    """Keep the zone, the theme or the keys that a person chose, in a cookie."""
    form = await call.form()
    call.cookies[cookies.VIEW] = choose(call.preferences, dict(form)).to_cookie()
    return call.redirect(parse_local(form.get("back", "/")))


async def show_keys(call: Call) -> web.StreamResponse:
    return call.page("keys.html")


async def resume_sending(call: Call) -> web.StreamResponse:
    """End the pause, as ResumeSending does."""
    form = await call.form()
    by = require_valid(parse_optional_by(call.client.name))
    await call.services.sending.resume(by, actor=call.actor("ResumeSending"), within=call.within)
    return call.redirect(parse_local(form.get("back", "/")), done="resumed")
