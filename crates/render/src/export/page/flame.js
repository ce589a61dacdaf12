// Living handles by creating stack. A click zooms; arrows walk, Enter zooms, Escape shows all.
(function flames() {
  const root = { name: "all", count: 0, kids: new Map(), up: null, plumbing: false };
  function tower(names, count) {
    if (!count) return;
    let node = root;
    node.count += count;
    for (const name of names) {
      if (!node.kids.has(name)) node.kids.set(name, { name, count: 0, kids: new Map(), up: node });
      node = node.kids.get(name);
      node.count += count;
    }
  }
  for (const v of R.verdicts) {
    const before = Math.min(v.existing, v.live), pattern = v.site.pattern ? [v.site.pattern] : [];
    tower(v.site.frames.length ? v.site.frames.map(frameName).reverse().concat(v.kind) : ["[no stack]", ...pattern, v.kind], v.live - before);
    tower(["[before watching]", ...pattern, v.kind], before);
  }
  const box = section("flame", "Living handles by creating stack", root.count ? "(" + num(root.count) + ")" : "");
  if (!root.count) { el("p", "Nothing is alive whose birth or kind is known.", "empty", box); return; }
  const tools = el("div", null, "tools", box);
  const search = el("input", null, null, tools);
  search.type = "search";
  search.placeholder = "Mark frames with …";
  search.setAttribute("aria-label", "Mark frames of the flame graph");
  const reset = el("button", "Show all", "key", tools);
  const told = el("span", "", "dim", tools);
  told.setAttribute("aria-live", "polite");
  const flame = el("div", null, "flame", box);
  flame.setAttribute("role", "group");
  flame.setAttribute("aria-label", "Flame graph");
  const ROW = 21;
  let top = root, focus = root;
  const hue = text => { let h = 0; for (const c of text) h = (h * 31 + c.codePointAt(0)) % 9973; return 8 + h % 48; };
  const has = (node, word) => node.name.toLowerCase().includes(word);
  // Handles under marked frames, each counted once.
  const marked = (node, word) => has(node, word) ? node.count : [...node.kids.values()].reduce((sum, kid) => sum + marked(kid, word), 0);
  function burn() {
    const word = search.value.trim().toLowerCase(), held = flame.contains(document.activeElement);
    flame.textContent = "";
    let deep = 0;
    const put = (node, left, width, depth, above) => {
      deep = Math.max(deep, depth);
      if (width < .0012) return;
      const b = el("button", node.name + " (" + num(node.count) + ")", "data" + (above ? " above" : "") + (word && !has(node, word) ? " off" : ""), flame);
      b.title = node.name + "\n" + many(node.count, "handle", "handles") + ", " + (node.count / root.count * 100).toFixed(1) + " %";
      b.style.cssText = "left:" + left * 100 + "%;width:" + width * 100 + "%;top:" + depth * ROW + "px";
      b.style.background = "hsl(" + hue(node.name) + " 80% var(--flame))";
      b.tabIndex = node === focus ? 0 : -1;
      b.addEventListener("click", () => { top = node; focus = node; burn(); });
      b.addEventListener("focus", () => { focus = node; });
      node.shown = b;
      if (node === focus && held) b.focus();
    };
    const all = [root];
    while (all.length) { const node = all.pop(); node.shown = null; all.push(...node.kids.values()); }
    const above = [];
    for (let node = top.up; node; node = node.up) above.unshift(node);
    above.forEach((node, depth) => put(node, 0, 1, depth, true));
    (function walk(node, left, width, depth) {
      put(node, left, width, depth, false);
      let at = left;
      for (const kid of [...node.kids.values()].sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))) {
        const share = width * kid.count / Math.max(1, node.count);
        if (share >= .0012) walk(kid, at, share, depth + 1);
        at += share;
      }
    })(top, 0, 1, above.length);
    flame.style.height = (deep + 1) * ROW + 2 + "px";
    if (!focus.shown && top.shown) { focus = top; top.shown.tabIndex = 0; if (held) top.shown.focus(); }
    reset.disabled = top === root;
    const found = word ? marked(root, word) : 0;
    told.textContent = (top === root ? "" : many(top.count, "handle", "handles") + " under " + top.name + ". ") + (word ? many(found, "handle", "handles") + " (" + (found / root.count * 100).toFixed(1) + " %) with this frame" : "");
  }
  flame.addEventListener("keydown", e => {
    const kin = focus.up ? [...focus.up.kids.values()].filter(n => n.shown).sort((a, b) => parseFloat(a.shown.style.left) - parseFloat(b.shown.style.left)) : [focus];
    const place = kin.indexOf(focus), kids = [...focus.kids.values()].filter(n => n.shown).sort((a, b) => b.count - a.count);
    const to = { ArrowUp: focus.up, ArrowDown: kids[0], ArrowLeft: kin[place - 1], ArrowRight: kin[place + 1] };
    if (e.key === "Escape") { top = root; burn(); if (focus.shown) focus.shown.focus(); return; }
    if (!(e.key in to)) return;
    e.preventDefault();
    if (to[e.key] && to[e.key].shown) { focus.shown.tabIndex = -1; focus = to[e.key]; focus.shown.tabIndex = 0; focus.shown.focus(); }
  });
  reset.addEventListener("click", () => { top = root; burn(); });
  search.addEventListener("input", burn);
  burn();
})();
