"""What every page shows around its content: the frame's navigation, bands and switches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcsched.domain.access import SCOPES, UNLISTED, Client, Scope
from gcsched.domain.pause import Pause
from gcsched.usecases.monitoring.store_health import StoreReport
from gcsched.web.console import paths
from gcsched.web.console.notices import NOTICES
from gcsched.web.console.preferences import Preferences
from gcsched.web.console.times import Times

if TYPE_CHECKING:
    from gcsched.web.console.call import Call

STORE_NAMES = {"mongodb": "MongoDB", "redis": "Redis"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationItem:
    """A page that the navigation leads to; *key* follows `g`, *act* has its scopes."""

    title: str
    path: str
    key: str
    act: str


NAVIGATION = (
    NavigationItem(title="Now", path="", key="n", act="GetStatus"),
    NavigationItem(title="Jobs", path="jobs", key="j", act="ListJobs"),
    NavigationItem(title="Meetings", path="meetings", key="m", act="ListMeetings"),
    NavigationItem(title="Relays", path="relays", key="r", act="GetStatus"),
    NavigationItem(title="Lateness", path="lateness", key="l", act="GetStatus"),
    NavigationItem(title="Suppressions", path="suppressions", key="s", act="ListSuppressions"),
    NavigationItem(title="Templates", path="templates", key="t", act="ListTemplates"),
    NavigationItem(title="Audit", path="audit", key="a", act="ListAudit"),
    NavigationItem(title="Clients", path="clients", key="c", act="clients"),
)
INBOX = NavigationItem(title="Inbox", path="inbox", key="i", act="inbox")
"""Only `gcsched dev` has this page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The frame of one page. *section* is the first part of its address."""

    root: str
    path: str
    section: str
    label: str
    client: Client
    is_logged_in: bool
    has_logins: bool
    preferences: Preferences
    service_zone: str
    times: Times
    navigation: Sequence[NavigationItem]
    pause: Pause | None
    stores_away: Sequence[StoreReport]
    notice: str

    @classmethod
    def of(cls, call: "Call") -> "View":
        installation, services = call.installation, call.installation.services
        is_shown = call.is_logged_in and services is not None
        is_page = call.request.method == "GET"
        path = paths.forget_notice(call.path if is_page else call.page_of_act or "/")
        return cls(
            root=call.root,
            path=path,
            section=path.lstrip("/").partition("/")[0].partition("?")[0],
            label=installation.label,
            client=call.client,
            is_logged_in=call.is_logged_in,
            has_logins=services is not None and services.access is not None,
            preferences=call.preferences,
            service_zone=installation.zone.key,
            times=call.times(),
            navigation=list_pages(call) if is_shown else [],
            pause=services.status.pause() if services is not None and is_shown else None,
            notice=NOTICES.get(call.request.query.get("done", ""), ""),
            stores_away=find_stores_away(call) if is_shown else (),
        )

    @property
    def here(self) -> str:
        """Return the link to this page, or to the page of this act."""
        return self.root + self.path.lstrip("/")

    def may(self, act: str) -> bool:
        """Return whether the client has a scope of *act*."""
        return may(self.client, act)

    @property
    def may_read_content(self) -> bool:
        """Whether addresses and texts are shown in full."""
        return self.client.has(Scope.CONTENT)


def may(client: Client, act: str) -> bool:
    needed = SCOPES.get(act, UNLISTED)
    return Scope.ADMIN in client.scopes or not client.scopes.isdisjoint(needed)


def list_pages(call: "Call") -> list[NavigationItem]:
    """Return the pages that the client may see."""
    pages = NAVIGATION if call.installation.inbox is None else (*NAVIGATION, INBOX)
    return [each for each in pages if may(call.client, each.act)]


def find_stores_away(call: "Call") -> list[StoreReport]:
    reports = [each.report() for each in call.services.status.stores]
    return [each for each in reports if each.is_away]
