// The tables of this page.
table("sites", "Sites", R.verdicts, [
  column("Verdict", "6.5rem", v => v.level, v => LEVELS.indexOf(v.level), v => v.level),
  column("Site", "30%", siteName),
  column("Line", "24%", v => v.site.file ? v.site.file + (v.site.line ? ":" + v.site.line : "") : ""),
  column("Process", "10rem", v => v.comm + " " + v.pid),
  column("Kind", "7rem", v => v.kind),
  column("Acquired", "7rem", v => num(v.acquired), v => v.acquired, "num"),
  column("Released", "7rem", v => num(v.released), v => v.released, "num"),
  column("Open", "6rem", v => num(v.live), v => v.live, "num"),
  column("Growth", "7rem", v => rate(v.rate_per_s), v => v.rate_per_s, "num"),
  column("Median life", "7.5rem", v => span(v.lifetimes.median_ns), v => v.lifetimes.median_ns, "num"),
], {
  empty: "No site was seen.",
  hint: 4,
  chosen: (v, into) => {
    if (bad.includes(v)) { el("dt", "More", null, into); const link = el("a", "the finding, with its stack", null, el("dd", null, null, into)); link.href = "#site-" + R.verdicts.indexOf(v); return; }
    const told = v.evidence.concat(v.ruled_out);
    if (told.length) { el("dt", "Because", null, into); el("dd", told.join(" "), "data", into); }
    if (v.site.frames.length) { el("dt", "Stack", null, into); stack(v.site.frames, v.site.at, el("dd", null, null, into)); }
  },
});

(function living() {
  const only = el("input"), born = h => h.age_ns == null ? null : R.watched_ns - h.age_ns;
  only.type = "checkbox";
  only.id = "only-born";
  const inView = h => { const at = born(h); return !only.checked || (at != null && at >= view[0] && at <= view[1]); };
  const made = table("handles", "Living handles", H, [
    column("PID", "5.5rem", h => String(h.pid), h => h.pid, "num"),
    column("Command", "9rem", h => h.comm),
    column("FD", "5rem", h => String(h.fd), h => h.fd, "num"),
    column("Kind", "7rem", h => h.kind),
    column("Name", "36%", h => h.name),
    column("Made by", "24%", h => h.site),
    column("Born (UTC)", "7.5rem", h => h.age_ns == null ? "before" : clock(born(h)), h => h.age_ns == null ? -1 : born(h), null, true),
    column("Age", "6.5rem", h => span(h.age_ns), h => h.age_ns, "num", true),
  ], { empty: "No descriptor was open at the end.", hint: 3, also: inView });
  if (!made) return;
  const label = el("label", null, null, made.tools);
  label.append(only, " born in the part of the timeline in sight");
  only.addEventListener("change", made.sift);
  onView.push(() => { if (only.checked) made.sift(); });
})();

table("processes", "Processes", R.processes, [
  column("PID", "5.5rem", p => String(p.pid), p => p.pid, "num"),
  column("Command", "9rem", p => p.comm),
  column("Command line", "34%", p => p.cmdline.join(" ")),
  column("At start", "6rem", p => num(p.open_at_start), p => p.open_at_start, "num"),
  column("Now", "6rem", p => p.gone ? "ended" : num(p.open_now), p => p.gone ? -1 : p.open_now, "num"),
  column("Limit", "7rem", p => { const l = p.limits.find(l => l.name === "RLIMIT_NOFILE"); return l ? (l.value == null ? "unlimited" : num(l.value)) : ""; }, p => { const l = p.limits.find(l => l.name === "RLIMIT_NOFILE"); return l ? l.value : null; }, "num"),
  column("Acquired", "7rem", p => num(p.acquired), p => p.acquired, "num"),
  column("Released", "7rem", p => num(p.released), p => p.released, "num"),
  column("Ledger = kernel", "9rem", p => p.ledger_agrees == null ? "" : p.ledger_agrees ? "yes" : "no"),
], { empty: "No process was watched.", hint: 1 });

(function blind() {
  const box = section("unseen", "Not seen"), list = el("ul", null, null, box);
  el("li", R.lost ? many(R.lost, "event was", "events were") + " lost" : "no event was lost: " + num(R.events) + " seen", null, list);
  for (const b of R.source.cannot_see) el("li", b.what + ": " + b.why + (b.cure ? "; " + b.cure : ""), "data", list);
  for (const f of R.faults) el("li", "failed to " + f.operation + (f.fd == null ? "" : " of fd " + f.fd) + (f.pid == null ? "" : " in process " + f.pid) + ": " + f.cause, "data", list);
})();

const foot = el("footer", null, null, main);
el("p", "Made by fdscope " + R.fdscope + ". This page asks nothing of any network; its data can be read back with fdscope report PAGE --format data -o -.", null, foot);
if (R.command) el("p", "Made with: " + R.command, "mono data", foot);
