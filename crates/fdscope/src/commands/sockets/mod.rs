//! `fdscope sockets`: every socket of every network namespace, with who holds it, or why nobody does.

mod findings;
mod summary;

use std::io::{BufWriter, IsTerminal, Write};

use anyhow::Result;
use fdscope_analyze::{SocketLimits, SocketTally};
use fdscope_proc::ProcRoot;
use fdscope_proc::net::{Detail, Owners, Survey, Surveyed};
use fdscope_render::column::{Column, Needs, Order, choose, sort_order, write_json, write_object};
use fdscope_render::filter::{self, Expr};
use fdscope_render::groups::Groups;
use fdscope_render::mistake::Mistake;
use fdscope_render::sheet::{KeepColumns, Sheet};
use fdscope_render::sockets::{DETAIL, OWNERS, SOCKETS, SocketRow, initial};
use fdscope_render::units::count_of;

use crate::Done;
use crate::args::Sockets;
use crate::ending::{Ending, Failure};
use crate::past::{self, Past};
use crate::{machine, terminal};

/// What was typed, understood.
struct Query {
    filter: Option<Expr<SocketRow>>,
    columns: Vec<&'static Column<SocketRow>>,
    sort: Option<(&'static Column<SocketRow>, Order)>,
    groups: Option<Vec<&'static Column<SocketRow>>>,
}

/// Runs the command.
pub fn run(sockets: &Sockets) -> Done {
    if sockets.list_columns {
        return list_columns();
    }
    if let Some((file, filter)) = past::recording(&sockets.filter) {
        return of_recording(sockets, file, filter);
    }
    past::refuse(&sockets.span)?;
    let root = ProcRoot::open()?;
    if sockets.summary {
        return summary::run(&root, sockets.json);
    }
    let query = Query::of(sockets, &sockets.filter)?;
    let needs = query.needs().and(if sockets.findings { DETAIL.and(OWNERS) } else { Needs::NONE });
    let detail = if needs.has(DETAIL) { Detail::Everything } else { Detail::Ends };
    let owners = if needs.has(OWNERS) { Owners::All } else { Owners::Unasked };
    let survey = Survey::take(&root, detail, owners)?;
    let seen = Seen {
        rows: rows_of(&survey).filter(|row| query.matches(row)).collect(),
        limits: findings::limits(&root),
        unreadable: survey.unreadable,
        faults: survey.faults.iter().map(ToString::to_string).collect(),
        head: head(&machine::describe(), fdscope_sys::clock::wall_now_ns()),
    };
    show(sockets, query, seen)
}

/// The sockets that recorded processes held.
fn of_recording(sockets: &Sockets, file: &str, filter: &[String]) -> Done {
    let query = Query::of(sockets, filter)?;
    let past = Past::open(file, &sockets.span)?;
    let asked = sockets.columns.is_some() && query.needs().has(DETAIL);
    let seen = Seen {
        rows: past.sockets().into_iter().filter(|row| query.matches(row)).collect(),
        limits: SocketLimits { ports: None, orphans: None },
        unreadable: 0,
        faults: Vec::new(),
        head: head(past.machine(), past.wall_ns()),
    };
    past.say(if asked { &["queues, timers, memory and times of sockets"] } else { &[] });
    show(sockets, query, seen)
}

/// What was seen, filtered.
struct Seen {
    rows: Vec<SocketRow>,
    limits: SocketLimits,
    unreadable: u64,
    faults: Vec<String>,
    /// The keys that every object begins with.
    head: String,
}

fn show(sockets: &Sockets, query: Query, seen: Seen) -> Done {
    if sockets.findings {
        return find(seen, sockets.json);
    }
    let rows = match (&query.groups, sockets.count) {
        (_, true) => count(sockets, &seen)?,
        (Some(columns), _) => grouped(sockets, columns.clone(), &seen)?,
        (None, _) if sockets.json => objects(&query, &seen)?,
        (None, _) => table(sockets, &query, &seen)?,
    };
    said(seen.unreadable, &seen.faults);
    if rows == 0 && !sockets.count {
        eprintln!("fdscope: no socket matches");
    } else if std::io::stdout().is_terminal() && query.groups.is_none() {
        eprintln!("next: fdscope sockets --group-by protocol,state,comm   the same, counted");
    }
    Ok(Ending::Done)
}

fn wrong(option: &str, mistake: &Mistake) -> anyhow::Error {
    Failure::new(Ending::Usage, format!("{option}: {mistake}")).into()
}

impl Query {
    fn of(sockets: &Sockets, filter: &[String]) -> Result<Query> {
        let typed = filter.join(" ");
        let parse = |text: &str| filter::parse(SOCKETS, text).map_err(|m| wrong("filter", &m));
        let filter = (!typed.trim().is_empty()).then(|| parse(&typed)).transpose()?;
        let list = |option, text: &Option<String>, first: &[&'static Column<SocketRow>]| {
            let chosen = text.as_ref().map(|text| choose(SOCKETS, first, text));
            chosen.transpose().map_err(|mistake| wrong(option, &mistake))
        };
        let first = if sockets.json { SOCKETS.all.iter().collect() } else { initial() };
        let columns = list("--columns", &sockets.columns, &first)?.unwrap_or(first);
        let groups = list("--group-by", &sockets.group_by, &[])?;
        let sort = sockets.sort.as_ref().map(|text| sort_order(SOCKETS, text));
        let sort = sort.transpose().map_err(|mistake| wrong("--sort", &mistake))?;
        Ok(Query { filter, columns, sort, groups })
    }

    fn needs(&self) -> Needs {
        let shown = self.groups.as_ref().unwrap_or(&self.columns).iter();
        let shown = shown.fold(Needs::NONE, |needs, column| needs.and(column.needs));
        let sorted = self.sort.map_or(Needs::NONE, |(column, _)| column.needs);
        let asked = self.filter.as_ref().map_or(Needs::NONE, Expr::needs);
        shown.and(sorted).and(asked)
    }

    fn matches(&self, row: &SocketRow) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(row))
    }
}

fn rows_of(survey: &Survey) -> impl Iterator<Item = SocketRow> + '_ {
    survey.sockets().map(|Surveyed { socket, owners, unheld, keepers }| SocketRow {
        socket,
        owners: owners.to_vec(),
        unheld,
        keepers,
    })
}

fn table(sockets: &Sockets, query: &Query, seen: &Seen) -> Result<usize> {
    let form = terminal::form(sockets.color);
    let mut sheet = Sheet::new(query.columns.clone(), form.charset, query.sort);
    seen.rows.iter().for_each(|row| sheet.push(row));
    let narrow = sockets.columns.is_none() && std::io::stdout().is_terminal();
    let keep = if narrow { KeepColumns::Fitting } else { KeepColumns::All };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let left_out = sheet.write(form, keep, !sockets.no_header, &mut out)?;
    out.flush()?;
    if !left_out.is_empty() {
        eprintln!("fdscope: no room for {}; -o shows them", left_out.join(", "));
    }
    Ok(sheet.len())
}

fn count(sockets: &Sockets, seen: &Seen) -> Result<usize> {
    let count = seen.rows.len();
    let mut out = std::io::stdout().lock();
    match sockets.json {
        true => writeln!(out, "{{{},\"count\":{count}}}", seen.head)?,
        false => writeln!(out, "{count}")?,
    }
    Ok(count)
}

fn grouped(
    sockets: &Sockets,
    columns: Vec<&'static Column<SocketRow>>,
    seen: &Seen,
) -> Result<usize> {
    let form = terminal::form(sockets.color);
    let mut groups = Groups::new(columns, form.charset);
    seen.rows.iter().for_each(|row| groups.push(row));
    let mut out = BufWriter::new(std::io::stdout().lock());
    if sockets.json {
        let mut bytes = format!("{{{},\"groups\":", seen.head).into_bytes();
        groups.write_json(&mut bytes);
        bytes.extend(b"}\n");
        out.write_all(&bytes)?;
    } else {
        groups.write(form, !sockets.no_header, &mut out)?;
    }
    out.flush()?;
    Ok(seen.rows.len())
}

/// The keys that every object of this command begins with, without braces.
fn head(machine: &str, now: u64) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let machine = fdscope_model::name::escape(machine.as_bytes());
    format!(
        "\"schema\":\"fdscope/sockets/1\",\"fdscope\":\"{version}\",\"machine\":\"{machine}\",\
         \"taken_at_ns\":{now}"
    )
}

/// What is wrong with the sockets that match, and nothing else.
fn find(seen: Seen, json: bool) -> Done {
    let mut tally = SocketTally::new(seen.limits);
    seen.rows.iter().for_each(|row| findings::note(&mut tally, row));
    let found = tally.findings();
    let mut out = std::io::stdout().lock();
    if json {
        let mut bytes = format!("{{{},\"findings\":", seen.head).into_bytes();
        fdscope_render::findings::json(&found, &mut bytes);
        bytes.extend(b"}\n");
        out.write_all(&bytes)?;
    } else {
        out.write_all(fdscope_render::findings::text(&found).as_bytes())?;
    }
    out.flush()?;
    said(seen.unreadable, &seen.faults);
    if found.is_empty() {
        let seen = if seen.unreadable > 0 { ", as far as they may be seen" } else { "" };
        eprintln!("fdscope: nothing is wrong with these sockets that the rules know of{seen}");
    }
    Ok(Ending::Done)
}

fn objects(query: &Query, seen: &Seen) -> Result<usize> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    write!(out, "{{{},\"unreadable_processes\":{},\"faults\":", seen.head, seen.unreadable)?;
    let mut buffer = Vec::new();
    write_json(&seen.faults, &mut buffer);
    out.write_all(&buffer)?;
    write!(out, ",\"sockets\":[")?;
    let mut rows = 0;
    let mut tally = SocketTally::new(seen.limits);
    for row in &seen.rows {
        findings::note(&mut tally, row);
        buffer.clear();
        if rows > 0 {
            buffer.push(b',');
        }
        write_object(&query.columns, row, &mut buffer);
        out.write_all(&buffer)?;
        rows += 1;
    }
    buffer.clear();
    fdscope_render::findings::json(&tally.findings(), &mut buffer);
    out.write_all(b"],\"findings\":")?;
    out.write_all(&buffer)?;
    writeln!(out, "}}")?;
    out.flush()?;
    Ok(rows)
}

/// What could not be read, counted.
fn said(unreadable: u64, faults: &[String]) {
    if unreadable > 0 {
        let processes = count_of(unreadable, "process", "processes");
        eprintln!(
            "fdscope: descriptors of {processes} may not be read, so that their sockets show no owner; run with sudo"
        );
    }
    for fault in faults.iter().take(3) {
        eprintln!("fdscope: {fault}");
    }
    if faults.len() > 3 {
        eprintln!("fdscope: {} more like these", faults.len() - 3);
    }
}

fn list_columns() -> Done {
    let mut out = std::io::stdout().lock();
    for column in SOCKETS.all {
        writeln!(out, "{:<12} {:<8} {}", column.name, column.class.word(), column.help)?;
    }
    Ok(Ending::Done)
}
