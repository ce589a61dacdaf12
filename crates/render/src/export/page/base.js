// The data, elements made of text only, and how numbers read.
const data = id => JSON.parse(document.getElementById(id).textContent);
const R = data("report"), H = data("handles"), COURSE = data("course");
const main = document.getElementById("main");

function el(tag, text, cls, into) {
  const made = document.createElement(tag);
  if (text != null) made.textContent = text;
  if (cls) made.className = cls;
  if (into) into.appendChild(made);
  return made;
}
// The name space of SVG, which is a name and no address that anything asks.
const SVG = ["htt", "p://www.w3.org/2000/svg"].join("");
function draw(tag, attributes, into) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (into) into.appendChild(made);
  return made;
}

const NUMBERS = new Intl.NumberFormat("en-US");
const num = n => n == null ? "" : NUMBERS.format(n);
const many = (n, one, more) => num(n) + " " + (n === 1 ? one : more);
function span(ns) {
  if (ns == null) return "";
  const s = ns / 1e9;
  if (s < 1e-3) return Math.round(s * 1e6) + " µs";
  if (s < 1) return Math.round(s * 1e3) + " ms";
  if (s < 120) return +s.toFixed(1) + " s";
  if (s < 7200) return +(s / 60).toFixed(1) + " min";
  return s < 172800 ? +(s / 3600).toFixed(1) + " h" : +(s / 86400).toFixed(1) + " days";
}
// A rate in the unit that suits `like`, so that an estimate and its ends read alike.
function rate(r, like) {
  if (r == null) return "";
  const by = Math.abs(like == null ? r : like) >= 0.1 ? [1, "/s"] : [3600, "/h"];
  return (r < 0 ? "-" : "+") + +(Math.abs(r) * by[0]).toPrecision(3) + by[1];
}
// Wall time of a moment that is so many nanoseconds after the beginning.
const BEGUN_MS = R.taken_at_ns / 1e6 - R.watched_ns / 1e6;
const wall = ns => new Date(BEGUN_MS + ns / 1e6).toISOString().slice(0, 19).replace("T", " ");
const clock = ns => wall(ns).slice(11);

const frameName = f => f.function || (f.module ? f.module.split("/").pop() + "+0x" + f.offset.toString(16) : "0x" + f.offset.toString(16));
const framePlace = f => f.file ? f.file + (f.line ? ":" + f.line : "") : f.module ? f.module.split("/").pop() : "";
const siteName = v => { const f = v.site.frames[v.site.at == null ? v.site.frames.length - 1 : v.site.at]; return f ? frameName(f) : v.site.pattern || v.comm; };
const process = v => (v.comm ? v.comm + " " : "") + "(pid " + v.pid + (v.processes > 1 ? " and " + num(v.processes - 1) + " more" : "") + ")";
const LEVELS = ["leak", "suspect", "too-soon", "bounded", "steady"];
const bad = R.verdicts.filter(v => v.level === "leak" || v.level === "suspect");

// Sections, for the bar on top and for the keys n and p.
const sections = [];
function section(id, title, note) {
  const box = el("section", null, null, main);
  box.id = id;
  const head = el("h2", title, null, box);
  head.tabIndex = -1;
  if (note != null) el("span", " " + note, "dim", head);
  sections.push({ id, title, head });
  return box;
}

// What is drawn to measure is drawn again when the window or the theme changes.
const redraws = [];
function redraw() { for (const again of redraws) again(); }

let theme = null;
const darkest = matchMedia("(prefers-color-scheme: dark)");
function paint() { document.documentElement.dataset.theme = theme || (darkest.matches ? "dark" : "light"); }
darkest.addEventListener("change", paint);
paint();
