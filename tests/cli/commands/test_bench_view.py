import time
from typing import Any

import pytest

from gcsched.bench.progress import LoadProgress
from gcsched.cli.blocks import Table
from gcsched.cli.commands.bench_view import format_bar, format_progress, format_report
from tests.bench.reports import a_figure, a_report


def a_mailing() -> LoadProgress:
    progress = LoadProgress(scenario="burst", rounds=2, round=1)
    progress.begin("mailing", 3_000)
    progress.done, progress.late_seconds = 1_500, 1.2
    return progress


@pytest.mark.parametrize(("columns", "lines"), [(100, 1), (60, 2)])
def test_a_bar_fits_the_terminal(columns: int, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    shown = format_bar(a_mailing()).splitlines()

    assert len(shown) == lines
    assert len(shown[0]) <= columns
    assert shown[0].startswith("█" * 15 + "░" * 15)


def test_what_a_load_waits_for_is_shown() -> None:
    progress = LoadProgress(scenario="burst", rounds=2)
    progress.begin("starting")
    starting = format_progress(progress)
    progress.round = 2
    progress.begin("all scheduled", due_time=time.time() + 7)

    assert starting == "burst: starting"
    assert format_progress(progress) == "burst 2/2: all scheduled, due in 7 s"


def table_of(report: dict[str, Any]) -> Table:
    [table] = [each for each in format_report(report) if isinstance(each, Table)]
    return table


def test_a_report_has_ranges_where_there_are_several_rounds() -> None:
    several, one = a_report(), a_report(scheduled_ahead_s=a_figure(-1.24))
    one["scenarios"]["unary"]["rounds"] = [{}]

    spread = a_report(**{"cpu_us.gcsched": a_figure(9_000.0), "mails_per_s": a_figure(10.0)})
    spread["scenarios"]["unary"]["scenario"]["spread_seconds"] = 60

    assert not {"mails per second", "service CPU per job or call"} & {
        row[1] for row in table_of(spread).rows
    }
    assert table_of(several).columns[-2:] == ("LEAST", "LARGEST")
    assert table_of(one).columns == ("SCENARIO", "FIGURE", "VALUE")
    assert ("unary", "scheduled before due, least", "-1.2 s") in table_of(one).rows
    assert {row[0] for row in table_of(several).rows} == {"unary"}
