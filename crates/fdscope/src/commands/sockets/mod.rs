//! `fdscope sockets`: every socket of every network namespace, with who holds it, or why nobody does.
//!
//! [`query`] understands what was typed, [`listing`] shows one look, [`watch`] look after look, [`summary`] the kernel's
//! own counts, [`findings`] what is wrong.

mod findings;
mod listing;
mod lore;
mod query;
pub mod summary;
mod watch;

use std::io::{IsTerminal, Write};

use fdscope_analyze::{SocketLimits, SocketTally};
use fdscope_proc::ProcRoot;
use fdscope_proc::net::Survey;
use fdscope_render::column::{Column, Needs};
use fdscope_render::sockets::{AGES, DETAIL, OWNERS, PEERS, SOCKETS, SocketRow};
use fdscope_render::units::count_of;

use crate::Done;
use crate::args::Sockets;
use crate::ending::{Ending, Failure};
use crate::inventories::Surveyor;
use crate::machine;
use crate::past::{self, Past};
use lore::Lore;
use query::{Query, asked};
use watch::Pace;

/// Runs the command.
pub fn run(sockets: &Sockets) -> Done {
    if sockets.list_columns {
        return list_columns();
    }
    let (pace, first_word) = Pace::of(sockets)?;
    if pace.is_none()
        && let Some((file, filter)) = past::recording(&sockets.filter)
    {
        return of_recording(sockets, file, filter);
    }
    past::refuse(&sockets.span)?;
    if sockets.summary && !sockets.filter.is_empty() && pace.is_none() {
        let what = "--summary is of all sockets, and cannot be used with a filter";
        return Err(Failure::new(Ending::Usage, what).into());
    }
    let root = ProcRoot::open()?;
    let mut surveyor = Surveyor::new(root.clone());
    if sockets.summary {
        return match pace {
            Some(pace) => summary::watch(&root, &mut surveyor, sockets, pace),
            None => summary::run(&root, &mut surveyor, sockets.json),
        };
    }
    let query = Query::of(sockets, first_word, &sockets.filter)?;
    if let Some(pace) = pace {
        return watch::run(&root, &mut surveyor, sockets, &query, pace);
    }
    let more = match () {
        () if sockets.findings => DETAIL.and(OWNERS),
        () if sockets.tree => OWNERS.and(PEERS),
        () => Needs::NONE,
    };
    let needs = query.needs().and(more);
    let (detail, owners) = asked(needs);
    let survey = surveyor.take(detail, owners)?;
    let mut lore = Lore::default();
    lore.learn(&root, needs, &survey);
    let faults: Vec<String> = survey.faults.iter().map(ToString::to_string).collect();
    let look = Look {
        query: &query,
        rows: Rows::Now(&survey, &lore),
        limits: findings::limits(&root),
        unreadable: survey.unreadable,
        faults: &faults,
        head: &head(),
    };
    show(sockets, look)
}

/// The sockets that recorded processes held.
fn of_recording(sockets: &Sockets, file: &str, filter: &[String]) -> Done {
    let query = Query::of(sockets, None, filter)?;
    let mut past = Past::open(file, &sockets.span)?;
    if sockets.summary {
        past.say(&[]);
        return summary::of_recording(&past, sockets.json);
    }
    let is_missing =
        |column: &Column<SocketRow>| column.needs.has(DETAIL) && !column.needs.has(AGES);
    let asked = sockets.columns.is_some() && query.columns.iter().any(|column| is_missing(column));
    past.say(if asked { &["queues, timers, memory and times of sockets"] } else { &[] });
    let rows = past.sockets();
    let look = Look {
        query: &query,
        rows: Rows::Then(&rows),
        limits: SocketLimits::default(),
        unreadable: 0,
        faults: &[],
        head: &head_of(past.machine(), past.wall_ns()),
    };
    show(sockets, look)
}

fn show(sockets: &Sockets, look: Look<'_>) -> Done {
    if sockets.findings {
        return find(look, sockets.json);
    }
    let rows = match (&look.query.groups, sockets.count) {
        (_, true) => listing::count(sockets, look)?,
        (Some(columns), _) => listing::grouped(sockets, look, columns.clone())?,
        (None, _) if sockets.tree => listing::tree(sockets, look)?,
        (None, _) if sockets.json => listing::objects(look)?,
        (None, _) => listing::table(sockets, look)?,
    };
    said(look.unreadable, look.faults);
    if rows == 0 && !sockets.count {
        eprintln!("fdscope: no socket matches");
    } else if std::io::stdout().is_terminal() && look.query.groups.is_none() {
        eprintln!("next: fdscope sockets --group-by protocol,state,comm   the same, counted");
    }
    Ok(Ending::Done)
}

/// Where rows come from.
#[derive(Clone, Copy)]
enum Rows<'a> {
    /// The kernel.
    Now(&'a Survey, &'a Lore),
    /// A recording.
    Then(&'a [SocketRow]),
}

/// One look, and what was typed.
#[derive(Clone, Copy)]
struct Look<'a> {
    query: &'a Query,
    rows: Rows<'a>,
    limits: SocketLimits,
    unreadable: u64,
    faults: &'a [String],
    /// The keys that every object begins with.
    head: &'a str,
}

impl<'a> Look<'a> {
    /// Every row, whether it matches or not.
    fn all(self) -> Box<dyn Iterator<Item = SocketRow> + 'a> {
        match self.rows {
            Rows::Now(survey, lore) => Box::new(query::all(survey, lore)),
            Rows::Then(rows) => Box::new(rows.iter().cloned()),
        }
    }

    /// The rows that match.
    fn rows(self) -> impl Iterator<Item = SocketRow> + 'a {
        self.all().filter(|row| self.query.matches(row))
    }
}

/// The keys that every object of this command begins with, without braces.
fn head() -> String {
    head_of(&machine::describe(), fdscope_sys::clock::wall_now_ns())
}

fn head_of(machine: &str, now: u64) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let machine = fdscope_model::name::escape(machine.as_bytes());
    format!(
        "\"schema\":\"fdscope/sockets/1\",\"fdscope\":\"{version}\",\"machine\":\"{machine}\",\
         \"taken_at_ns\":{now}"
    )
}

/// What is wrong with the sockets that match, and nothing else.
fn find(look: Look<'_>, json: bool) -> Done {
    let mut tally = SocketTally::new(look.limits);
    look.rows().for_each(|row| findings::note(&mut tally, &row));
    let found = tally.findings();
    let mut out = std::io::stdout().lock();
    if json {
        let mut bytes = format!("{{{},\"findings\":", look.head).into_bytes();
        fdscope_render::findings::json(&found, &mut bytes);
        bytes.extend(b"}\n");
        out.write_all(&bytes)?;
    } else {
        out.write_all(fdscope_render::findings::text(&found).as_bytes())?;
    }
    out.flush()?;
    said(look.unreadable, look.faults);
    if found.is_empty() {
        let seen = if look.unreadable > 0 { ", as far as they may be seen" } else { "" };
        eprintln!("fdscope: nothing is wrong with these sockets that the rules know of{seen}");
    }
    Ok(Ending::Done)
}

/// What could not be read, counted: a line each.
fn gaps(unreadable: u64, faults: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    if unreadable > 0 {
        let processes = count_of(unreadable, "process", "processes");
        lines.push(format!(
            "fdscope: descriptors of {processes} may not be read, so that their sockets show no owner; run with sudo"
        ));
    }
    lines.extend(faults.iter().take(3).map(|fault| format!("fdscope: {fault}")));
    if faults.len() > 3 {
        lines.push(format!("fdscope: {} more like these", faults.len() - 3));
    }
    lines
}

fn said(unreadable: u64, faults: &[String]) {
    gaps(unreadable, faults).iter().for_each(|line| eprintln!("{line}"));
}

/// The same of a survey.
fn gaps_of(survey: &Survey) -> Vec<String> {
    let faults: Vec<String> = survey.faults.iter().map(ToString::to_string).collect();
    gaps(survey.unreadable, &faults)
}

fn list_columns() -> Done {
    let mut out = std::io::stdout().lock();
    for column in SOCKETS.all {
        writeln!(out, "{:<12} {:<8} {}", column.name, column.class.word(), column.help)?;
    }
    Ok(Ending::Done)
}
