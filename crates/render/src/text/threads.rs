//! The threads of a process for people: who they are in groups, what they hold, who ended and was never joined, and
//! which limit comes first.

use fdscope_model::thread::{
    Change, Doing, ThreadEntry, ThreadGroup, ThreadReport, Unjoined, start_name,
};

use super::{bullet, heading, stack};
use crate::charset::Charset;
use crate::page::{Form, Page};
use crate::piece::Text;
use crate::site;
use crate::style::Style;
use crate::table::{Cell, Column, Keep, Table};
use crate::units;

/// One row for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rows {
    /// A group of threads.
    #[default]
    Groups,
    /// Every thread.
    Threads,
}

/// Different stacks shown of one group.
const STACKS: usize = 3;

/// Kernel functions shown of one thread.
const KERNEL_FRAMES: usize = 8;

const GROUPS: &[Column] = &[
    Column::right("THREADS"),
    Column::left("NAME").keep(Keep::Shorten(12)),
    Column::right("CHANGE"),
    Column::left("BEGAN IN").keep(Keep::Drop(1)),
    Column::left("STATE").keep(Keep::Drop(5)),
    Column::left("WAITS IN").keep(Keep::Drop(3)),
    Column::right("CPU").keep(Keep::Drop(4)),
    Column::right("BUSY"),
    Column::left("AGE").keep(Keep::Drop(6)),
    Column::left("HOLDS").keep(Keep::Drop(2)),
];

const THREADS: &[Column] = &[
    Column::right("TID"),
    Column::left("NAME").keep(Keep::Shorten(12)),
    Column::left("STATE").keep(Keep::Drop(3)),
    Column::left("CALL").keep(Keep::Drop(1)),
    Column::left("ON").keep(Keep::Drop(5)),
    Column::right("CPU").keep(Keep::Drop(2)),
    Column::right("BUSY"),
    Column::right("AGE").keep(Keep::Drop(4)),
    Column::left("SLEEPS IN").keep(Keep::Drop(6)),
    Column::left("BEGAN IN").keep(Keep::Drop(7)),
];

/// The page of one process.
pub fn threads(report: &ThreadReport, rows: Rows, form: Form) -> String {
    let mut page = Page::new(form);
    summary(&mut page, report);
    loopers(&mut page, report);
    page.gap();
    match rows {
        Rows::Groups => groups(&mut page, report),
        Rows::Threads => every(&mut page, report),
    }
    stacks(&mut page, report, rows);
    unjoined(&mut page, report);
    limits(&mut page, report);
    unseen(&mut page, report);
    page.finish()
}

fn summary(page: &mut Page, report: &ThreadReport) {
    let charset = page.form.charset;
    let who = site::process(&report.process.comm, report.process.id.pid, charset);
    let counted: u64 = report.groups.iter().map(|group| group.count).sum();
    let count = counted.max(report.threads.len() as u64);
    let count = units::count_of(count, "thread", "threads");
    let groups = units::count_of(report.groups.len() as u64, "group", "groups");
    let cpu_ns = report.threads.iter().map(|thread| thread.cpu_ns).sum();
    let mut rest = format!(" has {count} in {groups}");
    if is_looked_at(report) {
        rest.push_str(&format!(", {} of CPU time", units::duration_ns(cpu_ns)));
    }
    if let Some(interval_ns) = report.interval_ns {
        let busy: f64 = report.threads.iter().filter_map(|thread| thread.cpu_cores).sum();
        let change = report.change.unwrap_or_default();
        rest.push_str(&format!(
            "; in {}: {}{} started, {} ended",
            units::duration_ns(interval_ns),
            if is_looked_at(report) {
                format!("{} of a processor, ", percent(busy))
            } else {
                String::new()
            },
            units::count(change.started),
            units::count(change.ended)
        ));
    }
    page.paragraph(&Text::solid(Style::Strong, who).and(Style::Plain, rest + "."), 0);
}

/// False for what a recording has: counts, and no state of any thread.
fn is_looked_at(report: &ThreadReport) -> bool {
    let recorded = |thread: &ThreadEntry| thread.state == b'?';
    !report.groups.iter().all(|group| group.states.is_empty())
        || !report.threads.iter().all(recorded)
}

/// "412 loopers `work-*`: 412 threads + 412 eventfd + 412 epoll".
fn loopers(page: &mut Page, report: &ThreadReport) {
    let charset = page.form.charset;
    let shown = |group: &&ThreadGroup| group.loopers > 0 && group.eventfds > 0;
    for group in report.groups.iter().filter(shown) {
        let mut text = format!(
            "{} `{}`: {} + {} eventfd + {} epoll",
            units::count_of(group.loopers, "looper", "loopers"),
            charset.name(&group.pattern),
            units::count_of(group.count, "thread", "threads"),
            units::count(group.eventfds),
            units::count(group.epolls)
        );
        if group.others > 0 {
            text.push_str(&format!(" + {} others registered", units::count(group.others)));
        }
        page.paragraph(&Text::plain(text), 2);
    }
}

fn groups(page: &mut Page, report: &ThreadReport) {
    let charset = page.form.charset;
    let rows = report.groups.iter().map(|group| group_row(group, charset)).collect();
    let mut table = Table { columns: GROUPS.to_vec(), rows };
    if report.interval_ns.is_none() {
        table.remove("CHANGE");
        table.remove("BUSY");
    }
    if !is_looked_at(report) {
        ["STATE", "WAITS IN", "CPU", "BUSY", "AGE"].iter().for_each(|header| table.remove(header));
    }
    if report.groups.iter().all(|group| group.entry.is_none()) {
        table.remove("BEGAN IN");
    }
    if report.groups.iter().all(|group| group.epolls == 0) {
        table.remove("HOLDS");
    }
    lay_out(page, &table);
}

fn lay_out(page: &mut Page, table: &Table) {
    let laid = table.lay_out(page.form.width, page.form.charset);
    laid.lines.iter().for_each(|line| page.line(line));
    if !laid.dropped.is_empty() {
        let text = format!(
            "(no room for {}; a wider terminal and --json have all)",
            laid.dropped.join(", ")
        );
        page.paragraph(&Text::default().and(Style::Dim, text), 0);
    }
}

fn group_row(group: &ThreadGroup, charset: Charset) -> Vec<Cell> {
    let states: Vec<(String, u64)> =
        group.states.iter().map(|(state, count)| (state_word(*state), *count)).collect();
    vec![
        Cell::new(units::count(group.count)),
        Cell::styled(Style::Strong, charset.name(&group.pattern)),
        change(group.change),
        Cell::new(group.entry.as_deref().map_or_else(|| "-".to_owned(), |e| charset.symbol(e))),
        Cell::new(mixture(&states, group.count)),
        Cell::new(mixture(&group.doing, group.count)),
        Cell::new(units::duration_ns(group.cpu_ns)),
        Cell::new(group.cpu_cores.map_or_else(|| "-".to_owned(), percent)),
        Cell::new(ages(group.youngest_ns, group.oldest_ns)),
        Cell::new(holds(group)),
    ]
}

fn change(change: Option<Change>) -> Cell {
    match change.map(Change::net) {
        None | Some(0) => Cell::styled(Style::Dim, "0"),
        Some(more @ 1..) => Cell::styled(Style::Suspect, format!("+{}", units::count(more as u64))),
        Some(less) => Cell::new(format!("-{}", units::count(less.unsigned_abs()))),
    }
}

/// The most frequent word, with the share of the others: `epoll_wait`, `futex 410, read 2`, `futex 9, 4 others`.
fn mixture(words: &[(String, u64)], count: u64) -> String {
    match words {
        [] => "-".to_owned(),
        [(word, _)] => word.clone(),
        [(first, many), (second, few)] => {
            format!("{first} {}, {second} {}", units::count(*many), units::count(*few))
        }
        [(first, many), ..] => {
            format!("{first} {}, {} others", units::count(*many), units::count(count - many))
        }
    }
}

fn ages(youngest_ns: Option<u64>, oldest_ns: Option<u64>) -> String {
    match (youngest_ns.map(age), oldest_ns.map(age)) {
        (Some(young), Some(old)) if young == old => old,
        (Some(young), Some(old)) => format!("{young} to {old}"),
        _ => "-".to_owned(),
    }
}

/// Ages are known to a hundredth of a second: less is not shown.
fn age(ns: u64) -> String {
    units::duration_s((ns / 10_000_000) as f64 / 100.0)
}

fn holds(group: &ThreadGroup) -> String {
    let part =
        |count: u64, word: &str| (count > 0).then(|| format!("{} {word}", units::count(count)));
    let parts =
        [part(group.epolls, "epoll"), part(group.eventfds, "eventfd"), part(group.others, "other")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(" + ") }
}

fn every(page: &mut Page, report: &ThreadReport) {
    let charset = page.form.charset;
    let rows = report.threads.iter().map(|thread| thread_row(thread, charset)).collect();
    let mut table = Table { columns: THREADS.to_vec(), rows };
    if report.interval_ns.is_none() {
        table.remove("BUSY");
    }
    if report.threads.iter().all(|thread| thread.began_in().is_none()) {
        table.remove("BEGAN IN");
    }
    lay_out(page, &table);
}

fn thread_row(thread: &ThreadEntry, charset: Charset) -> Vec<Cell> {
    let (call, on) = match &thread.doing {
        Doing::Hidden => ("(hidden)".to_owned(), None),
        Doing::Running => ("(running)".to_owned(), None),
        Doing::Outside => ("(no call)".to_owned(), None),
        Doing::Call(call) => {
            let name = call.name.map_or_else(|| format!("call {}", call.number), str::to_owned);
            (name, call.on.as_ref())
        }
    };
    let on = on.map(|(fd, name)| format!("fd {fd} {}", charset.name(name)));
    let channel = thread.wait_channel.as_ref().map(|channel| charset.name(channel));
    let none = || "-".to_owned();
    let entry = thread.began_in().map(|entry| charset.symbol(&entry));
    vec![
        Cell::new(thread.tid.to_string()),
        Cell::styled(Style::Strong, charset.name(&thread.comm)),
        Cell::new(state_word(thread.state)),
        Cell::new(call),
        Cell::new(on.unwrap_or_else(none)),
        Cell::new(units::duration_ns(thread.cpu_ns)),
        Cell::new(thread.cpu_cores.map_or_else(none, percent)),
        Cell::new(thread.age_ns.map_or_else(none, age)),
        Cell::new(channel.unwrap_or_else(none)),
        Cell::new(entry.unwrap_or_else(none)),
    ]
}

fn stacks(page: &mut Page, report: &ThreadReport, rows: Rows) {
    match rows {
        Rows::Groups => report.groups.iter().for_each(|group| group_stacks(page, group)),
        Rows::Threads => {}
    }
    let wanted = |thread: &&ThreadEntry| {
        thread.kernel_stack.is_some() || rows == Rows::Threads && thread.stack.is_some()
    };
    let mut shown: Vec<&[fdscope_model::Name]> = Vec::new();
    for thread in report.threads.iter().filter(wanted) {
        let kernel = thread.kernel_stack.as_deref().unwrap_or_default();
        // In groups, a kernel stack is shown once with its first thread.
        if rows == Rows::Groups && shown.contains(&kernel) {
            continue;
        }
        shown.push(kernel);
        thread_stacks(page, report, thread, rows);
    }
}

fn thread_stacks(page: &mut Page, report: &ThreadReport, thread: &ThreadEntry, rows: Rows) {
    let charset = page.form.charset;
    let title = format!("Thread {} {}", thread.tid, charset.name(&thread.comm));
    let same = |other: &&ThreadEntry| other.kernel_stack == thread.kernel_stack;
    let siblings = report.threads.iter().filter(same).count() as u64 - 1;
    let note = match (rows, siblings) {
        (Rows::Threads, _) | (_, 0) => String::new(),
        (Rows::Groups, more) => {
            format!(" and {} with the same kernel stack", units::count_of(more, "other", "others"))
        }
    };
    page.gap();
    page.line(&Text::default().and(Style::Strong, title).and(Style::Dim, note));
    let kernel = thread.kernel_stack.as_deref().unwrap_or_default();
    for function in kernel.iter().take(KERNEL_FRAMES) {
        page.line(&Text::plain("    [kernel] ").and_solid(Style::Dim, charset.name(function)));
    }
    if kernel.len() > KERNEL_FRAMES {
        let more = units::count((kernel.len() - KERNEL_FRAMES) as u64);
        page.line(&Text::plain(format!("    [kernel] ({more} more)")));
    }
    if let (Rows::Threads, Some(own)) = (rows, &thread.stack) {
        for line in stack::lines(&own.frames, own.at, charset) {
            page.line(&Text::plain("  ").and_text(line));
        }
    }
}

fn group_stacks(page: &mut Page, group: &ThreadGroup) {
    let charset = page.form.charset;
    for (found, count) in group.stacks.iter().take(STACKS) {
        page.gap();
        let title = format!(
            "{} `{}`",
            units::count_of(*count, "thread", "threads"),
            charset.name(&group.pattern)
        );
        let end =
            if found.truncated { " (the stack could not be followed to its end)" } else { "" };
        page.line(&Text::default().and(Style::Strong, title).and(Style::Dim, end));
        for line in stack::lines(&found.frames, found.at, charset) {
            page.line(&Text::plain("  ").and_text(line));
        }
    }
    let rest: u64 = group.stacks.iter().skip(STACKS).map(|(_, count)| count).sum();
    if rest > 0 {
        let rest = units::count_of(rest, "thread has another stack", "threads have other stacks");
        page.line(&Text::default().and(Style::Dim, format!("  ({rest}; --all shows every one)")));
    }
}

/// Functions that are named of threads that nobody joined.
const STARTS: usize = 6;

fn unjoined(page: &mut Page, report: &ThreadReport) {
    let charset = page.form.charset;
    if report.unjoined.is_empty() {
        return;
    }
    heading(page, "Exited, never joined");
    for row in &report.unjoined {
        let Unjoined { stack_bytes, count, exact, grown } = *row;
        let least = if exact { "" } else { "at least " };
        let threads = units::count_of(count, "exited thread", "exited threads");
        let keeps = if count == 1 { "keeps" } else { "keep" };
        let total = units::bytes(count.saturating_mul(stack_bytes));
        let mut text = format!(
            " that nobody joined {keeps} {total} of address space mapped, {} each",
            units::bytes(stack_bytes)
        );
        if let Some(grown) = grown.filter(|grown| *grown != 0) {
            text.push_str(&format!(" ({grown:+} since the reading before)"));
        }
        let head = Text::default().and(Style::Suspect, format!("{least}{threads}"));
        bullet(page, head.and(Style::Plain, text));
    }
    for (start, count) in report.unjoined_in.iter().take(STARTS) {
        let began = units::count_of(*count, "thread that ended began", "threads that ended began");
        let function = charset.symbol(&start_name(start));
        let place = site::line(start, charset).map(|line| format!(" {line}")).unwrap_or_default();
        let text = format!("{began} in {function}{place}: libc's own list still has them");
        bullet(page, Text::plain(text));
    }
    let cure = "pthread_join() each of them, or start them detached: every one costs two mappings \
                of vm.max_map_count, and thread creation fails once that is reached";
    bullet(page, Text::default().and(Style::Dim, cure));
}

const LIMITS: &[Column] = &[
    Column::left("LIMIT"),
    Column::right("USED"),
    Column::right("OF"),
    Column::right("SHARE"),
    Column::right("GROWTH"),
    Column::right("REACHED IN"),
];

fn limits(page: &mut Page, report: &ThreadReport) {
    if report.limits.is_empty() {
        return;
    }
    page.gap();
    let row = |row: &fdscope_model::thread::ThreadLimit| {
        let limit = row.limit;
        let unlimited = limit.value == u64::MAX;
        let value = if unlimited { "unlimited".to_owned() } else { units::count(limit.value) };
        let share = if unlimited { "-".to_owned() } else { units::share(limit.used, limit.value) };
        let reached = row.reached_in_s.map_or_else(|| "-".to_owned(), units::duration_s);
        let style = if row.reached_in_s.is_some() { Style::Suspect } else { Style::Plain };
        vec![
            Cell::new(limit.name.word()),
            Cell::new(units::count(limit.used)),
            Cell::new(value),
            Cell::new(share),
            Cell::new(row.per_s.map_or_else(|| "-".to_owned(), units::signed_rate)),
            Cell::styled(style, reached),
        ]
    };
    let rows = report.limits.iter().map(row).collect();
    let mut table = Table { columns: LIMITS.to_vec(), rows };
    if report.interval_ns.is_none() {
        table.remove("GROWTH");
        table.remove("REACHED IN");
    }
    lay_out(page, &table);
}

fn unseen(page: &mut Page, report: &ThreadReport) {
    if report.blind.is_empty() && report.faults.is_empty() {
        return;
    }
    heading(page, "Not seen");
    let charset = page.form.charset;
    for blind in &report.blind {
        let cure = blind.cure.as_deref().map(|cure| format!("; {cure}")).unwrap_or_default();
        let text = format!("{}: {}{cure}", blind.what, blind.why);
        bullet(page, Text::plain(charset.sentence(&text)));
    }
    for fault in &report.faults {
        bullet(page, Text::plain(charset.sentence(&fault.to_string())));
    }
}

/// A share of processors: `35 %`, `250 %` for two and a half.
fn percent(cores: f64) -> String {
    let per_cent = cores * 100.0;
    match per_cent {
        p if p <= 0.0 => "0 %".to_owned(),
        p if p < 1.0 => "<1 %".to_owned(),
        p => format!("{p:.0} %"),
    }
}

/// The kernel's letter as a word.
fn state_word(state: u8) -> String {
    let word = crate::threads::state_word(state).map(str::to_owned);
    word.unwrap_or_else(|| fdscope_model::name::escape(&[state]))
}
