"""The program reads zones from `tzdata`; an application that imports it is left alone."""

import os
import zoneinfo
from importlib.resources import files
from pathlib import Path

import pytest

from gcsched.process.zone_data import find_zone_version, use_packaged_zones
from tests.support.command import run_gcsched, run_python
from tests.support.zone_oracle import read_tzif

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import datetime, subprocess, sys, zoneinfo
from gcsched.process.zone_data import use_packaged_zones

SHOW = "import datetime, zoneinfo; z = zoneinfo.ZoneInfo('Europe/Berlin');"
SHOW += "print(datetime.datetime(2027, 1, 5, tzinfo=z).utcoffset(), flush=True)"
exec(SHOW)
use_packaged_zones()
exec(SHOW)
subprocess.run([sys.executable, "-c", SHOW], check=True)
"""

APPLICATION = """
import os, zoneinfo
before = zoneinfo.TZPATH, zoneinfo.ZoneInfo("Europe/Berlin")
import gcsched.__main__, gcsched.cli.main, gcsched.client, gcsched.domain.zoned_time
from gcsched.process.zone_data import find_zone_version
assert (zoneinfo.TZPATH, zoneinfo.ZoneInfo("Europe/Berlin")) == before
print(*zoneinfo.TZPATH, os.environ["PYTHONTZPATH"], repr(find_zone_version()))
"""

WITHOUT_TZDATA = """
import sys
sys.modules["tzdata"] = None
from gcsched.cli.entry import main
sys.exit(main())
"""


@pytest.fixture
def other_rules(tmp_path: Path) -> Path:
    """A host whose file of Europe/Berlin has the rules of Asia/Tokyo."""
    folder = tmp_path / "zoneinfo"
    (folder / "Europe").mkdir(parents=True)
    (folder / "Europe" / "Berlin").write_bytes(read_tzif("Asia/Tokyo"))
    return folder


async def test_a_process_and_its_children_leave_the_hosts_files_alone(other_rules: Path) -> None:
    done = await run_python("-c", PROGRAM, PYTHONTZPATH=str(other_rules))

    assert done.stderr == ""
    assert done.stdout.split() == ["9:00:00", "1:00:00", "1:00:00"]


async def test_the_program_shows_times_by_the_rules_of_the_package(
    other_rules: Path, tmp_path: Path
) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "doc.html").write_text("<p>{{ due.strftime('%Z') }}</p>")
    preview = ("template", "preview", "doc", "--folder", str(tmp_path / "templates"), "--html", "-")

    done = await run_gcsched(
        *preview, GCSCHED_TIMEZONE="Europe/Berlin", PYTHONTZPATH=str(other_rules)
    )

    assert done.stderr == ""
    assert "<p>CET</p>" in done.stdout or "<p>CEST</p>" in done.stdout


async def test_importing_gcsched_leaves_the_zones_of_an_application_alone(
    other_rules: Path,
) -> None:
    done = await run_python("-c", APPLICATION, PYTHONTZPATH=str(other_rules))

    assert done.stderr == ""
    assert done.stdout.split() == [str(other_rules), str(other_rules), "''"]


def test_only_the_start_of_the_program_changes_the_zones() -> None:
    sources = {
        str(path.relative_to(ROOT)): path.read_text() for path in ROOT.glob("gcsched/**/*.py")
    }

    assert [name for name, text in sources.items() if "reset_tzpath" in text] == [
        "gcsched/process/zone_data.py"
    ]
    assert {name for name, text in sources.items() if "use_packaged_zones" in text} == {
        "gcsched/process/zone_data.py",
        "gcsched/cli/entry.py",
    }


async def test_the_client_starts_where_there_is_no_zone_at_all() -> None:
    done = await run_python("-c", WITHOUT_TZDATA, "job", "show", "--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: gcsched job show")


def test_the_version_is_that_of_the_packages_files(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, _ = files("tzdata").joinpath("zoneinfo", "tzdata.zi").read_text().partition("\n")

    assert first == f"# version {find_zone_version()}"
    monkeypatch.setattr(zoneinfo, "TZPATH", ("/usr/share/zoneinfo",))
    assert find_zone_version() == "", "it is unknown which rules are in use"


def test_the_tests_run_by_the_rules_of_the_package() -> None:
    use_packaged_zones()

    assert (zoneinfo.TZPATH, os.environ["PYTHONTZPATH"]) == ((), "")
