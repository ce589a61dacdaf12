// Counts over the watch: one time axis for all plots, zoomed together.
const plots = [], whole = [0, Math.max(1, R.watched_ns)];
let view = whole.slice();
const onView = [];

function setView(from, to) {
  const least = Math.max(1, whole[1] / 1e5), wide = Math.max(least, Math.min(to - from, whole[1]));
  from = Math.max(0, Math.min(from, whole[1] - wide));
  view = [from, from + wide];
  for (const plot of plots) plot();
  for (const told of onView) told();
}
const isWhole = () => view[0] <= 0 && view[1] >= whole[1];
function zoom(by, around) {
  const at = around == null ? (view[0] + view[1]) / 2 : around;
  setView(at - (at - view[0]) * by, at + (view[1] - at) * by);
}

// Whole numbers at which lines of the grid stand.
function steps(top) {
  const raw = top / 5, unit = 10 ** Math.floor(Math.log10(Math.max(1, raw)));
  const step = Math.max(1, [1, 2, 5, 10].map(m => m * unit).find(s => s >= raw));
  const all = [];
  for (let y = step; y <= top; y += step) all.push(y);
  return all;
}

// Round moments of the wall clock in view, at most so many.
const ROUND_S = [0.001, 0.01, 0.1, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];
function ticks(most) {
  const wide_s = (view[1] - view[0]) / 1e9, step = (ROUND_S.find(s => wide_s / s <= most) || wide_s / most) * 1e9;
  const begun = BEGUN_MS * 1e6 % 86400e9, all = [];
  for (let at = Math.ceil((view[0] + begun) / step) * step - begun; at <= view[1]; at += step) all.push(at);
  return all;
}
const tick = ns => view[1] - view[0] > 172800e9 ? wall(ns).slice(5, 16) : view[1] - view[0] < 5e9 ? clock(ns) + "." + String(Math.floor((BEGUN_MS + ns / 1e6) % 1000)).padStart(3, "0") : clock(ns);

// The last point at or before a moment.
function before(times, at) {
  let low = 0, high = times.length;
  while (low < high) { const mid = (low + high) >> 1; if (times[mid] <= at) low = mid + 1; else high = mid; }
  return Math.max(0, low - 1);
}

function plot(title, times, lines, into) {
  const box = el("figure", null, "plot", into), head = el("header", null, null, box);
  el("h3", title, null, head);
  const shown = lines.map(() => true), values = [];
  const svg = draw("svg", { tabindex: 0, role: "img" }, box);
  svg.setAttribute("aria-label", title + " over time. Plus and minus zoom, arrows move, 0 shows all.");
  const colour = i => "var(--c" + i % 8 + ")";
  lines.forEach((line, i) => {
    const key = el("button", null, "legend data", head);
    el("i", null, null, key).style.background = colour(i);
    key.append(line.name + " ");
    values.push(el("b", "", null, key));
    key.setAttribute("aria-pressed", "true");
    key.title = "show or hide";
    key.addEventListener("click", () => { shown[i] = !shown[i]; key.setAttribute("aria-pressed", String(shown[i])); again(); });
  });
  const LEFT = 52, BOTTOM = 20;
  let width = 800, height = 176, hair = null, down = null, band = null;
  const x = ns => LEFT + (ns - view[0]) / (view[1] - view[0]) * (width - LEFT - 6);
  const at = e => { const r = svg.getBoundingClientRect(); return view[0] + Math.max(0, Math.min(1, (e.clientX - r.left - LEFT) / (r.width - LEFT - 6))) * (view[1] - view[0]); };
  function tell(ns) {
    const i = before(times, ns);
    lines.forEach((line, n) => { values[n].textContent = num(line.values[i]); });
    return i;
  }
  function again() {
    const r = svg.getBoundingClientRect();
    if (r.width) { width = r.width; height = r.height; }
    svg.setAttribute("viewBox", "0 0 " + width + " " + height);
    svg.textContent = "";
    const first = before(times, view[0]), last = Math.min(times.length - 1, before(times, view[1]) + 1);
    let top = 1;
    lines.forEach((line, n) => { if (shown[n]) for (let i = first; i <= last; i++) top = Math.max(top, line.values[i]); });
    const y = value => height - BOTTOM - value / (top * 1.05) * (height - BOTTOM - 8);
    for (const value of [0, ...steps(top)]) {
      draw("line", { class: "grid", x1: LEFT, x2: width - 6, y1: y(value), y2: y(value) }, svg);
      draw("text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, svg).textContent = num(value);
    }
    for (const ns of ticks(width / 130)) {
      draw("line", { class: "grid", x1: x(ns), x2: x(ns), y1: height - BOTTOM, y2: height - BOTTOM + 4 }, svg);
      draw("text", { x: x(ns), y: height - 4, "text-anchor": x(ns) < LEFT + 30 ? "start" : x(ns) > width - 36 ? "end" : "middle" }, svg).textContent = tick(ns);
    }
    const clip = "clip" + plots.indexOf(again);
    const rect = draw("clipPath", { id: clip }, draw("defs", {}, svg));
    draw("rect", { x: LEFT, y: 0, width: Math.max(0, width - LEFT - 6), height }, rect);
    lines.forEach((line, n) => {
      if (!shown[n]) return;
      const points = [];
      for (let i = first; i <= last; i++) points.push(x(times[i]).toFixed(1) + "," + y(line.values[i]).toFixed(1));
      if (points.length === 1) points.push((width - 6) + "," + y(line.values[first]).toFixed(1));
      draw("polyline", { points: points.join(" "), stroke: colour(n), "clip-path": "url(#" + clip + ")" }, svg);
    });
    hair = draw("line", { class: "hair", y1: 0, y2: height - BOTTOM, visibility: "hidden" }, svg);
    band = draw("rect", { class: "band", y: 0, height: height - BOTTOM, width: 0 }, svg);
    tell(view[1]);
  }
  svg.addEventListener("pointermove", e => {
    const ns = at(e), i = tell(ns);
    hair.setAttribute("x1", x(times[i])); hair.setAttribute("x2", x(times[i])); hair.setAttribute("visibility", "visible");
    if (down == null) return;
    const [a, b] = [Math.min(down, ns), Math.max(down, ns)];
    band.setAttribute("x", x(a)); band.setAttribute("width", Math.max(0, x(b) - x(a)));
  });
  svg.addEventListener("pointerleave", () => { hair.setAttribute("visibility", "hidden"); tell(view[1]); });
  svg.addEventListener("pointerdown", e => { if (e.button === 0) { down = at(e); svg.setPointerCapture(e.pointerId); } });
  svg.addEventListener("pointerup", e => {
    if (down == null) return;
    const [a, b] = [Math.min(down, at(e)), Math.max(down, at(e))];
    down = null;
    if ((b - a) / (view[1] - view[0]) > .01) setView(a, b); else again();
  });
  svg.addEventListener("pointercancel", () => { down = null; again(); });
  svg.addEventListener("dblclick", () => setView(...whole));
  svg.addEventListener("keydown", e => {
    const by = (view[1] - view[0]) / 5;
    const acts = { "+": () => zoom(.5), "=": () => zoom(.5), "-": () => zoom(2), ArrowLeft: () => setView(view[0] - by, view[1] - by), ArrowRight: () => setView(view[0] + by, view[1] + by), 0: () => setView(...whole), Escape: () => setView(...whole) };
    if (!acts[e.key] || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    acts[e.key]();
  });
  plots.push(again);
  redraws.push(again);
  again();
}

(function timeline() {
  const box = section("timeline", "Timeline");
  const tools = el("div", null, "tools", box), button = (text, act) => { const b = el("button", text, "key", tools); b.addEventListener("click", act); return b; };
  button("Zoom in", () => zoom(.5));
  button("Zoom out", () => zoom(2));
  const all = button("Show all", () => setView(...whole));
  all.id = "all-time";
  const where = el("span", null, "dim mono", tools);
  where.id = "where";
  where.setAttribute("aria-live", "polite");
  const told = () => { all.disabled = isWhole(); where.textContent = clock(view[0]) + " to " + clock(view[1]) + " UTC, " + span(view[1] - view[0]) + (isWhole() ? " (drag in a graph to zoom)" : ""); };
  onView.push(told);
  told();
  const before = plots.length;
  for (const [of, title] of [["handles", "Descriptors by kind"], ["sockets", "Sockets by state"], ["threads", "Threads and children"], ["others", "Mappings, timers, watches, registrations"]]) {
    const lines = COURSE.lines.filter(line => line.of === of);
    if (lines.length && COURSE.at_ns.length > 1) plot(title, COURSE.at_ns, lines, box);
  }
  if (plots.length > before) return;
  // A recording without samples still tells how many descriptors each process had.
  for (const p of R.processes.slice(0, 8)) {
    if (p.curve.values.length < 2) continue;
    const times = p.curve.values.map((_, i) => p.curve.start_ns - R.begun_ns + (i + 1) * p.curve.bin_ns);
    plot("Descriptors of " + process(p), times, [{ name: "open", values: p.curve.values }], box);
  }
  if (plots.length === before) el("p", "The recording is too short for a timeline.", "empty", box);
})();
