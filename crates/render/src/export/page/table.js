// Tables of any length: only the rows in sight are in the page. Words are looked for in all columns, !word leaves rows
// out, and column:word looks in one.
const ROW = 24, HEAD = 31, TALLEST = 8e6, PRINTED = 2000;
// `apart`: not searched.
const column = (title, width, show, key, cls, apart) => ({ title, width, show, key: key || show, number: cls === "num", cls: typeof cls === "function" ? cls : null, apart: !!apart });

function table(id, title, rows, columns, more) {
  const box = section(id, title, "(" + num(rows.length) + ")");
  if (!rows.length) { el("p", more.empty, "empty", box); return null; }
  const tools = el("div", null, "tools", box), search = el("input", null, null, tools);
  search.type = "search";
  search.placeholder = "Search, !without, " + columns[more.hint || 0].title.toLowerCase() + ":word";
  search.setAttribute("aria-label", "Search " + title.toLowerCase());
  const told = el("span", "", "dim", tools);
  told.setAttribute("aria-live", "polite");
  const scroll = el("div", null, "scroll", box);
  scroll.tabIndex = 0;
  const tall = el("div", null, "tall", scroll), pane = el("div", null, "pane", tall), grid = el("table", null, null, pane);
  grid.setAttribute("aria-label", title);
  const head = el("tr", null, null, el("thead", null, null, grid)), body = el("tbody", null, null, grid), detail = el("dl", null, "whole", box);
  detail.hidden = true;
  let order = Uint32Array.from(rows.keys()), sorted = order, by = null, turn = 1, chosen = -1, printing = false;
  const texts = [], searched = columns.filter(c => !c.apart);
  const also = more.also || (() => true);

  for (const c of columns) {
    const th = el("th", null, c.number ? "num" : null, head);
    th.style.width = c.width;
    th.scope = "col";
    el("button", c.title, null, th).addEventListener("click", () => {
      turn = by === c ? -turn : c.number ? -1 : 1;
      by = c;
      for (const other of head.children) other.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
      sort();
      sift();
    });
  }
  function sort() {
    sorted = Uint32Array.from(rows.keys());
    if (!by) return;
    const keys = rows.map(by.key), none = key => key == null || key === "";
    // What has no value is last whichever way; what is equal keeps its order.
    sorted.sort((a, b) => { const x = keys[a], y = keys[b]; return none(x) || none(y) ? none(x) - none(y) || a - b : x < y ? -turn : x > y ? turn : a - b; });
  }
  function tests() {
    return search.value.toLowerCase().split(/\s+/).filter(Boolean).map(word => {
      const not = word.length > 1 && word[0] === "!", plain = not ? word.slice(1) : word, colon = plain.indexOf(":");
      const one = colon > 0 ? searched.findIndex(c => c.title.toLowerCase() === plain.slice(0, colon)) : -1;
      if (one >= 0) { const rest = plain.slice(colon + 1); return i => texts[i].split("\n")[one].includes(rest) !== not; }
      return i => texts[i].includes(plain) !== not;
    });
  }
  // What is searched; read ahead in small parts, so that the first search waits for nothing.
  function read(to) {
    for (let i = texts.length; i < Math.min(to, rows.length); i++) texts.push(searched.map(c => c.show(rows[i])).join("\n").toLowerCase());
  }
  function ahead() {
    read(texts.length + 2000);
    if (texts.length < rows.length) setTimeout(ahead, 20);
  }
  function sift() {
    const all = tests();
    if (all.length) read(rows.length);
    order = sorted.filter(i => also(rows[i]) && all.every(test => test(i)));
    scroll.scrollTop = 0;
    choose(-1);
    fill();
  }
  const height = () => order.length * ROW;
  const room = () => Math.max(1, Math.floor((scroll.clientHeight - HEAD) / ROW));
  // Browsers end at some millions of pixels: beyond, a pixel of the scroll bar is more than one of a row.
  function place() {
    const full = height(), view = scroll.clientHeight - HEAD;
    if (full <= TALLEST) return scroll.scrollTop / ROW;
    return scroll.scrollTop / Math.max(1, TALLEST - view) * (order.length - view / ROW);
  }
  function fill() {
    const at = printing ? 0 : Math.max(0, Math.min(place(), order.length - 1)), first = Math.floor(at);
    const last = Math.min(order.length, printing ? PRINTED : first + room() + 3);
    tall.style.height = Math.min(height(), TALLEST) + HEAD + "px";
    pane.style.height = Math.min(scroll.clientHeight || 448, Math.min(height(), TALLEST) + HEAD) + "px";
    body.style.transform = printing ? "" : "translateY(" + -Math.round((at - first) * ROW) + "px)";
    grid.setAttribute("aria-rowcount", order.length + 1);
    const made = document.createDocumentFragment();
    for (let n = first; n < last; n++) {
      const row = rows[order[n]], tr = el("tr", null, null, made);
      tr.setAttribute("aria-rowindex", n + 2);
      tr.setAttribute("aria-selected", String(n === chosen));
      tr.dataset.n = n;
      for (const c of columns) el("td", c.show(row), [c.number ? "num" : "data", c.cls ? c.cls(row) : ""].join(" ").trim(), tr);
    }
    body.replaceChildren(made);
    const shown = order.length === rows.length ? "" : num(order.length) + " of " + num(rows.length) + " shown. ";
    told.textContent = shown + (more.told ? more.told() : "");
    if (!order.length) { const td = el("td", "no row has that", "dim", el("tr", null, null, body)); td.colSpan = columns.length; }
    if (printing && order.length > PRINTED) { const td = el("td", "the first " + num(PRINTED) + " of " + num(order.length) + " are printed", "dim", el("tr", null, null, body)); td.colSpan = columns.length; }
  }
  // The row chosen, told in full.
  function choose(n) {
    chosen = n;
    detail.hidden = n < 0;
    detail.textContent = "";
    if (n < 0) return;
    const row = rows[order[n]];
    for (const c of columns) { el("dt", c.title, null, detail); el("dd", String(c.show(row)) || "–", "mono data", detail); }
    if (more.chosen) more.chosen(row, detail);
  }
  function go(n) {
    n = Math.max(0, Math.min(n, order.length - 1));
    choose(n);
    const step = height() > TALLEST ? Math.max(1, TALLEST - scroll.clientHeight + HEAD) / (order.length - room()) : ROW, at = place();
    if (n < at) scroll.scrollTop = n * step;
    else if (n >= at + room()) scroll.scrollTop = (n - room() + 1) * step;
    fill();
  }
  let wait = 0;
  scroll.addEventListener("scroll", () => { cancelAnimationFrame(wait); wait = requestAnimationFrame(fill); });
  body.addEventListener("click", e => { const tr = e.target.closest("tr"); if (tr && tr.dataset.n) { const n = Number(tr.dataset.n); choose(n === chosen ? -1 : n); fill(); } });
  scroll.addEventListener("keydown", e => {
    if (e.target !== scroll || e.ctrlKey || e.altKey || e.metaKey || !order.length) return;
    const to = { ArrowDown: chosen + 1, ArrowUp: chosen < 0 ? 0 : chosen - 1, PageDown: chosen + room(), PageUp: chosen - room(), Home: 0, End: order.length - 1 };
    if (e.key === "Escape") { choose(-1); fill(); return; }
    if (!(e.key in to)) return;
    e.preventDefault();
    go(to[e.key]);
  });
  search.addEventListener("input", sift);
  search.addEventListener("keydown", e => { if (e.key === "Escape") { search.value = ""; sift(); } if (e.key === "ArrowDown" || e.key === "Enter") { e.preventDefault(); scroll.focus(); } });
  addEventListener("beforeprint", () => { printing = true; fill(); });
  addEventListener("afterprint", () => { printing = false; fill(); });
  if (rows.length * ROW + HEAD < 440) scroll.classList.add("short");
  redraws.push(fill);
  fill();
  setTimeout(ahead, 50);
  return { search, sift, tools };
}
