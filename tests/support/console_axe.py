"""axe, the checker of accessibility, in pages that a real browser shows.

Four fifths of its time go into contrast, and most elements of a page look like those of the pages
before it. So contrast is checked once in a tab for each look: what an element and all elements
around it are, with their classes and the colours and fonts that the browser has computed.
"""

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

START = f"if (window === top) {{ {Axe().axe_script} }}"
"""Loads axe with each page of a tab: to send it to each page costs as much as a page."""
CHECK = """async ([colours]) => {
  const names = ["color", "backgroundColor", "backgroundImage", "opacity", "fontSize", "fontWeight",
    "textDecorationLine", "textShadow"];
  const known = JSON.parse(sessionStorage.looks ?? "{}"), looks = new Map();
  let count = Object.keys(known).length;
  // A look contains that of the parent, so all that is in an element of a new look is new as well.
  function isNew(each) {
    const style = getComputedStyle(each);
    const look = [
      looks.get(each.parentElement), each.localName, each.getAttribute("class"),
      each.checkVisibility({visibilityProperty: true}),
      each.matches(":disabled, [aria-disabled=true]"),
      [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()), !each.value,
      ...names.map((name) => style[name]),
    ].join();
    const isUnknown = !(look in known);
    if (isUnknown) known[look] = ++count;
    looks.set(each, known[look]);
    return isUnknown;
  }
  async function run(include, options) {
    const found = await axe.run({include}, {
      resultTypes: ["violations"], iframes: false, preload: false, ...options,
    });
    return found.violations.flatMap(
      (each) => each.nodes.map((node) => `${each.id}: ${node.html.slice(0, 200)}`));
  }
  async function checkColours() {
    looks.clear();
    looks.set(null, 0);
    const fresh = new Set([...document.querySelectorAll("*")].filter(isNew));
    const outermost = [...fresh].filter((each) => !fresh.has(each.parentElement));
    return outermost.length ? run(outermost, {runOnly: colours}) : [];
  }
  const rules = Object.fromEntries(colours.map((each) => [each, {enabled: false}]));
  const found = await run([document], {rules});
  found.push(...await checkColours());
  document.documentElement.dataset.theme = "dark";
  found.push(...(await checkColours()).map((each) => `dark: ${each}`));
  sessionStorage.looks = JSON.stringify(known);
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
