"""The console of one process: its addresses, its logins, its files, and the service behind it."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from gcsched.usecases.access.refusal_delay import RefusalDelay
from gcsched.usecases.ports import Clock
from gcsched.web.console.acts import Acts
from gcsched.web.console.inbox import Inbox
from gcsched.web.console.metrics import PageMetrics
from gcsched.web.console.rendering import Renderer
from gcsched.web.console.security import OwnAddresses
from gcsched.web.console.services import Services
from gcsched.web.console.session import Sessions
from gcsched.web.console.static_files import StaticFiles
from gcsched.web.readiness import Readiness


@dataclass(kw_only=True, eq=False, repr=False)
class Installation:
    """What all requests share. *services* is None until the service runs, and at its end.

    Only `gcsched dev` has an *inbox*.
    """

    addresses: OwnAddresses
    sessions: Sessions
    static: StaticFiles
    renderer: Renderer
    readiness: Readiness
    metrics: PageMetrics
    label: str
    zone: ZoneInfo
    now: Clock
    login_delay: RefusalDelay
    services: Services | None = None
    inbox: Inbox | None = None
    acts: Acts = field(default_factory=Acts)
