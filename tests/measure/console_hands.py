"""One operator's hand at the console in a real browser: a keyboard alone, or a mouse alone."""

from dataclasses import dataclass, field, replace

from playwright.async_api import Page, expect

DATE_CORNER = {"x": 12, "y": 12}
"""Where the first part of a field for a time is, so that it is the one that a click chooses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: a key or a chord, a click, or the text typed into one field.

    *value* is the key, the selector of what is clicked, or the text. *sees* is the selector of what
    the operator waits for before the next step.
    """

    kind: str
    value: str
    sees: str = ""

    def fill_in(self, *, tomorrow: str) -> "Step":
        """Return the step with the month and the day of *tomorrow* where the text has them."""
        return replace(self, value=self.value.replace("{tomorrow}", tomorrow))


def press(key: str, sees: str = "") -> Step:
    return Step(kind="press", value=key, sees=sees)


def click(selector: str, sees: str = "") -> Step:
    return Step(kind="click", value=selector, sees=sees)


def write(text: str) -> Step:
    return Step(kind="type", value=text)


@dataclass(kw_only=True)
class Hand:
    """Does steps in *page*, and counts them."""

    page: Page
    done: list[str] = field(default_factory=list)

    async def do(self, step: Step) -> None:
        """Do *step*. Raises AssertionError if the operator does not see what should follow."""
        match step.kind:
            case "press":
                await self.page.keyboard.press(step.value)
            case "click":
                await self._click(step.value)
            case _:
                await self._write(step.value)
        self.done.append(f"{step.kind} {step.value}")
        if step.sees:
            await expect(self.page.locator(step.sees).first, f"after {self.done}").to_be_visible()

    async def _click(self, selector: str) -> None:
        target = self.page.locator(selector).first
        is_date = await target.get_attribute("type") == "datetime-local"
        await target.click(position=DATE_CORNER if is_date else None)

    async def _write(self, text: str) -> None:
        """Type into the field that has the focus; typing elsewhere would be a key of the page."""
        focused = self.page.locator("input:focus, textarea:focus")
        await expect(focused, f"a field after {self.done}").to_have_count(1)
        await self.page.keyboard.type(text)
