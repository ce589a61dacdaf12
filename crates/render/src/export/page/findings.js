// The head of the page and what was found.
const count = level => R.verdicts.filter(v => v.level === level).length;
const undecided = R.verdicts.filter(v => v.level === "too-soon" && v.rate_low_per_s > 0);

const bar = el("div", null, "bar", main);
el("strong", "fdscope report", null, bar);
const nav = el("nav", null, null, bar);
nav.setAttribute("aria-label", "Sections");

function headline() {
  const [leaks, suspects] = [count("leak"), count("suspect")];
  if (leaks || suspects) {
    const parts = [leaks && many(leaks, "leak", "leaks"), suspects && many(suspects, "suspect", "suspects")];
    return [parts.filter(Boolean).join(", "), leaks ? "leak" : "suspect"];
  }
  if (undecided.length) return ["Undecided: " + many(undecided.length, "site keeps", "sites keep") + " growing; a verdict needs a longer watch", "suspect"];
  return ["No leak found", "good"];
}

(function head() {
  const [text, cls] = headline();
  const who = R.processes.length === 1 ? " in " + process(R.processes[0]) : R.processes.length ? " in " + many(R.processes.length, "process", "processes") : "";
  el("h1", text, cls + " data", main).append(el("span", who, null));
  document.title = text + who + " – fdscope report";
  const facts = el("dl", null, "facts", main);
  const fact = (name, value, cls) => { const box = el("div", null, null, facts); el("dt", name, null, box); el("dd", value, cls, box).classList.add("data"); };
  const [start, now] = R.processes.reduce((sum, p) => [sum[0] + p.open_at_start, sum[1] + p.open_now], [0, 0]);
  fact("Descriptors open", num(start) + " → " + num(now));
  fact("Watched for", span(R.watched_ns));
  const limits = bad.filter(v => v.limit && v.limit.reached_in_s != null).sort((a, b) => a.limit.reached_in_s - b.limit.reached_in_s);
  if (limits.length) fact(limits[0].limit.name + " reached in", span(limits[0].limit.reached_in_s * 1e9));
  fact("Events", num(R.events) + (R.lost ? ", " + num(R.lost) + " lost" : ", none lost"));
  fact("When (UTC)", wall(0) + " to " + (wall(0).slice(0, 10) === wall(R.watched_ns).slice(0, 10) ? clock(R.watched_ns) : wall(R.watched_ns)), "small");
  fact("Machine", R.machine || "unknown", "small");
  el("p", R.source.how, "dim data", main);
})();

// A small curve: what a site held over the watch.
function sparkline(curve, into) {
  const top = Math.max(1, ...curve.values), n = Math.max(1, curve.values.length - 1);
  const svg = draw("svg", { viewBox: "0 0 300 80", preserveAspectRatio: "none", role: "img", "aria-label": "open over the watch, at most " + num(top) }, into);
  const points = curve.values.map((y, i) => (i / n * 300).toFixed(1) + "," + (78 - y / top * 74).toFixed(1)).join(" ");
  draw("polygon", { points: "0,78 " + points + " 300,78", fill: "var(--c0)", opacity: .18 }, svg);
  draw("polyline", { points, stroke: "var(--c0)", "vector-effect": "non-scaling-stroke" }, svg);
  el("div", "0 to " + num(top) + " open over " + span(curve.values.length * curve.bin_ns), "dim mono", into);
}

// Frames, the plumbing in a row folded to one line.
function stack(frames, at, into) {
  const box = el("pre", null, "data", into);
  for (let i = 0; i < frames.length; i++) {
    const last = i;
    let j = i;
    while (j < frames.length && frames[j].plumbing && j !== at) j++;
    if (j - i > 1) {
      const of = [...new Set(frames.slice(i, j).map(f => (f.module || "?").split("/").pop()))].slice(0, 3).join(", ");
      const fold = el("details", null, null, box);
      el("summary", "  (" + (j - i) + " frames of " + of + ")", null, fold);
      for (const f of frames.slice(i, j)) el("div", "    " + frameName(f) + "  " + framePlace(f), "dim", fold);
      i = j - 1;
      continue;
    }
    const f = frames[last];
    el("div", (last === at ? "▶ " : "  ") + frameName(f) + "  " + framePlace(f), last === at ? "at" : f.plumbing ? "dim" : "", box);
  }
}

function sentences(title, list, into, open) {
  if (!list.length) return;
  const box = el("details", null, null, into);
  box.open = open;
  el("summary", title, null, box);
  const items = el("ul", null, null, box);
  for (const text of list) el("li", text, "data", items);
}

function finding(v, into) {
  const box = el("article", null, v.level, into);
  box.id = "site-" + R.verdicts.indexOf(v);
  box.tabIndex = -1;
  const head = el("h3", null, null, box);
  el("span", v.level, "word", head);
  el("code", siteName(v), "data", head);
  el("span", " in " + process(v), "data", head);
  const split = el("div", null, "split", box), left = el("div", null, null, split), right = el("div", null, null, split);
  const chips = el("div", null, "chips", left);
  const chip = (name, value) => { if (!value) return; const one = el("span", name + " ", "dim", chips); el("b", value, null, one).style.color = "var(--fg)"; };
  chip("kind", v.kind);
  chip("open", num(v.live));
  chip("growth", v.rate_per_s == null ? "" : rate(v.rate_per_s) + (v.rate_low_per_s != null ? " (" + rate(v.rate_low_per_s, v.rate_per_s) + " to " + rate(v.rate_high_per_s, v.rate_per_s) + ")" : ""));
  if (v.limit && v.limit.reached_in_s != null) chip(v.limit.name + " reached in", span(v.limit.reached_in_s * 1e9));
  chip("since", v.since_ns == null ? "" : clock(v.since_ns - R.begun_ns) + " UTC");
  if (v.site.file) chip("at", v.site.file + (v.site.line ? ":" + v.site.line : ""));
  const list = el("ul", null, null, left);
  for (const text of v.evidence) el("li", text, "data", list);
  if (v.curve.values.length > 1) sparkline(v.curve, right);
  if (v.advice) el("p", v.advice, "advice data", box);
  if (v.site.frames.length) stack(v.site.frames, v.site.at, box);
  sentences("Ruled out (" + v.ruled_out.length + ")", v.ruled_out, box, false);
  sentences("Examples (" + v.examples.length + ")", v.examples.map(x => (x.fd == null ? "" : "fd " + x.fd + "  ") + (x.name || "(no name)") + "  " + span(x.age_ns) + " old" + (x.tid ? ", by " + (x.thread || "thread") + " (tid " + x.tid + ")" : "")), box, true);
  sentences("Closed by", v.closed_by.length ? v.closed_by.map(c => c.how + (c.function ? " in " + c.function + (c.file ? "  " + c.file + ":" + (c.line || "") : "") : "") + ": " + num(c.count)) : ["nobody: not one was closed while watched"], box, true);
}

(function findings() {
  const box = section("findings", "Findings", bad.length ? "(" + num(bad.length) + ")" : "");
  for (const v of bad) finding(v, box);
  if (!bad.length) el("p", undecided.length ? "Nothing is certain yet; sites that keep growing are in the table of sites." : "No site leaks, and none is suspect. What every site did is in the table of sites.", "empty", box);
  if (!R.misuse.length) return;
  const list = el("article", null, null, box);
  el("h3", "Misuse of descriptors", null, list);
  const rows = el("ul", null, null, list);
  for (const m of R.misuse) {
    const f = m.frames[m.at == null ? m.frames.length - 1 : m.at];
    el("li", m.kind + ": " + num(m.count) + " × " + m.call + (m.fd == null ? "" : "(" + m.fd + ")") + (f ? " in " + frameName(f) + "  " + framePlace(f) : "") + (m.name ? "  " + m.name : "") + ", " + process(m), "data mono", rows);
  }
})();
