// The bar on top, its links, the theme, and the keys.
for (const { id, title } of sections) { const a = el("a", title.replace("Living handles by creating stack", "Flame graph"), null, nav); a.href = "#" + id; }

const KEYS = [
  ["/", "search the living handles"],
  ["n  p", "next section, previous section"],
  ["t", "dark or light"],
  ["?", "these keys"],
  ["Esc", "clear a search, end a zoom, close this"],
  ["+  −  ← →  0", "in a graph of the timeline: zoom in, out, move, show all; the mouse drags"],
  ["arrows  Enter", "in the flame graph: walk, zoom; Escape shows all"],
  ["arrows  PgUp PgDn", "in a table: the row that is told in full below it"],
];
const help = el("dialog", null, null, main);
help.id = "help";
el("h3", "Keys", null, help);
const keys = el("dl", null, null, help);
for (const [key, what] of KEYS) { el("kbd", key, null, el("dt", null, null, keys)); el("dd", what, null, keys); }
el("p", "In searches, words stand for rows that have them all, !word for rows without it, column:word for one column. Findings come first; every table sorts by its headings.", "dim", help);
el("button", "Close", "key", help).addEventListener("click", () => help.close());

const themes = el("button", "", "key", bar);
themes.id = "theme";
function label() {
  themes.textContent = document.documentElement.dataset.theme === "dark" ? "Light" : "Dark";
  themes.setAttribute("aria-label", "Show in " + themes.textContent.toLowerCase() + " colours");
}
function turn() { theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark"; paint(); label(); }
darkest.addEventListener("change", label);
themes.addEventListener("click", turn);
label();
const ask = el("button", "Keys ?", "key", bar);
ask.addEventListener("click", () => help.showModal());

function walk(by) {
  const tops = sections.map(s => s.head.getBoundingClientRect().top), edge = 80;
  const to = by > 0 ? tops.findIndex(top => top > edge) : tops.findLastIndex(top => top < edge - 60);
  const head = to < 0 ? null : sections[to].head;
  if (head) { head.scrollIntoView(); head.focus({ preventScroll: true }); }
}
addEventListener("keydown", e => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName) && document.activeElement.type !== "checkbox";
  if (typing || e.ctrlKey || e.altKey || e.metaKey || help.open || e.defaultPrevented) return;
  const search = document.querySelector("#handles input[type=search]");
  const acts = { "/": () => { if (search) { search.scrollIntoView({ block: "center" }); search.focus(); } }, n: () => walk(1), p: () => walk(-1), t: turn, "?": () => help.showModal() };
  if (!acts[e.key]) return;
  e.preventDefault();
  acts[e.key]();
});

let resized = 0;
addEventListener("resize", () => { cancelAnimationFrame(resized); resized = requestAnimationFrame(redraw); });
document.documentElement.dataset.ready = "true";
