from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gcsched.templating import load_templates
from tests.running import a_setting


@pytest.mark.parametrize(("files", "logged"), [(2, 2), (13, 10)])
def test_a_start_logs_files_that_are_ignored_and_how_many_more(
    tmp_path: Path, files: int, logged: int
) -> None:
    (tmp_path / "doc.html").write_text("{{ username }}")
    for number in range(files):
        (tmp_path / f"{number}.htm").touch()
    settings = a_setting(
        mongo="mongodb://localhost/x",
        redis="redis://localhost",
        relay_port=25,
        templates_dir=str(tmp_path),
    )

    with capture_logs() as lines:
        load_templates(settings)

    reason = "ignored: the name of a template ends in .html or .txt"
    warnings = [line for line in lines if line["event"] == "template warning"]
    assert [line["problem"] for line in warnings] == [reason] * logged
    assert warnings[0]["file"] == "0.htm"
    more = [line["count"] for line in lines if line["event"] == "more template warnings"]
    assert more == [files - logged] * (files > logged)
