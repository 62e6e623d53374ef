"""One request to the console: who asks, what they sent, and how to answer it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web
from multidict import MultiDictProxy

from gcsched.domain.access import Client
from gcsched.domain.actor import Actor
from gcsched.errors import Stopping
from gcsched.web.console import paths
from gcsched.web.console.preferences import Preferences
from gcsched.web.console.problems import MalformedForm
from gcsched.web.console.session import Session
from gcsched.web.console.times import Times
from gcsched.web.console.view import View

if TYPE_CHECKING:
    from gcsched.web.console.installation import Installation
    from gcsched.web.console.services import Services

VIA = "console"
"""The way by which these acts come, as steps and audit entries name it."""

STRANGER = Client(name="", scopes=frozenset())
"""The client of a request without a login, where one is needed."""

LIVE = "live"
"""The id of the part of a page that refreshes, and the name of its block in the template."""


@dataclass(kw_only=True, eq=False, repr=False)
class Call:
    """A request after the checks of hosts and origins.

    *client* is who has logged in; STRANGER before. *within* is the time for the answer.
    """

    request: web.Request
    installation: "Installation"
    preferences: Preferences
    client: Client = STRANGER
    session: Session | None = None
    within: timedelta = timedelta(0)
    address: str = ""
    """The address in the table of routes, with names in braces; "" before a route was found."""
    page_of_act: str = ""
    """The address of the page that an act belongs to."""
    cookies: dict[str, str] = field(default_factory=dict)
    """Cookies to set with the answer, by their plain names."""

    @property
    def services(self) -> "Services":
        """Return the use cases. Raises Stopping unless the service runs."""
        found = self.installation.services
        if found is None:
            raise Stopping
        return found

    @property
    def is_logged_in(self) -> bool:
        return self.client is not STRANGER

    @property
    def is_refresh(self) -> bool:
        """Whether the script of the page asks, and not a person who opens it."""
        return self.request.headers.get("HX-Request") == "true"

    @property
    def root(self) -> str:
        """Return the way from this address to the first page, for links: `./` or `../`."""
        return paths.find_root(self.request.rel_url.raw_path)

    @property
    def path(self) -> str:
        """Return this address, with its query."""
        return self.request.rel_url.raw_path_qs

    def actor(self, method: str) -> Actor:
        """Return who acts by this request, which does the same as *method* of the contract."""
        return Actor(client=self.client, via=VIA, method=method)

    def times(self) -> Times:
        installation = self.installation
        # The clock of the service: its reports have the times of that one.
        now = installation.now if installation.services is None else self.services.status.now
        return Times(
            zone=self.preferences.find_zone(installation.zone),
            now=now(),
            is_live=self.is_refresh,
        )

    async def form(self) -> Mapping[str, str]:
        """Return the fields that were sent; of those with the same name the last one."""
        sent = await self._read_form()
        return {name: value for name, value in sent.items() if isinstance(value, str)}

    async def form_values(self, name: str) -> list[str]:
        """Return all values of the field *name*, such as the boxes that are ticked."""
        sent = await self._read_form()
        return [value for value in sent.getall(name, []) if isinstance(value, str)]

    async def _read_form(self) -> MultiDictProxy[Any]:
        try:
            return await self.request.post()
        except ValueError as error:  # of a browser there is none like that
            raise MalformedForm from error

    def page(self, template: str, *, status: int = 200, **values: object) -> web.Response:
        """Answer with *template*, or with its block `live` if the script asks for that alone.

        The answer to the script has an ETag: 304 if nothing differs from what the page shows.
        """
        view = View.of(self)
        renderer = self.installation.renderer
        if not self.is_refresh:
            return html(renderer.render(template, view, values), status=status)
        part = renderer.render_live(template, view, values)
        if part.etag in self.request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers={"ETag": part.etag})
        return html(part.text, status=status, headers={"ETag": part.etag})

    def fragment(self, template: str, **values: object) -> web.Response:
        """Answer with *template*, a part of a page that is loaded for itself."""
        return html(self.installation.renderer.render(template, View.of(self), values))

    def redirect(self, path: str, *, done: str = "") -> web.Response:
        """Have the browser open *path*, an address of ours from `/` on, after an act.

        *done* is the word in `NOTICES` for what the page then says.
        """
        if done:
            path += f"{'&' if '?' in path else '?'}done={done}"
        return web.Response(status=303, headers={"Location": self.link(path)})

    def link(self, path: str) -> str:
        """Return *path*, an address of ours from `/` on, as a link from this one."""
        return self.root + path.lstrip("/")


def html(text: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=text, status=status, headers=headers, content_type="text/html")
