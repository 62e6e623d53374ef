"""axe, the checker of accessibility, in pages that a real browser shows.

Two thirds of its time go into contrast, and most pages look like those before them. So contrast is
checked only where a page shows a new look: an element of a class, colours and a font on backgrounds
on which the tab has shown none yet.
"""

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

START = f"if (window === top) {{ {Axe().axe_script} }}"
"""Loads axe with each page of a tab: to send it to each page costs as much as a page."""
CHECK = """async ([colours]) => {
  const names = ["color", "fontSize", "fontWeight", "textDecorationLine", "textShadow"];
  const known = new Set(JSON.parse(sessionStorage.looks ?? "[]"));
  const behind = new Map();
  function isNew(each) {
    const style = getComputedStyle(each), parent = each.parentElement;
    const own = [style.backgroundColor, style.backgroundImage, style.opacity].join(" ");
    const isClear = own === "rgba(0, 0, 0, 0) none 1";
    behind.set(each, `${behind.get(parent) ?? ""}${isClear ? "" : ` ${own}`}`);
    const look = [
      behind.get(each), each.localName, each.getAttribute("class"),
      each.checkVisibility({visibilityProperty: true}),
      each.matches(":disabled, [aria-disabled=true]"),
      [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()), !each.value,
      parent && getComputedStyle(parent).color, ...names.map((name) => style[name]),
    ].join();
    const isUnknown = !known.has(look);
    known.add(look);
    return isUnknown;
  }
  function hasNews() {
    behind.clear();
    return [...document.querySelectorAll("*")].filter(isNew).length > 0;
  }
  async function run(options) {
    const found = await axe.run({
      resultTypes: ["violations"], iframes: false, preload: false, ...options,
    });
    return found.violations.flatMap(
      (each) => each.nodes.map((node) => `${each.id}: ${node.html.slice(0, 200)}`));
  }
  const others = Object.fromEntries(colours.map((each) => [each, {enabled: false}]));
  const found = await run(hasNews() ? {} : {rules: others});
  document.documentElement.dataset.theme = "dark";
  if (hasNews()) {
    found.push(...(await run({runOnly: colours})).map((each) => `dark: ${each}`));
  }
  sessionStorage.looks = JSON.stringify([...known]);
  return found;
}"""
"""Frames are left out: they show mails, which are not ours to mend."""
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe that look at colours: the only ones for which the theme makes a difference."""


async def load_axe(page: Page) -> None:
    """Load axe with each page that *page* opens from now on."""
    await page.add_init_script(script=START)


async def find_violations(page: Page) -> list[str]:
    """Return what axe finds in the page, in light colours and in dark ones, which it leaves on."""
    return list(await page.evaluate(CHECK, [COLOURS]))
