"""Write the table of docs/settings.md from the class of settings; `poe settings` calls it."""

from pathlib import Path

from pydantic.fields import FieldInfo

from gcsched.config.fields import variable_name
from gcsched.config.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->\n"


def settings_table() -> str:
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows, ""])


def extract_table(page: str) -> str:
    return page.partition(BEGIN)[2].partition(END)[0]


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{variable_name(name)}` | {_default(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if isinstance(field.default, bool):
        return f"`{int(field.default)}`"  # as the variable is written
    return "" if field.default in (None, "") else f"`{field.default}`"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        text.replace(BEGIN + extract_table(text), BEGIN + settings_table()), encoding="utf-8"
    )
