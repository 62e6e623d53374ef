"""Draw the budget of a call and of a mail from its figures.

    python -m tests.measure.budget_picture [PICTURE]

Reads docs/measurements/budget.json; PICTURE is ``docs/images/budget.svg`` unless another file is
named. Each bar is the median of all rounds.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "docs" / "measurements" / "budget.json"
PICTURE = ROOT / "docs" / "images" / "budget.svg"
WIDTH, ROW, BAR, TEXT_END, BAR_START, BAR_END = 760, 26, 16, 220, 232, 660
SERVICE_COLOUR, OTHER_COLOUR = "#2f6fb3", "#9aa7b5"
TITLES = {"call": "A call", "mail": "A mail"}
OTHERS = ("mongod", "valkey")
SMALLEST_US = 0.5
STYLE = """<style>
  text { font: 13px/1 Roboto, Helvetica, Arial, sans-serif; fill: #333f4d; }
  .title { font-size: 15px; font-weight: 500; fill: #151b23; }
  .label { text-anchor: end; }
</style>"""

Rows = list[tuple[str, float, str]]


def rows_of(summary: Mapping[str, Any]) -> Rows:
    """Return name, microseconds and colour of each bar: the parts of the service, then others."""
    parts = {name: each["median"] for name, each in summary["parts_us"].items()}
    largest_first = sorted(parts.items(), key=lambda item: -item[1])
    own = [(name, value, SERVICE_COLOUR) for name, value in largest_first]
    others = [(name, summary["cpu_us"][name]["median"], OTHER_COLOUR) for name in OTHERS]
    return [row for row in [*own, *others] if row[1] >= SMALLEST_US]


def draw_section(top: int, title: str, rows: Rows, us_per_pixel: float) -> Iterator[str]:
    yield f'<text class="title" x="16" y="{top + 18}">{escape(title)}</text>'
    for number, (name, value, colour) in enumerate(rows, 1):
        y = top + 8 + number * ROW
        width = value / us_per_pixel
        yield f'<text class="label" x="{TEXT_END}" y="{y + 13}">{escape(name)}</text>'
        yield (
            f'<rect x="{BAR_START}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"'
            f' fill="{colour}"/>'
        )
        yield f'<text x="{BAR_START + width + 8:.1f}" y="{y + 13}">{value:.0f} µs</text>'


def draw(budget: Mapping[str, Any]) -> str:
    """Return the picture: a section for a call and one for a mail, on one scale."""
    sections = {name: rows_of(budget["summary"][name]) for name in TITLES}
    largest = max(value for rows in sections.values() for _, value, _ in rows)
    top, lines = 8, list[str]()
    for name, rows in sections.items():
        own = budget["summary"][name]["cpu_us"]["gcsched"]["median"]
        title = f"{TITLES[name]}: {own:.0f} µs of CPU in gcsched (blue)"
        lines += draw_section(top, title, rows, largest / (BAR_END - BAR_START))
        top += (len(rows) + 2) * ROW
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    background = f'<rect width="{WIDTH}" height="{top}" rx="8" fill="#ffffff"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    return "\n".join([head, STYLE, background, *lines, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path, nargs="?", default=PICTURE)
    options = parser.parse_args()
    budget = json.loads(FIGURES.read_text(encoding="utf-8"))["budget"]
    options.picture.write_text(draw(budget), encoding="utf-8")
    print(f"wrote {options.picture}")


if __name__ == "__main__":
    main()
