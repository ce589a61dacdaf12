//! The card: one process on one screen.

use fdscope_model::card::{Card, CardGroup, CardHandle};
use fdscope_model::{HandleKind, Limit, LimitName, Name};

use crate::charset::Charset;
use crate::page::{Form, Page};
use crate::phrase::phrase;
use crate::piece::{Text, shorten};
use crate::style::Style;
use crate::table::{Cell, Column, Keep, Table};
use crate::units;

/// What is to be shown beside the card.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The user's name.
    pub user: Option<Name>,
    /// Wall time now, nanoseconds since 1970.
    pub now_ns: u64,
    /// What looks wrong.
    pub signs: Vec<String>,
    /// The one next command worth running.
    pub next: Option<(String, String)>,
}

/// Groups with a row; the rest is summed.
const SHOWN: usize = 12;

/// Columns of the labels.
const LABEL: usize = 12;

const COLUMNS: &[Column] = &[
    Column::right("COUNT"),
    Column::left("KIND"),
    Column::left("STATE"),
    Column::left("WHAT").keep(Keep::Shorten(16)),
    Column::right("FD FROM").keep(Keep::Drop(2)),
    Column::right("TO").keep(Keep::Drop(2)),
    Column::right("HOLDS").keep(Keep::Drop(1)),
];

/// The page.
pub fn page(card: &Card, beside: &Beside, form: Form) -> String {
    let mut page = Page::new(form);
    identity(&mut page, card, beside);
    groups(&mut page, card);
    others(&mut page, card);
    ends(&mut page, card);
    limits(&mut page, &card.limits);
    faults(&mut page, card);
    if !beside.signs.is_empty() {
        heading(&mut page, "What looks wrong");
        for sign in &beside.signs {
            page.paragraph(&Text::plain(format!("  - {}", form.charset.sentence(sign))), 4);
        }
    }
    if let Some((command, why)) = &beside.next {
        page.gap();
        let text = Text::default().and(Style::Label, "Next  ").and_solid(Style::Strong, command);
        page.paragraph(&text.and(Style::Plain, format!("  {why}")), 6);
    }
    page.finish()
}

/// What could not be read, a line for each operation and cause.
fn faults(page: &mut Page, card: &Card) {
    let charset = page.form.charset;
    let mut counted: Vec<(String, u64)> = Vec::new();
    for fault in &card.faults {
        let text = format!("failed to {}: {}", fault.operation, fault.cause);
        match counted.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => counted.push((text, 1)),
        }
    }
    if counted.is_empty() {
        return;
    }
    heading(page, "Not seen");
    for (text, count) in counted {
        let times =
            if count > 1 { format!(" ({} times)", units::count(count)) } else { String::new() };
        let text = charset.sentence(&format!("  - {text}{times}"));
        page.paragraph(&Text::default().and(Style::Suspect, text), 4);
    }
}

fn heading(page: &mut Page, title: &str) {
    page.gap();
    page.line(&Text::default().and(Style::Strong, title));
}

fn line(page: &mut Page, label: &str, text: String) {
    let label = Text::plain("  ").and(Style::Label, label).pad_to(LABEL);
    page.paragraph(&label.and(Style::Plain, text), LABEL);
}

fn identity(page: &mut Page, card: &Card, beside: &Beside) {
    let (charset, process) = (page.form.charset, &card.process);
    let title = format!("{} ({})", charset.name(&process.comm), process.id.pid);
    let spaced: Vec<u8> =
        process.cmdline.bytes().iter().map(|&b| if b == 0 { b' ' } else { b }).collect();
    let command = charset.name(&spaced.trim_ascii_end().into());
    let room = page.form.width.saturating_sub(crate::piece::width(&title) + 2);
    let command = shorten(&command, room.max(20), charset);
    page.line(
        &Text::solid(Style::Strong, title).and(Style::Plain, "  ").and_solid(Style::Plain, command),
    );
    let user = beside.user.as_ref().map(|name| format!("{} ", charset.name(name)));
    line(page, "user", format!("{}({})", user.unwrap_or_default(), process.uid));
    if let Some(age_ns) = card.age_ns {
        let started = units::wall_time(beside.now_ns.saturating_sub(age_ns));
        line(
            page,
            "started",
            format!("{started}, {} ago", units::duration_s((age_ns / 1_000_000_000) as f64)),
        );
    }
    if process.parent.0 > 0 {
        line(page, "parent", format!("{} ({})", process.parent, charset.name(&card.parent_comm)));
    }
    if !process.exe.is_empty() {
        line(page, "program", charset.name(&process.exe));
    }
    let named = [("container", &card.container), ("unit", &card.unit)];
    for (label, name) in named {
        if let Some(name) = name {
            line(page, label, charset.name(name));
        }
    }
    if card.cgroup.bytes().len() > 1 {
        line(page, "cgroup", charset.name(&card.cgroup));
    }
    if !card.namespaces.is_empty() {
        let words: Vec<&str> = card.namespaces.iter().map(|class| class.word()).collect();
        line(page, "apart", format!("namespaces of its own: {}", words.join(", ")));
    }
    line(page, "holds", holds(card));
}

/// Descriptors of the limit, their numbers, and threads.
fn holds(card: &Card) -> String {
    let nofile = card.limits.iter().find(|limit| limit.name == LimitName::Nofile);
    let open = card.descriptors.map_or("?".to_owned(), units::count);
    let mut text = match nofile {
        Some(limit) if limit.value != u64::MAX => {
            let share = units::share(limit.used, limit.value);
            format!("{open} descriptors of {} ({share})", units::count(limit.value))
        }
        _ => format!("{open} descriptors"),
    };
    let lowest = card.groups.iter().map(|group| group.lowest).min();
    let highest = card.groups.iter().map(|group| group.highest).max();
    if let Some((lowest, highest)) = lowest.zip(highest) {
        text.push_str(&format!(", numbers {lowest} to {highest}"));
    }
    let threads = units::count_of(card.threads, "thread", "threads");
    format!("{text}; {threads}, {}", state(card.state))
}

/// The kernel's letter in a word.
fn state(letter: u8) -> &'static str {
    match letter {
        b'R' => "running",
        b'S' => "sleeping",
        b'D' => "waiting for a device",
        b'T' => "stopped",
        b't' => "stopped by its tracer",
        b'Z' => "a zombie",
        b'I' => "idle",
        _ => "in an unknown state",
    }
}

fn groups(page: &mut Page, card: &Card) {
    if card.groups.is_empty() {
        return;
    }
    heading(page, "Descriptors");
    let charset = page.form.charset;
    let rows = card.groups.iter().take(SHOWN).map(|group| row(group, charset)).collect();
    let mut table = Table { columns: COLUMNS.to_vec(), rows };
    let shown = || card.groups.iter().take(SHOWN);
    if shown().all(|group| group.state.is_none()) {
        table.remove("STATE");
    }
    if shown().all(|group| group.held_bytes == 0) {
        table.remove("HOLDS");
    }
    for line in table.lay_out(page.form.width - 2, charset).lines {
        page.line(&Text::plain("  ").and_text(line));
    }
    let rest = card.groups.get(SHOWN..).unwrap_or_default();
    if !rest.is_empty() {
        let count = rest.iter().map(|group| group.count).sum();
        let text = format!(
            "  and {} in {}; --json has all",
            units::count_of(count, "more", "more"),
            units::count_of(rest.len() as u64, "more group", "more groups")
        );
        page.paragraph(&Text::default().and(Style::Dim, text), 2);
    }
}

fn row(group: &CardGroup, charset: Charset) -> Vec<Cell> {
    let held = match group.held_bytes {
        0 => String::new(),
        bytes => units::bytes(bytes),
    };
    vec![
        Cell::styled(Style::Strong, units::count(group.count)),
        Cell::new(group.kind.word()),
        Cell::new(group.state.map_or("", |state| state.word())),
        Cell::new(charset.name(&group.pattern)),
        Cell::new(group.lowest.to_string()),
        Cell::new(group.highest.to_string()),
        Cell::new(held),
    ]
}

/// The first and the last descriptors, by which a leak shows: what piles up has the high numbers.
fn ends(page: &mut Page, card: &Card) {
    if card.oldest.is_empty() && card.newest.is_empty() {
        return;
    }
    heading(page, "Oldest and newest, by number");
    let charset = page.form.charset;
    let row = |handle: &CardHandle| {
        let state = handle.state.map_or("", |state| state.word());
        let name = match handle.name.is_empty() {
            true => "(not told)".to_owned(),
            false => charset.name(&handle.name),
        };
        [handle.fd.to_string(), handle.kind.word().to_owned(), state.to_owned(), name]
            .map(Cell::new)
            .to_vec()
    };
    let columns = [
        Column::right("FD"),
        Column::left("KIND"),
        Column::left("STATE"),
        Column::left("WHAT").keep(Keep::Shorten(16)),
    ];
    let rows = card.oldest.iter().chain(&card.newest).map(row).collect();
    let mut table = Table { columns: columns.to_vec(), rows };
    if card.oldest.iter().chain(&card.newest).all(|handle| handle.state.is_none()) {
        table.remove("STATE");
    }
    for line in table.lay_out(page.form.width - 2, charset).lines {
        page.line(&Text::plain("  ").and_text(line));
    }
}

/// What is held without descriptors, a line for each kind.
fn others(page: &mut Page, card: &Card) {
    // Threads stand above, with the descriptors.
    let kinds =
        HandleKind::all().filter(|kind| !kind.is_descriptor() && *kind != HandleKind::Thread);
    let mut parts = Vec::new();
    for kind in kinds {
        let of_kind = card.others.iter().filter(|group| group.kind == kind);
        let count: u64 = of_kind.map(|group| group.count).sum();
        if count > 0 {
            let phrase = phrase(kind);
            parts.push(units::count_of(count, phrase.one, phrase.many));
        }
    }
    if !parts.is_empty() {
        page.paragraph(&Text::plain(format!("  And {}.", parts.join(", "))), 2);
    }
}

fn limits(page: &mut Page, limits: &[Limit]) {
    let binds = |limit: &&Limit| (2..i64::MAX as u64).contains(&limit.value);
    let mut near: Vec<&Limit> = limits.iter().filter(binds).collect();
    near.sort_by(|a, b| share(b).total_cmp(&share(a)));
    if near.is_empty() {
        return;
    }
    heading(page, "Limits, the nearest first");
    let columns = [
        Column::left("LIMIT"),
        Column::right("IN USE"),
        Column::right("OF"),
        Column::right("USED"),
    ];
    let row = |limit: &&Limit| {
        let style = if share(limit) >= 0.9 { Style::Leak } else { Style::Plain };
        let number = |n: u64| match limit.name {
            LimitName::Memlock => units::bytes(n),
            _ => units::count(n),
        };
        vec![
            Cell::new(limit.name.word()),
            Cell::new(number(limit.used)),
            Cell::new(number(limit.value)),
            Cell::styled(style, units::share(limit.used, limit.value)),
        ]
    };
    let rows = near.iter().take(5).map(row).collect();
    let laid =
        Table { columns: columns.to_vec(), rows }.lay_out(page.form.width - 2, page.form.charset);
    for line in laid.lines {
        page.line(&Text::plain("  ").and_text(line));
    }
}

fn share(limit: &Limit) -> f64 {
    limit.used as f64 / limit.value.max(1) as f64
}
