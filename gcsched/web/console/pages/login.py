"""Login by a token, and logout."""

from aiohttp import web

from gcsched.domain.access import Client, check_scope
from gcsched.domain.access_token import parse_token
from gcsched.domain.refusal import NOT_VALID, Refusal, RefusalReason
from gcsched.usecases.access.access_control import AccessControl
from gcsched.web.console import cookies
from gcsched.web.console.call import Call
from gcsched.web.console.pages.errors import show_login
from gcsched.web.console.paths import parse_local

METHOD = "console login"
PROBLEMS = {
    RefusalReason.MISSING: "Enter a token.",
    RefusalReason.MALFORMED: "This is not a token of gcsched, which begins with gcs_ and has 63"
    " characters.",
    RefusalReason.WRONG_CHECK: "The token is mistyped or cut off: its check characters do not fit.",
}
NOT_A_TOKEN = f"{NOT_VALID[0].upper()}{NOT_VALID[1:]}."


async def show(call: Call) -> web.StreamResponse:
    """Show the login; who has logged in already goes on."""
    back = parse_local(call.request.query.get("back", "/"))
    return call.redirect(back) if call.is_logged_in else show_login(call, back=back)


async def log_in(call: Call) -> web.StreamResponse:
    form = await call.form()
    back, access = parse_local(form.get("back", "/")), call.services.access
    if access is None:
        return call.redirect(back)
    text = form.get("token", "").strip()
    found = authenticate(access, text)
    if isinstance(found, Refusal):
        access.record_refusal(found, method=METHOD, peer=lambda: call.request.remote or "")
        await call.installation.login_delay.wait()
        problem = PROBLEMS.get(found.reason, NOT_A_TOKEN)
        return show_login(call, problem=problem, back=back, status=401)
    token_id, _ = parse_token(text)
    usable = access.find_usable(token_id)
    if usable is not None:
        call.cookies[cookies.LOGIN] = call.installation.sessions.start(usable[1])
    return call.redirect(back)


def authenticate(access: AccessControl, text: str) -> Client | Refusal:
    """Return the client whose token *text* is, and which may use the console.

    Raises ScopeMissing if it may not.
    """
    if not text:
        return Refusal(RefusalReason.MISSING)
    found = access.authenticate([f"Bearer {text}"])
    if isinstance(found, Client):
        check_scope(found, "console")
    return found


async def log_out(call: Call) -> web.StreamResponse:
    call.cookies[cookies.LOGIN] = ""
    return call.redirect("/login")
