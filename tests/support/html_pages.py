"""HTML pages as a mail client parses them: their texts, and the elements around each."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "hr", "link", "input"}
Element = tuple[str, dict[str, str]]


@dataclass(eq=False)
class Page(HTMLParser):
    """The texts of a page, each with the elements around it, outermost first."""

    around: list[Element] = field(default_factory=list)
    texts: list[tuple[str, list[Element]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.around.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.around.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((data, list(self.around)))

    def around_text(self, text: str) -> list[Element]:
        in_body = [(data, around) for data, around in self.texts if "body" in dict(around)]
        (found,) = [around for data, around in in_body if text in data]
        return found


def find_inherited_styles(around: Iterable[Element]) -> dict[str, str]:
    """Return the styles of the elements *around* a text, those of inner ones first of all."""
    inherited: dict[str, str] = {}
    for _, attributes in around:
        inherited |= read_styles(attributes)
    return inherited


def read_styles(attributes: dict[str, str]) -> dict[str, str]:
    pairs = (each.partition(":") for each in attributes.get("style", "").split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}
