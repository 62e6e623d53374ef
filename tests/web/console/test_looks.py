"""What pages show by themselves: instants, distances, states, choices, links."""

import hashlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gcsched.domain.job import State
from gcsched.web.console.paths import find_root, forget_notice, parse_local
from gcsched.web.console.preferences import Preferences, choose, parse_preferences
from gcsched.web.console.states import STATE_MARKS
from gcsched.web.console.static_files import FOLDER
from gcsched.web.console.times import Times, show_distance, show_duration

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 28, 12, 30, 5, 120_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        (NOON, "13:30:05"),
        (NOON.replace(hour=23, minute=59), "29 Mar 00:59:05"),
        (NOON + timedelta(days=1), "29 Mar 14:30:05"),  # summer time has begun
        (NOON.replace(year=2025), "2025-03-28 13:30:05"),
    ],
)
def test_an_instant_is_as_short_as_its_day_allows(instant: datetime, shown: str) -> None:
    assert Times(zone=BERLIN, now=NOON).show(instant) == shown


def test_in_full_it_has_its_offset_and_its_zone() -> None:
    times = Times(zone=BERLIN, now=NOON)

    assert times.show_fully(NOON) == "Sat 2026-03-28 13:30:05 +01:00 (Europe/Berlin)"
    assert times.show(NOON, has_fraction=True) == "13:30:05.12"
    assert Times(zone=ZoneInfo("UTC"), now=NOON).show_fully(NOON).endswith("+00:00 (UTC)")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *((0, "now"), (0.4, "now"), (1, "in 1 s"), (-1, "1 s ago"), (119, "in 119 s")),
        *((120, "in 2 min"), (-7199, "120 min ago"), (7200, "in 2 h"), (-86_400, "24 h ago")),
        *((172_800, "in 2 d"), (-31_536_000, "365 d ago")),
    ],
)
def test_a_distance_has_one_unit(seconds: float, shown: str) -> None:
    assert show_distance(timedelta(seconds=seconds)) == shown


def test_the_script_writes_the_distances_of_a_refresh_itself() -> None:
    assert Times(zone=BERLIN, now=NOON, is_live=True).show_distance(NOON) == ""
    assert Times(zone=BERLIN, now=NOON).show_distance(NOON) == "now"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.314, "0.31 s"), (0, "0 s"), (1, "1 s"), (1.64, "1.6 s"), (10.4, "10 s"), (7200, "2 h")],
)
def test_a_duration_has_one_unit(seconds: float, shown: str) -> None:
    assert show_duration(timedelta(seconds=seconds)) == shown


def test_each_state_has_a_glyph_and_a_colour_of_the_style() -> None:
    style = (FOLDER / "console.css").read_text(encoding="utf-8")

    assert set(STATE_MARKS) == set(State)
    for mark in STATE_MARKS.values():
        assert mark.glyph.strip()
        assert f"--{mark.colour}:" in style


@pytest.mark.parametrize(
    ("given", "zone"),
    [
        ({"zone": "utc"}, "UTC"),
        ({"zone": "service"}, "Europe/Berlin"),
        ({"zone": "browser", "browser_zone": "Asia/Kolkata"}, "Asia/Kolkata"),
        ({"zone": "browser"}, "Europe/Berlin"),
        ({"zone": "browser", "browser_zone": "../../etc/passwd"}, "Europe/Berlin"),
        ({"zone": "browser", "browser_zone": "Mars/Base"}, "Europe/Berlin"),
        ({"zone": "<script>"}, "Europe/Berlin"),
    ],
)
def test_a_zone_that_is_not_known_is_that_of_the_service(given: dict[str, str], zone: str) -> None:
    chosen = choose(Preferences(), given)

    assert chosen.find_zone(BERLIN).key == zone


def test_choices_are_kept_one_by_one_and_read_again() -> None:
    chosen = Preferences()
    for given in ({"theme": "dark"}, {"keys": "off"}, {"zone": "utc"}, {"theme": "pink"}):
        chosen = choose(chosen, given)

    assert chosen == Preferences(zone="utc", theme="dark", has_keys=False)
    assert parse_preferences(chosen.to_cookie()) == chosen


@pytest.mark.parametrize(
    "cookie", ["", "x", "zone=%00", "&&&=", "theme=" + "d" * 500, "keys=maybe"]
)
def test_a_cookie_that_makes_no_sense_is_none(cookie: str) -> None:
    assert parse_preferences(cookie) == Preferences()


@pytest.mark.parametrize(
    ("path", "root"),
    [("/", "./"), ("/jobs", "./"), ("/jobs/1", "../"), ("/jobs/1/x", "../../"), ("//", "../")],
)
def test_links_lead_to_the_first_page_from_everywhere(path: str, root: str) -> None:
    assert find_root(path) == root


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        *(("/", "/"), ("/?done=paused", "/"), ("/jobs?state=SENT", "/jobs?state=SENT")),
        *(("/jobs?done=x&state=SENT", "/jobs?state=SENT"), ("/?undone=1&done=a", "/?undone=1")),
    ],
)
def test_what_a_page_says_after_an_act_is_not_part_of_the_way_back(path: str, kept: str) -> None:
    assert forget_notice(path) == kept


@pytest.mark.parametrize("path", ["/", "/jobs/1?state=SENT&x=%2F", "/keys#top"])
def test_a_way_back_is_an_address_of_ours(path: str) -> None:
    assert parse_local(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *("", "jobs", "//evil.example.org", "/\\evil.example.org", "https://evil.example.org"),
        *("javascript:alert(1)", "/a\nb", "/\tb", "/é", "/\\/evil", " /", "/" + "a" * 500),
    ],
)
def test_any_other_way_leads_to_the_first_page(path: str) -> None:
    assert parse_local(path) == "/"


def test_the_vendored_script_is_the_one_that_is_recorded() -> None:
    record = (FOLDER / "ORIGIN.md").read_text(encoding="utf-8")
    digest = hashlib.sha256((FOLDER / "htmx.min.js").read_bytes()).hexdigest()

    assert f"`{digest}`" in record
    assert "0BSD" in record
