//! `fdscope sockets --watch`: look after look, what came to each group of sockets and what went.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use fdscope_proc::ProcRoot;
use fdscope_proc::net::Survey;
use fdscope_render::Form;
use fdscope_render::changes::{Changes, Since};
use fdscope_render::column::{Column, write_json, write_object};
use fdscope_render::sockets::{AGES, SOCKETS, SocketRow};
use fdscope_render::units::{count, count_of, duration_ns, wall_time};
use fdscope_sys::clock::{monotonic_now, wall_now_ns};

use super::lore::{Identity, Lore, identity};
use super::query::{Query, asked};
use super::{head, summary};
use crate::args::{Sockets, parse_duration};
use crate::ending::{Ending, Failure};
use crate::inventories::Surveyor;
use crate::screen::{Awaited, Screen};
use crate::{Done, terminal};

/// What sockets are counted by, unless told otherwise.
const GROUPS: [&str; 5] = ["protocol", "state", "pid", "comm", "unheld"];
/// Between looks, where the word behind `--watch` is the first of the filter.
const DEFAULT: Duration = Duration::from_secs(2);
/// Sockets that came or went and are named on a terminal, of each kind.
const NAMED: usize = 5;
/// Groups that are shown however low the terminal is.
const LEAST_ROWS: usize = 5;

/// How often to look, and for how long.
#[derive(Clone, Copy)]
pub struct Pace {
    every: Duration,
    duration: Option<Duration>,
}

impl Pace {
    /// Of the command line; and the word behind `--watch` if it is no time, but the first of the filter.
    pub fn of(sockets: &Sockets) -> Result<(Option<Pace>, Option<&str>)> {
        let Some(word) = sockets.watch.as_deref() else { return Ok((None, None)) };
        let duration = sockets.duration;
        match parse_duration(word) {
            Ok(every) => Ok((Some(Pace { every, duration }), None)),
            Err(why) if word.starts_with(|c: char| c.is_ascii_digit()) || sockets.summary => {
                Err(Failure::new(Ending::Usage, format!("--watch: {why}")).into())
            }
            Err(_) => Ok((Some(Pace { every: DEFAULT, duration }), Some(word))),
        }
    }

    /// Calls `look` now and again and again, and hands its page to the screen, or its block to standard output; at the
    /// end `last` is written. Looks begin this far apart, whatever they take, and never lie closer than half of that. There
    /// are two at least unless somebody ends it: one alone tells of no change.
    pub fn keep(
        self,
        redraw: bool,
        look: &mut dyn FnMut(Option<u64>) -> Result<String>,
        last: &mut dyn FnMut(u64) -> Result<String>,
    ) -> Done {
        let mut screen = if redraw { Screen::take()? } else { Screen::unseen()? };
        let begun = monotonic_now();
        let (mut before, mut looks) = (None, 0_u64);
        loop {
            let now = monotonic_now();
            let page = look(before.map(|before| now.since_ns(before)))?;
            before = Some(now);
            match redraw {
                true => screen.draw(&page, terminal::rows())?,
                false => {
                    let mut out = std::io::stdout().lock();
                    out.write_all(page.as_bytes())?;
                    out.flush()?;
                }
            }
            looks += 1;
            let passed = |since| Duration::from_nanos(monotonic_now().since_ns(since));
            let mut ended = false;
            let next = self.every.max(passed(now) + self.every / 2);
            while let Some(left) = next.checked_sub(passed(now)).filter(|left| !left.is_zero()) {
                let until_end = self.duration.map(|most| most.saturating_sub(passed(begun)));
                if until_end.is_some_and(|left| left.is_zero()) {
                    ended = looks > 1;
                    break;
                }
                let wait = until_end.map_or(left, |end| left.min(end));
                if screen.wait(wait)? == Awaited::End {
                    ended = true;
                    break;
                }
            }
            if ended {
                drop(screen);
                let text = last(monotonic_now().since_ns(begun))?;
                std::io::stdout().lock().write_all(text.as_bytes())?;
                return Ok(Ending::Done);
            }
        }
    }
}

/// Everything that is kept from look to look.
struct Watch<'a> {
    sockets: &'a Sockets,
    query: &'a Query,
    changes: Changes<SocketRow, Identity>,
    counters: Counters,
    form: Form,
    redraw: bool,
    /// What was said of what cannot be read, without its numbers: it is said once.
    said: HashSet<String>,
}

/// Runs the watch.
pub fn run(
    root: &ProcRoot,
    surveyor: &mut Surveyor,
    sockets: &Sockets,
    query: &Query,
    pace: Pace,
) -> Done {
    let columns: Vec<&'static Column<SocketRow>> = match &query.groups {
        Some(columns) => columns.clone(),
        None => GROUPS.iter().filter_map(|name| SOCKETS.get(name)).collect(),
    };
    let own = if sockets.columns.is_some() { query.needs() } else { query.needs_to_filter() };
    let needs = columns.iter().fold(own, |needs, column| needs.and(column.needs));
    let (detail, owners) = asked(needs);
    let mut lore = Lore::default();
    let form = terminal::form(sockets.color);
    let redraw = !sockets.json && terminal::can_redraw();
    let mut watch = Watch {
        sockets,
        query,
        changes: Changes::new(columns, form.charset),
        counters: Counters::default(),
        form,
        redraw,
        said: HashSet::new(),
    };
    let watch = std::cell::RefCell::new(&mut watch);
    let mut look = |passed: Option<u64>| {
        let survey = surveyor.take(detail, owners)?;
        lore.learn(root, needs, &survey);
        if needs.has(AGES) {
            lore.keep_ages(&survey);
        }
        watch.borrow_mut().look(root, (&survey, &lore), passed)
    };
    pace.keep(redraw, &mut look, &mut |passed| watch.borrow().last(passed))
}

impl Watch<'_> {
    fn look(
        &mut self,
        root: &ProcRoot,
        (survey, lore): (&Survey, &Lore),
        passed: Option<u64>,
    ) -> Result<String> {
        self.changes.begin();
        let shown = self.sockets.columns.is_some();
        for row in self.query.rows(survey, lore) {
            let text = shown.then(|| self.text(&row));
            self.changes.push(identity(&row.socket), &row, text);
        }
        self.changes.end();
        self.counters.take(summary::losses(root));
        if self.sockets.json {
            return Ok(self.object(survey, passed));
        }
        let gaps = super::gaps_of(survey);
        for gap in gaps.iter().filter(|_| !self.redraw) {
            let kind = gap.chars().filter(|c| !c.is_ascii_digit()).collect();
            if self.said.insert(kind) {
                eprintln!("{gap}");
            }
        }
        let gaps = gaps.join("\n");
        self.page(&gaps, passed)
    }

    /// A socket as it is shown when it comes or goes.
    fn text(&self, row: &SocketRow) -> String {
        if self.sockets.json {
            let mut bytes = Vec::new();
            write_object(&self.query.columns, row, &mut bytes);
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        let mut text = String::new();
        for column in &self.query.columns {
            let before = text.len();
            column.print(row, self.form.charset, &mut text);
            text.push_str(if text.len() == before { "-  " } else { "  " });
        }
        text.trim_end().to_owned()
    }

    fn page(&self, gaps: &str, passed: Option<u64>) -> Result<String> {
        let (changes, form) = (&self.changes, self.form);
        let rows = count_of(changes.rows(), "socket", "sockets");
        let mut page = format!("{}  {rows}", wall_time(wall_now_ns()));
        if let Some(passed) = passed {
            let (came, went) = (count(changes.came_count), count(changes.went_count));
            page.push_str(&format!(", {came} new, {went} gone in {}", duration_ns(passed)));
        }
        page = form.charset.sentence(&page);
        page.push('\n');
        let risen = self.counters.risen();
        if !risen.is_empty() {
            page.push_str(&format!("{}\n", risen.join("  ")));
        }
        let named = if self.redraw { NAMED } else { usize::MAX };
        let mut below = String::new();
        for (word, list) in [("new ", &changes.came), ("gone", &changes.went)] {
            list.iter().take(named).for_each(|text| below.push_str(&format!("{word}  {text}\n")));
            if list.len() > named {
                below.push_str(&format!("{word}  {} more\n", count((list.len() - named) as u64)));
            }
        }
        if self.redraw && !gaps.is_empty() {
            below.push_str(&format!("{gaps}\n"));
        }
        let most = match self.redraw {
            false => usize::MAX,
            true => {
                let beside = page.lines().count() + below.lines().count() + 3;
                terminal::rows().saturating_sub(beside).max(LEAST_ROWS)
            }
        };
        let mut bytes = page.into_bytes();
        changes.write(Since::Last, form, most, &mut bytes)?;
        let mut page = String::from_utf8_lossy(&bytes).into_owned();
        page.push_str(&below);
        if !self.redraw {
            page.push('\n');
        }
        Ok(page)
    }

    fn object(&self, survey: &Survey, passed: Option<u64>) -> String {
        let (changes, unreadable) = (&self.changes, survey.unreadable);
        let number = |is_there: bool, number: u64| match is_there {
            true => number.to_string(),
            false => "null".to_owned(),
        };
        let has = changes.has_changes();
        let mut out = format!(
            "{{{},\"interval_ns\":{},\"count\":{},\"new\":{},\"gone\":{},\"unreadable_processes\":{unreadable},\"faults\":",
            head(),
            number(passed.is_some(), passed.unwrap_or(0)),
            changes.rows(),
            number(has, changes.came_count),
            number(has, changes.went_count),
        )
        .into_bytes();
        let faults: Vec<String> = survey.faults.iter().map(ToString::to_string).collect();
        write_json(&faults, &mut out);
        self.counters.write_json(&mut out);
        out.extend(b",\"groups\":");
        changes.write_json(&mut out);
        if self.sockets.columns.is_some() {
            let came = changes.came.join(",");
            let went = changes.went.join(",");
            out.extend(format!(",\"added\":[{came}],\"removed\":[{went}]").as_bytes());
        }
        out.extend(b"}\n");
        String::from_utf8_lossy(&out).into_owned()
    }

    /// What was learnt.
    fn last(&self, passed: u64) -> Result<String> {
        if self.sockets.json || !self.changes.has_changes() {
            return Ok(String::new());
        }
        let [came, went] = self.changes.totals().map(count);
        let passed = duration_ns(passed);
        let text = format!("Since the watch began, {passed} ago: {came} new, {went} gone\n");
        let mut bytes = self.form.charset.sentence(text.trim_end()).into_bytes();
        bytes.push(b'\n');
        let risen = self.counters.risen_since_first();
        if !risen.is_empty() {
            bytes.extend(format!("{}\n", risen.join("  ")).as_bytes());
        }
        self.changes.write(Since::First, self.form, usize::MAX, &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The kernel's counters of losses, at the first look, at the last, and now.
#[derive(Default)]
pub struct Counters {
    first: HashMap<&'static str, u64>,
    before: HashMap<&'static str, u64>,
    now: Vec<(&'static str, u64)>,
}

impl Counters {
    /// Takes a reading.
    pub fn take(&mut self, now: Vec<(&'static str, u64)>) {
        let last = std::mem::replace(&mut self.now, now);
        self.before = last.into_iter().collect();
        if self.before.is_empty() {
            self.first = self.now.iter().copied().collect();
        }
    }

    /// True once there is something to compare with.
    pub fn has_changes(&self) -> bool {
        !self.before.is_empty()
    }

    /// How much one rose since the last reading; `None` at the first.
    pub fn change(&self, name: &str) -> Option<i64> {
        let now = self.now.iter().find(|(known, _)| *known == name)?.1;
        Some(now.cast_signed().wrapping_sub(self.before.get(name)?.cast_signed()))
    }

    /// How much one rose since the first reading.
    pub fn change_since_first(&self, name: &str) -> Option<i64> {
        let now = self.now.iter().find(|(known, _)| *known == name)?.1;
        Some(now.cast_signed().wrapping_sub(self.first.get(name)?.cast_signed()))
    }

    fn risen(&self) -> Vec<String> {
        self.told(|name| self.change(name))
    }

    fn risen_since_first(&self) -> Vec<String> {
        self.told(|name| self.change_since_first(name))
    }

    fn told(&self, change: impl Fn(&str) -> Option<i64>) -> Vec<String> {
        let told = self.now.iter().filter_map(|(name, _)| {
            change(name).filter(|change| *change != 0).map(|change| format!("{name} {change:+}"))
        });
        told.collect()
    }

    /// Appends `,"counters":{…},"counter_changes":{…}`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let object = |list: Vec<String>| list.join(",");
        let now = self.now.iter().map(|(name, number)| format!("\"{name}\":{number}"));
        let changed = self.now.iter().map(|(name, _)| {
            let change = self.change(name).map_or("null".to_owned(), |change| change.to_string());
            format!("\"{name}\":{change}")
        });
        let (now, changed) = (object(now.collect()), object(changed.collect()));
        out.extend(format!(",\"counters\":{{{now}}},\"counter_changes\":{{{changed}}}").as_bytes());
    }
}
