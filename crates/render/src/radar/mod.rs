//! The radar as text: a table of processes by danger, and below it the limits that they share.

mod bounds;
mod order;

use std::collections::HashMap;

use fdscope_model::survey::{Bound, Survey, Vitals};
use fdscope_model::{Limit, LimitName, Name, Pid};

use crate::charset::Charset;
use crate::page::{Form, Page};
use crate::piece::Text;
use crate::style::Style;
use crate::table::{Cell, Column, Keep, Table};
use crate::units;

pub use order::Order;

/// What is to be shown. The processes are sorted already, by [`Order::sort`].
pub struct Radar<'a> {
    /// What was seen.
    pub survey: &'a Survey,
    /// The limits worth knowing.
    pub bounds: &'a [Bound],
    /// Names of users.
    pub users: &'a HashMap<u32, Name>,
    /// Rows at most.
    pub top: Option<usize>,
    /// Processes that a pattern left out.
    pub left_out: u64,
    /// A line above the table, while it is redrawn.
    pub head: Option<String>,
    /// The one next command worth running.
    pub next: Option<(String, String)>,
}

/// Command lines have a column from this width on.
pub const WIDE: usize = 100;

const COMMAND: usize = 1;
const NEAREST: &str = "NEAREST";
const GROWTH: [&str; 2] = ["PER MIN", "LIMIT IN"];
const LINE: &str = "COMMAND LINE";

/// The columns of a row of [`cells`].
pub const COLUMNS: &[Column] = &[
    Column::right("PID"),
    Column::left("COMMAND").keep(Keep::Shorten(7)),
    Column::left("USER").keep(Keep::Drop(9)),
    Column::right("OPEN"),
    Column::right("LIMIT").keep(Keep::Drop(3)),
    Column::right("USED"),
    Column::right("THREADS").keep(Keep::Drop(6)),
    Column::right("PER MIN").keep(Keep::Drop(2)),
    Column::right("LIMIT IN"),
    Column::left(NEAREST).keep(Keep::Drop(5)),
    Column::left(LINE).keep(Keep::Shorten(24)),
];

/// The page.
pub fn page(radar: &Radar<'_>, form: Form) -> String {
    let mut page = Page::new(form);
    if let Some(head) = &radar.head {
        page.paragraph(&Text::default().and(Style::Dim, form.charset.sentence(head)), 0);
    }
    table(&mut page, radar);
    notes(&mut page, radar);
    bounds::section(&mut page, radar.bounds, radar.users);
    if let Some((command, why)) = &radar.next {
        page.gap();
        let text = Text::default().and(Style::Label, "Next  ").and_solid(Style::Strong, command);
        page.paragraph(&text.and(Style::Plain, format!("  {why}")), 6);
    }
    page.finish()
}

fn table(page: &mut Page, radar: &Radar<'_>) {
    let charset = page.form.charset;
    let processes = &radar.survey.processes;
    let shown = &processes[..radar.top.unwrap_or(usize::MAX).min(processes.len())];
    let row = |vitals: &Vitals| cells(vitals, radar.users, charset);
    let mut table = Table { columns: COLUMNS.to_vec(), rows: shown.iter().map(row).collect() };
    if shown.iter().all(|vitals| vitals.growth.is_none()) {
        GROWTH.iter().for_each(|header| table.remove(header));
    }
    if shown.iter().all(|vitals| nearest_other(vitals).is_none()) {
        table.remove(NEAREST);
    }
    if shown.iter().all(|vitals| vitals.cmdline.is_none()) || page.form.width < WIDE {
        table.remove(LINE);
    } else {
        table.columns[COMMAND] = Column::left("COMMAND").keep(Keep::Drop(3));
    }
    let laid = table.lay_out(page.form.width, charset);
    laid.lines.iter().for_each(|line| page.line(line));
    if !laid.dropped.is_empty() {
        let text = format!("(no room for {}; --json has all)", laid.dropped.join(", "));
        page.paragraph(&Text::default().and(Style::Dim, text), 0);
    }
}

/// The row of a process: a cell for each of the [`COLUMNS`].
pub fn cells(vitals: &Vitals, users: &HashMap<u32, Name>, charset: Charset) -> Vec<Cell> {
    let style = danger_style(vitals);
    let limit = match vitals.nofile {
        None => "-".to_owned(),
        Some(u64::MAX) => "unlimited".to_owned(),
        Some(limit) => units::count(limit),
    };
    let used = vitals.nearest().map_or("-".to_owned(), |near| units::share(near.used, near.value));
    let (per_min, left) = growth(vitals);
    let cmdline = vitals.cmdline.as_ref().map_or(String::new(), |line| {
        let words = line.bytes().strip_suffix(b"\0").unwrap_or(line.bytes());
        charset
            .name(&words.iter().map(|&b| if b == 0 { b' ' } else { b }).collect::<Vec<_>>().into())
    });
    vec![
        Cell::new(vitals.id.pid.to_string()),
        Cell::styled(Style::Strong, charset.name(&vitals.comm)),
        Cell::new(user(vitals.uid, users, charset)),
        Cell::new(vitals.descriptors.map_or("?".to_owned(), units::count)),
        Cell::new(limit),
        Cell::styled(style, used),
        Cell::new(units::count(vitals.threads)),
        Cell::new(per_min),
        Cell::styled(style, left),
        Cell::styled(style, nearest_other(vitals).map_or(String::new(), named)),
        Cell::styled(Style::Dim, cmdline),
    ]
}

/// The name of a user, or the number of one without.
fn user(uid: u32, users: &HashMap<u32, Name>, charset: Charset) -> String {
    users.get(&uid).map_or_else(|| uid.to_string(), |name| charset.name(name))
}

/// The nearest limit, if it is not the one that has its own column.
fn nearest_other(vitals: &Vitals) -> Option<Limit> {
    vitals.nearest().filter(|limit| limit.name != LimitName::Nofile)
}

fn named(limit: Limit) -> String {
    format!("{} {}", limit.name.word(), units::count(limit.value))
}

/// Descriptors per minute, and the time to the first limit.
fn growth(vitals: &Vitals) -> (String, String) {
    let Some(growth) = vitals.growth else { return Default::default() };
    let per_min = match growth.descriptors {
        0 => "0".to_owned(),
        change => {
            let sign = if change > 0 { "+" } else { "" };
            format!("{sign}{}", units::decimal(growth.descriptors_per_min()))
        }
    };
    let left = vitals.reached_in_s().map_or("-".to_owned(), |seconds| match seconds {
        0.0 => "reached".to_owned(),
        seconds => units::duration_s(if seconds < 60.0 { seconds.round() } else { seconds }),
    });
    (per_min, left)
}

fn danger_style(vitals: &Vitals) -> Style {
    let soon = vitals.reached_in_s().is_some_and(|seconds| seconds < 600.0);
    match vitals.danger().0 {
        90.. => Style::Leak,
        70..90 => Style::Suspect,
        _ if soon => Style::Suspect,
        _ => Style::Plain,
    }
}

/// What the table does not show, in a sentence.
fn notes(page: &mut Page, radar: &Radar<'_>) {
    let survey = radar.survey;
    let hidden = radar.top.map_or(0, |top| survey.processes.len().saturating_sub(top)) as u64;
    let zombies: u64 = survey.zombies.iter().map(|zombie| zombie.1).sum();
    let mut parts = Vec::new();
    let mut part = |count: u64, one: &str, many: &str| {
        if count > 0 {
            parts.push(units::count_of(count, one, many));
        }
    };
    part(hidden, "more process", "more processes");
    part(radar.left_out, "that does not match", "that do not match");
    part(survey.kernel_threads, "kernel thread", "kernel threads");
    part(survey.vanished, "that ended meanwhile", "that ended meanwhile");
    part(survey.refused, "that may not be seen (hidepid)", "that may not be seen (hidepid)");
    let faults = survey.faults.len() as u64;
    part(faults, "that could not be read", "that could not be read");
    let mut text = parts.join(", ");
    if !text.is_empty() {
        text = format!("Not shown: {text}.");
    }
    if zombies > 0 {
        let blank = if text.is_empty() { "" } else { " " };
        text = format!("{text}{blank}{}", zombie_note(survey, zombies, page.form.charset));
    }
    if survey.others_hidden {
        let blank = if text.is_empty() { "" } else { " " };
        text =
            format!("{text}{blank}Other users' processes are hidden (hidepid): sudo shows them.");
    }
    if !text.is_empty() {
        page.paragraph(&Text::default().and(Style::Dim, text), 0);
    }
}

/// How many zombies there are, and who leaves most.
fn zombie_note(survey: &Survey, zombies: u64, charset: Charset) -> String {
    let all = units::count_of(zombies, "zombie", "zombies");
    let Some(&(parent, most)) = survey.zombies.iter().max_by_key(|zombie| zombie.1) else {
        return all;
    };
    let most =
        if most == zombies { String::new() } else { format!("{} of them ", units::count(most)) };
    let comm = name_of(survey, parent).map(|comm| format!(" ({})", charset.name(comm)));
    format!("{all}, {most}left by {parent}{}.", comm.unwrap_or_default())
}

fn name_of(survey: &Survey, pid: Pid) -> Option<&Name> {
    survey.processes.iter().find(|vitals| vitals.id.pid == pid).map(|vitals| &vitals.comm)
}
