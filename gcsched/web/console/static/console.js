/* The script of the console: refreshes, times, keys. Pages work without it. */
"use strict";

(() => {
  const REFRESH_MS = 5000;
  const root = document.body.dataset.root;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  /* Times: how far they are from now, in the words of the server. */
  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  function showDistance(seconds) {
    if (seconds === 0) return "now";
    const length = Math.abs(seconds);
    const [size, unit] = UNITS.find(([each]) => length >= 2 * each) || UNITS[3];
    const text = `${Math.round(length / size)} ${unit}`;
    return seconds > 0 ? `in ${text}` : `${text} ago`;
  }
  // The clock of the service counts: that of this machine may differ.
  const ahead = Number(document.body.dataset.now) - Math.floor(Date.now() / 1000);
  function showDistances() {
    const now = Math.floor(Date.now() / 1000) + ahead;
    for (const each of all("[data-distance]")) {
      const text = showDistance(Number(each.dataset.distance) - now);
      if (each.textContent !== text) each.textContent = text;
    }
    for (const each of all("[data-age-text]")) {
      each.textContent = `updated ${showDistance(Math.floor(refreshed / 1000) + ahead - now)}`;
    }
  }

  /* Refreshes: every five seconds, while the tab is visible and the part is not about to be used. */
  let refreshed = Date.now();
  let isPaused = false;
  function isInUse(part) {
    const focused = document.activeElement;
    return (focused !== document.body && part.contains(focused)) ||
      part.querySelector("tbody tr:hover, input:checked, details[open], dialog[open]") !== null ||
      (String(document.getSelection()) !== "" && part.contains(document.getSelection().anchorNode));
  }
  /* A part whose numbers change once a minute says how many seconds it can wait. */
  const askedAt = new WeakMap();
  function isDue(part) {
    const now = Date.now();
    if (now - (askedAt.get(part) ?? refreshed) < 1000 * Number(part.dataset.every || 0)) return false;
    askedAt.set(part, now);
    return true;
  }
  function refresh() {
    if (document.hidden || isPaused) return;
    for (const each of all("[data-live]")) {
      if (!isInUse(each) && isDue(each)) window.htmx.trigger(each, "refresh");
    }
  }
  function showProblem(text) {
    const place = document.getElementById("refresh-problem");
    if (place === null) return;
    for (const each of all("[data-live]")) each.classList.toggle("stale", text !== "");
    if (place.textContent !== text) place.textContent = text;
    place.hidden = text === "";
  }
  document.addEventListener("htmx:configRequest", (event) => {
    const etag = event.target.dataset.etag;
    if (etag) event.detail.headers["If-None-Match"] = etag;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { xhr, elt } = event.detail;
    if (!elt.matches("[data-live], [data-part]")) return;
    if (xhr.status === 200 || xhr.status === 304) {
      const etag = xhr.getResponseHeader("ETag");
      if (etag) elt.dataset.etag = etag;
      refreshed = Date.now();
      showProblem("");
    } else if (xhr.status === 401) {
      showProblem("Could not refresh: your login has ended. Open the page again to log in.");
    } else {
      const why = xhr.status ? xhr.responseText.slice(0, 300) : "the service does not answer";
      showProblem(`Could not refresh: ${why}`);
    }
  });
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    // The same bands again would be read out again.
    const next = event.detail.fragment.firstElementChild;
    const bare = (element) => element.innerHTML.replace(/(data-distance="\d+">)[^<]*/g, "$1").trim();
    if (next !== null && bare(next) === bare(event.detail.target)) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterSwap", prepare);
  document.addEventListener("visibilitychange", refresh);

  /* What has a use only with this script. */
  function prepare() {
    showDistances();
    for (const each of all("[data-copy][hidden], [data-with-script][hidden]")) each.hidden = false;
  }
  function start() {
    for (const each of all("[data-without-script]")) each.hidden = true;
    for (const each of all("[data-age]")) each.hidden = false;
    // On a phone the pages are wider than the window.
    for (const each of all("nav [aria-current=page]")) each.scrollIntoView({ block: "nearest", inline: "center" });
    for (const form of all("form[data-shows]")) form.submit();
    for (const form of all("[data-submits]")) prepareSwitches(form);
    document.querySelector("input[autofocus]")?.select();  // to type over what it proposes
    if (location.search.includes("done=")) {
      const here = new URL(location.href);
      here.searchParams.delete("done");
      history.replaceState(null, "", here);
    }
    prepare();
    setInterval(showDistances, 1000);
    setInterval(refresh, REFRESH_MS);
  }
  function prepareSwitches(form) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
    const option = form.querySelector('option[value="browser"]');
    if (option !== null && zone) {
      option.hidden = option.disabled = false;
      option.textContent = `${zone} (browser)`;
      form.elements.browser_zone.value = zone;
      const known = form.dataset.browserZone;
      if (known && known !== zone) form.requestSubmit();
    }
    form.addEventListener("change", () => form.requestSubmit());
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy], [data-pause], [data-help]");
    const act = event.target.closest("details.act > summary")?.parentElement;
    // A keyboard stays on the button, as it does at each other part that unfolds.
    if (act && !act.open && event.detail > 0) setTimeout(() => focusFirst(act));
    for (const each of all("details.act[open]")) {
      if (!each.contains(event.target)) each.open = false;
    }
    if (target === null) return;
    if (target.matches("[data-copy]")) {
      navigator.clipboard?.writeText(target.dataset.copy).then(() => {
        target.textContent = "Copied";
        setTimeout(() => { target.textContent = "Copy"; }, 2000);
      }, () => {});
    } else if (target.matches("[data-pause]")) {
      isPaused = !isPaused;
      target.setAttribute("aria-pressed", String(isPaused));
      target.textContent = isPaused ? "Go on refreshing" : "Pause refreshing";
      refresh();
    } else if (openHelp()) {
      event.preventDefault();
    }
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form");
    const count = form?.querySelector("[data-tick-count]");
    if (!count) return;
    const boxes = all('tbody input[type="checkbox"]', form);
    if (event.target.matches("[data-tick-all]")) {
      for (const each of boxes) each.checked = event.target.checked;
    }
    const ticked = boxes.filter((each) => each.checked).length;
    form.querySelector("[data-tick-all]").checked = ticked === boxes.length;
    count.textContent = ticked ? `${ticked} ticked` : "";
  });

  /* Keys: single letters, silent in fields, and only where they are switched on. */
  let prefix = "";
  function openHelp() {
    const help = document.getElementById("help");
    if (help === null) return false;
    if (!help.open) help.showModal();
    return true;
  }
  function rows() { return all("[data-rows] tbody tr"); }
  function move(by) {
    const found = rows();
    if (!found.length) return;
    const now = found.findIndex((each) => each.classList.contains("chosen"));
    const next = now < 0 ? (by > 0 ? 0 : found.length - 1) : Math.min(Math.max(now + by, 0), found.length - 1);
    for (const each of found) each.classList.toggle("chosen", each === found[next]);
    const link = found[next].querySelector("a, button");
    (link || found[next]).focus({ preventScroll: true });
    found[next].scrollIntoView({ block: "nearest" });
  }
  function openAct(key) {
    const act = all("details.act[data-act]").find((each) => each.dataset.act === key);
    if (act === undefined) return false;
    act.open = true;
    focusFirst(act);
    return true;
  }
  function focusFirst(part) {
    part.querySelector("form input:not([type=hidden]), form select, form textarea, form button")?.focus();
  }
  function openFilter() {
    const filter = document.querySelector("details.filter");
    if (filter === null) return false;
    filter.open = true;
    focusFirst(filter);
    return true;
  }
  function chooseNeed() {
    const links = all(".needs a");
    links[(links.indexOf(document.activeElement) + 1) % links.length]?.focus();
    return links.length > 0;
  }
  /* A link or a button that leads to a form is followed; one that acts gets the focus. */
  function goTo(key) {
    const place = all("[data-opens], [data-focuses]").find((each) => [each.dataset.opens, each.dataset.focuses].includes(key));
    if (place === undefined) return false;
    if (place.dataset.opens) place.click();
    else place.focus();
    return true;
  }
  function turn(key) {
    const current = document.querySelector("ul.tabs [aria-current]")?.parentElement;
    const tab = key === "[" ? current?.previousElementSibling : current?.nextElementSibling;
    const link = document.querySelector(`.pages [data-key="${key}"]`) || tab?.querySelector("a");
    link?.click();
    return Boolean(link);
  }
  function openTicked(key) {
    const button = all("button[data-ticked]").find((each) => each.dataset.ticked === key);
    if (button === undefined || button.form.querySelector("tbody input:checked") === null) return false;
    button.click();
    return true;
  }
  function press(key) {
    const chosen = rows().find((each) => each.classList.contains("chosen"));
    if (prefix === "g") {
      const page = all("nav [data-key]").find((each) => each.dataset.key === key);
      prefix = "";
      if (page) location.assign(page.href);
      return page !== undefined;
    }
    prefix = key === "g" ? "g" : "";
    switch (key) {
      case "g": return true;
      case "?": return openHelp();
      case "j": move(1); return true;
      case "k": move(-1); return true;
      case "/": {
        const search = document.querySelector("[data-search]");
        if (search !== null) search.focus();
        else location.assign(`${root}jobs#q`);
        return true;
      }
      case "x": {
        const box = chosen?.querySelector('input[type="checkbox"]');
        box?.click();
        return Boolean(box);
      }
      case "[": case "]": return turn(key);
      case "f": return openFilter();
      case "n": return chooseNeed();
      default: return openAct(key) || openTicked(key) || goTo(key);
    }
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const each of all("details.act[open]")) {
        each.open = false;
        each.querySelector("summary").focus();
      }
      return;
    }
    const isTyping = event.target.closest?.("input:not([type=checkbox], [type=radio]), select, textarea, dialog, [contenteditable]");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.body.dataset.keys !== "on" || event.key.length !== 1) return;
    if (press(event.key)) event.preventDefault();
  });

  start();
})();
