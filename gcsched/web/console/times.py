"""How pages show instants: in the chosen zone, with the distance from now beside them. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
FEW_SECONDS = 10
"""Below so many, fractions are shown: 0.31 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Shows instants in *zone* at *now*.

    Where the script of the console refreshes a page, it writes the distances itself (*is_live*):
    otherwise each refresh would differ from the one before.
    """

    zone: ZoneInfo
    now: datetime
    is_live: bool = False

    def show(
        self, instant: datetime, *, has_fraction: bool = False, has_seconds: bool = True
    ) -> str:
        """Return *instant* as short as its day allows."""
        local, today = instant.astimezone(self.zone), self.now.astimezone(self.zone)
        clock = f"{local:%H:%M:%S}" if has_seconds else f"{local:%H:%M}"
        if has_fraction:
            clock += f".{local.microsecond // 10_000:02}"
        if local.date() == today.date():
            return clock
        if local.year == today.year:
            return f"{local.day} {local:%b} {clock}"
        return f"{local:%Y-%m-%d} {clock}"

    def show_fully(self, instant: datetime) -> str:
        """Return *instant* with its date, its offset and the zone, as a title."""
        local = instant.astimezone(self.zone)
        offset = f"{local:%z}"
        return f"{local:%a %Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]} ({self.zone})"

    def show_distance(self, instant: datetime) -> str:
        """Return how far *instant* is from now: `3 h ago`, `in 4 min`; "" for the script."""
        return "" if self.is_live else show_distance(instant - self.now)


def show_distance(distance: timedelta) -> str:
    seconds = round(distance.total_seconds())
    if not seconds:
        return "now"
    length = show_duration(timedelta(seconds=abs(seconds)))
    return f"in {length}" if seconds > 0 else f"{length} ago"


def show_duration(duration: timedelta) -> str:
    """Return *duration* in the largest unit of which it has at least two: `90 s`, `3 h`, `2 d`."""
    seconds = duration.total_seconds()
    if seconds < FEW_SECONDS:
        return f"{seconds:.2g} s"
    size, unit = next(each for each in UNITS if seconds >= 2 * each[0])
    return f"{seconds / size:.0f} {unit}"
