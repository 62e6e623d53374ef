from pathlib import Path

from structlog.testing import capture_logs

from gcsched.wiring.templates import load_templates
from tests.support.in_process_app import make_settings


def test_a_start_logs_each_warning_about_the_template_folder(tmp_path: Path) -> None:
    (tmp_path / "doc.html").write_text("{{ username }}")
    (tmp_path / "old.htm").touch()
    (tmp_path / "doc.txt").touch()
    settings = make_settings(
        mongo="mongodb://localhost/x",
        redis="redis://localhost",
        relay_port=25,
        templates_dir=str(tmp_path),
    )

    with capture_logs() as lines:
        load_templates(settings)

    assert [(line["event"], line["log_level"], line["file"]) for line in lines] == [
        ("template warning", "warning", "old.htm"),
        ("template warning", "warning", "doc.txt"),
    ]
    assert lines[0]["problem"] == "ignored: the name of a template ends in .html or .txt"
