"""What a person chose for the look of the pages, kept in a cookie: zone, theme and keys. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SERVICE, BROWSER, UTC = "service", "browser", "utc"
ZONES = (SERVICE, BROWSER, UTC)
THEMES = ("auto", "light", "dark")
ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
MAX_COOKIE_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The choices of one browser; *browser_zone* is the IANA name of its own zone."""

    zone: str = SERVICE
    browser_zone: str = ""
    theme: str = "auto"
    has_keys: bool = True

    def find_zone(self, service_zone: ZoneInfo) -> ZoneInfo:
        """Return the zone in which to show times."""
        if self.zone == BROWSER and (found := find_named_zone(self.browser_zone)):
            return found
        return ZoneInfo("UTC") if self.zone == UTC else service_zone

    def to_cookie(self) -> str:
        return urlencode(
            {
                "zone": self.zone,
                "browser_zone": self.browser_zone,
                "theme": self.theme,
                "keys": "on" if self.has_keys else "off",
            }
        )


def parse_preferences(cookie: str) -> Preferences:
    """Return the choices in *cookie*; whatever is not understood has its default."""
    given = dict(parse_qsl(cookie)) if len(cookie) <= MAX_COOKIE_LENGTH else {}
    return choose(Preferences(), given)


def choose(before: Preferences, given: dict[str, str]) -> Preferences:
    """Return *before* with the choices in *given*, those that are valid."""
    zone, browser_zone = given.get("zone"), given.get("browser_zone", before.browser_zone)
    if find_named_zone(browser_zone) is None:
        browser_zone = ""
    if zone not in ZONES or (zone == BROWSER and not browser_zone):
        zone = before.zone
    theme, keys = given.get("theme", before.theme), given.get("keys")
    return Preferences(
        zone=zone,
        browser_zone=browser_zone,
        theme=theme if theme in THEMES else before.theme,
        has_keys=before.has_keys if keys not in {"on", "off"} else keys == "on",
    )


def find_named_zone(name: str) -> ZoneInfo | None:
    if not ZONE_NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
