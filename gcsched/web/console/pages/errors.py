"""The pages of errors, in the frame: what is wrong, and what to do."""

import math
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from gcsched import errors
from gcsched.errors import GcschedError
from gcsched.web.console import problems
from gcsched.web.console.call import Call, html
from gcsched.web.console.view import STORE_NAMES, View

STATUSES: Mapping[type[GcschedError], int] = {
    problems.LoginNeeded: 401,
    problems.ForeignOrigin: 403,
    problems.UnknownPage: 404,
    problems.UnknownTemplate: 404,
    problems.WrongMethod: 405,
    problems.MalformedForm: 400,
    problems.BodyTooLarge: 413,
    problems.ServiceStarting: 503,
    errors.InvalidRequest: 400,
    errors.MalformedMessage: 400,
    errors.Unauthenticated: 401,
    errors.ScopeMissing: 403,
    errors.UnknownJob: 404,
    errors.UnknownSuppression: 404,
    errors.UnknownRecipient: 404,
    errors.UnknownMeeting: 404,
    errors.UnknownAttendee: 404,
    errors.MessageTimeout: 408,
    errors.IllegalTransition: 409,
    errors.DuplicateJob: 409,
    errors.RequestIdReused: 409,
    errors.EtagMismatch: 409,
    errors.JobContended: 409,
    errors.JobSuperseded: 409,
    errors.MeetingCancelled: 409,
    errors.MeetingContended: 409,
    errors.MeetingOver: 409,
    errors.RequestTooLarge: 413,
    errors.ClientLimit: 429,
    errors.UnreadableJob: 500,
    errors.UnreadableMeeting: 500,
    errors.InternalError: 500,
    errors.Overloaded: 503,
    errors.MemoryFull: 503,
    errors.Stopping: 503,
    errors.StoreUnavailable: 503,
    errors.StoreRefused: 503,
    errors.AdmissionClosed: 503,
    errors.RedisUnavailable: 503,
    errors.BulkNotFinished: 504,
    errors.DeadlineOver: 504,
}
TITLES: Mapping[int, str] = {
    400: "That cannot be used",
    401: "Log in",
    403: "Not allowed",
    404: "Not found",
    405: "Not like this",
    408: "Too slow",
    409: "It has changed",
    413: "Too large",
    429: "Too many requests",
    500: "That failed",
    503: "Not available",
    504: "Not finished",
}
"""What a page says of each status, above the sentence of the error."""


def show(call: Call, error: GcschedError) -> web.Response:
    """Return the page of *error*; for the script of a page only its sentence."""
    status, sentence = STATUSES[type(error)], describe(call, error)
    seconds = find_seconds(error)
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    if call.is_refresh:
        return web.Response(status=status, text=sentence, headers=headers)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Cookie realm="gcsched console"'
        return show_login(call, status=status, headers=headers)
    text = call.installation.renderer.render(
        "error.html",
        View.of(call),
        {"title": TITLES[status], "sentence": sentence, "seconds": seconds, "status": status},
    )
    return html(text, status=status, headers=headers)


def show_login(
    call: Call,
    *,
    problem: str = "",
    back: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return the login, which leads *back* afterwards, by default to this address."""
    values = {"problem": problem, "back": back or find_way_back(call)}
    text = call.installation.renderer.render("login.html", View.of(call), values)
    return html(text, status=status, headers=headers)


def find_way_back(call: Call) -> str:
    """Return the page to open after a login: this one, or that of the act which was refused."""
    if call.request.method == "GET":
        return call.path
    return call.page_of_act or "/"


def describe(call: Call, error: GcschedError) -> str:
    """Return the sentence of *error*; where a store is away, its name and since when."""
    if not isinstance(error, errors.StoreUnavailable) or isinstance(error, errors.StoreRefused):
        return capitalize(str(error))
    view = View.of(call)
    for store in view.stores_away:
        since = view.times.show(store.state_time)
        return f"{STORE_NAMES[store.name]} has not answered since {since}: {error}."
    return capitalize(str(error))


def capitalize(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}."


def find_seconds(error: GcschedError) -> int | None:
    """Return after how many seconds to try again, if the error says so."""
    wait = getattr(error, "retry_after", None)
    return None if wait is None else max(1, math.ceil(wait.total_seconds()))
