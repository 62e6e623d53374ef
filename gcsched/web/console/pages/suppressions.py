"""Suppressions: the addresses that get no mail, one of them, and what can be done about them."""

from collections.abc import Mapping

from aiohttp import web

from gcsched.domain.address import parse_stored_address
from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.page_token import encode_page_token, parse_page_token
from gcsched.domain.suppression import NewSuppression, parse_new_suppression
from gcsched.domain.zoned_time import zone_violations
from gcsched.errors import InvalidRequest, UnknownSuppression, Violation
from gcsched.usecases.management.suppressions import SuppressionPage
from gcsched.web.console.call import Call
from gcsched.web.console.job_filters import parse_time
from gcsched.web.console.routing import Route, of_page
from gcsched.web.console.suppression_file import MAX_LINES, MAX_OCTETS

PAGE = "/suppressions"
LIST_NAME = "suppressions"
PAGE_SIZE = 50
ADDED_FIELDS = ("email", "reason", "until")
Fields = Mapping[str, str]
NO_FIELDS: Fields = {}
FORM_NAMES = {"expire_time": "until"}


async def show(call: Call) -> web.StreamResponse:
    return call.page("suppressions.html", status=200, **await list_values(call, ""))


async def show_next(call: Call) -> web.StreamResponse:
    """Show another page of the list: its token has an address, which has no place in a URL."""
    fields = await call.form()
    values = await list_values(call, fields.get("page", ""))
    return call.page("suppressions_page.html", status=200, **values)


async def list_values(call: Call, token: str) -> dict[str, object]:
    [after] = require_valid(parse_page_token(LIST_NAME, token, parts=1)) or [""]
    page = await read_page(call, after, most=PAGE_SIZE)
    following = page.next_address
    return {
        "suppressions": page.suppressions,
        "token": encode_page_token(LIST_NAME, [following]) if following else "",
        "is_first": not token,
        **form_values(call),
    }


async def read_page(call: Call, after: str, *, most: int) -> SuppressionPage:
    async with call.services.slots.reading.slot(call.within):
        return await call.services.suppressions.read_page(after, most=most)


def form_values(
    call: Call, given: Fields = NO_FIELDS, problems: Fields = NO_FIELDS, *, act: str = ""
) -> dict[str, object]:
    """Return what the forms need; that of *act* is open, with what was filled in."""
    return {
        "given": {name: given.get(name, "") for name in (*ADDED_FIELDS, "q")},
        "problems": dict.fromkeys((*ADDED_FIELDS, "q", "file"), "") | dict(problems),
        "act": act,
        "zone": call.times().zone.key,
        "most_lines": MAX_LINES,
        "most_octets": MAX_OCTETS,
        "days": call.services.suppressions.default_duration.days,
    }


async def find(call: Call) -> web.StreamResponse:
    """Show the suppression of one address, or say that it has none."""
    fields = await call.form()
    given = fields.get("q", "").strip()
    try:
        address = require_valid(parse_stored_address(given, field="q"))
    except InvalidRequest as error:
        return await show_refused(call, fields, error, act="find")
    return await show_one(call, address)


async def show_one(call: Call, address: str, *, notice: str = "") -> web.Response:
    try:
        async with call.services.slots.reading.slot(call.within):
            found = await call.services.suppressions.find(address)
    except UnknownSuppression:
        found = None
    return call.page(
        "suppression.html",
        status=200,
        suppression=found,
        address=address,
        message=notice,
        **form_values(call, {} if found else {"email": address}),
    )


async def show_refused(
    call: Call, fields: Fields, error: InvalidRequest, *, act: str
) -> web.Response:
    """Show the list with the form of *act* open; its fields say what is wrong."""
    problems = {FORM_NAMES.get(each.field, each.field): each.problem for each in error.violations}
    values = await list_values(call, "") | form_values(call, fields, problems, act=act)
    return call.page("suppressions_page.html", status=400, **values)


async def add(call: Call) -> web.StreamResponse:
    fields = await call.form()
    try:
        new = require_valid(parse_added(call, fields))
    except InvalidRequest as error:
        return await show_refused(call, fields, error, act="add")
    async with call.services.slots.changing.slot(call.within):
        added = await call.services.change_suppressions.add(
            new.address,
            reason=new.reason,
            until=new.expire_time,
            actor=call.actor("AddSuppression"),
            within=call.within,
        )
    return await show_one(call, added.address, notice="The address is blocked: it gets no mail.")


def parse_added(call: Call, fields: Fields) -> Checked[NewSuppression]:
    zone = yield from zone_violations(fields.get("zone", ""), "until")
    until = yield from parse_time(fields.get("until", "").strip(), "until", zone)
    parsing = parse_new_suppression(
        fields.get("email", "").strip(),
        fields.get("reason", ""),
        until,
        rules=call.services.rules.addresses,
        now=call.times().now,
    )
    return (yield from parsing)


async def remove(call: Call) -> web.StreamResponse:
    """Remove the suppression that the form shows; one that is another by now stays."""
    fields = await call.form()
    address = require_valid(parse_stored_address(fields.get("email", ""), field="email"))
    try:
        async with call.services.slots.changing.slot(call.within):
            await check_unchanged(call, address, fields.get("seen", ""))
            await call.services.change_suppressions.remove(
                address, actor=call.actor("RemoveSuppression"), within=call.within
            )
    except UnknownSuppression:
        return await show_one(call, address, notice="It was not blocked any more.")
    except InvalidRequest as error:
        return await show_one(call, address, notice=error.violations[0].problem)
    return await show_one(call, address, notice="The address is not blocked any more.")


async def check_unchanged(call: Call, address: str, seen: str) -> None:
    """Raise InvalidRequest if the suppression of *address* is not that of *seen*."""
    found = await call.services.suppressions.find(address)
    if found.expire_time.isoformat() != seen:
        problem = "It has changed since this form was opened, so it stays. Look, and send again."
        raise InvalidRequest([Violation("seen", problem)])


ROUTES = (
    Route(method="GET", path=PAGE, act="ListSuppressions", handler=show),
    of_page(PAGE, "/suppressions/pages", "ListSuppressions", show_next),
    of_page(PAGE, "/suppressions/find", "GetSuppression", find),
    of_page(PAGE, "/suppressions/add", "AddSuppression", add),
    of_page(PAGE, "/suppressions/remove", "RemoveSuppression", remove),
)
