"""The plugin in pytest runs of its own, as users have it: light, without warnings, isolated."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "tests" / "examples" / "interviews"
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
PLUGIN = "gcsched.testing.pytest_plugin"
STRICT = "[pytest]\nfilterwarnings = error\n"

LIST_MODULES = """
import json
import sys

def test_nothing():
    print("modules", json.dumps(sorted(sys.modules)))
"""
WITHOUT_PACKAGES = """
import sys

import pytest

sys.modules["msgspec"] = None  # as if it was not installed

def test_fake(gcsched_fake):
    pass
"""
TWO_TESTS = """
import os

import pytest

from gcsched.client import Client


def send(service):
    with Client(service.target) as client:
        return client.schedule_meet(
            empid="E1", email="ada@example.org", name="Ada", message="Lunch", at=1
        )


@pytest.mark.parametrize("number", range(2))
def test_the_stores_are_empty_at_each_start(gcsched_service, number):
    job = send(gcsched_service)

    assert job.outcome == "CREATED"
    [mail] = gcsched_service.wait_for_mails()
    assert (mail.to, mail.subject) == ("ada@example.org", "Lunch")
    assert "Hello Ada" in mail.text
    assert "<h1" in mail.html
    with pytest.raises(TimeoutError, match="expected 2 mails, found 1 after 0.05 s: 'Lunch' to"):
        gcsched_service.wait_for_mails(2, timeout=0.05)


class TestSettings:
    @pytest.fixture
    def gcsched_settings(self):
        return {"GCSCHED_DEDUP": "employee"}

    def test_settings_can_be_changed(self, gcsched_service):
        assert send(gcsched_service).outcome == "CREATED"


class TestWrongSettings:
    @pytest.fixture
    def gcsched_settings(self):
        return {"GCSCHED_DEDUP": "often", "GCSCHED_MONGO_URI": "mongodb://elsewhere"}

    @pytest.fixture
    def problem(self, gcsched_service_host, gcsched_settings):
        with pytest.raises(Exception) as caught:
            with gcsched_service_host.run_service(gcsched_settings):
                pass
        return str(caught.value)

    def test_wrong_settings_are_named(self, problem):
        assert problem == "GCSCHED_MONGO_URI has no effect here"
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in *folder* with the plugin and no other one."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def write_project(folder: Path, **tests: str) -> Path:
    (folder / "pytest.ini").write_text(STRICT)
    for name, text in tests.items():
        (folder / f"test_{name}.py").write_text(text)
    return folder


def test_a_run_that_uses_no_fixture_imports_neither_grpc_nor_the_rules(tmp_path: Path) -> None:
    done = run_pytest(write_project(tmp_path, modules=LIST_MODULES), "-q", "-s")

    assert done.returncode == 0, done.stdout
    [listed] = re.findall(r"^modules (.*)$", done.stdout, re.MULTILINE)
    loaded = set(json.loads(listed))
    assert {each for each in loaded if each.startswith("gcsched")} == {
        "gcsched",
        "gcsched.testing",
        "gcsched.testing.extras",
        "gcsched.testing.pytest_plugin",
    }
    assert {"grpc", "google.protobuf", "msgspec", "structlog"}.isdisjoint(loaded)
    assert done.stderr == ""


def test_it_says_what_to_install_for_the_fake(tmp_path: Path) -> None:
    done = run_pytest(write_project(tmp_path, fake=WITHOUT_PACKAGES), "-q")

    assert done.returncode == 1
    assert (
        "gcsched.testing cannot be used: the module msgspec is not installed;"
        " run `pip install 'gcsched[testing]'`"
    ) in done.stdout


def test_it_says_what_to_install_for_the_service() -> None:
    hide = "import runpy, sys; sys.modules['aiosmtpd.smtp'] = None"
    script = f"{hide}; runpy.run_module('gcsched.testing.host', run_name='__main__')"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert json.loads(done.stdout)["error"] == (
        "gcsched_service cannot be used: the module aiosmtpd is not installed;"
        " run `pip install 'gcsched[embedded]'`"
    )


def test_the_real_service_sends_mails_and_begins_each_test_empty(tmp_path: Path) -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    numbered = {f"page{number}": text for number, text in enumerate(examples)}

    done = run_pytest(write_project(tmp_path, service=TWO_TESTS, **numbered), "-q")

    assert done.returncode == 0, done.stdout
    assert len(examples) >= 4
    assert done.stderr == ""


def test_the_example_passes() -> None:
    done = run_pytest(EXAMPLE, "-q")

    assert done.returncode == 0, done.stdout
    [passed] = re.findall(r"^(\d+) passed in", done.stdout, re.MULTILINE)
    assert int(passed) >= 9


@pytest.mark.parametrize(
    "checker",
    [
        ["mypy", "--strict", "--config-file=", "--no-incremental", "."],
        ["pyright", "--pythonpath", sys.executable],
    ],
    ids=lambda checker: checker[0],
)
def test_the_example_passes_a_strict_type_checker(checker: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *checker], cwd=EXAMPLE, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
