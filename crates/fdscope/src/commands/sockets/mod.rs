//! `fdscope sockets`: every socket of every network namespace, with who holds it, or why nobody does.
//!
//! [`query`] understands what was typed, [`listing`] shows one look, [`watch`] look after look, [`summary`] the kernel's
//! own counts, [`findings`] what is wrong.

mod findings;
mod listing;
mod lore;
mod query;
mod summary;
mod watch;

use std::io::{IsTerminal, Write};

use fdscope_analyze::SocketTally;
use fdscope_proc::ProcRoot;
use fdscope_proc::net::Survey;
use fdscope_render::column::Needs;
use fdscope_render::sockets::{DETAIL, OWNERS, PEERS, SOCKETS, SocketRow};
use fdscope_render::units::count_of;

use crate::Done;
use crate::args::Sockets;
use crate::ending::Ending;
use crate::inventories::Surveyor;
use crate::machine;
use lore::Lore;
use query::{Query, asked};
use watch::Pace;

/// Runs the command.
pub fn run(sockets: &Sockets) -> Done {
    if sockets.list_columns {
        return list_columns();
    }
    let root = ProcRoot::open()?;
    let mut surveyor = Surveyor::new(root.clone());
    let (pace, first_word) = Pace::of(sockets)?;
    if sockets.summary {
        return match pace {
            Some(pace) => summary::watch(&root, &mut surveyor, sockets, pace),
            None => summary::run(&root, &mut surveyor, sockets.json),
        };
    }
    let query = Query::of(sockets, first_word)?;
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
    let look = Look { query: &query, survey: &survey, lore: &lore };
    if sockets.findings {
        return find(&root, look, sockets.json);
    }
    let rows = match (&query.groups, sockets.count) {
        (_, true) => listing::count(sockets, look)?,
        (Some(columns), _) => listing::grouped(sockets, look, columns.clone())?,
        (None, _) if sockets.tree => listing::tree(sockets, look)?,
        (None, _) if sockets.json => listing::objects(&root, look)?,
        (None, _) => listing::table(sockets, look)?,
    };
    said(&survey);
    if rows == 0 && !sockets.count {
        eprintln!("fdscope: no socket matches");
    } else if std::io::stdout().is_terminal() && query.groups.is_none() {
        eprintln!("next: fdscope sockets --group-by protocol,state,comm   the same, counted");
    }
    Ok(Ending::Done)
}

/// One look, and what was typed.
#[derive(Clone, Copy)]
struct Look<'a> {
    query: &'a Query,
    survey: &'a Survey,
    lore: &'a Lore,
}

impl<'a> Look<'a> {
    /// The rows that match.
    fn rows(self) -> impl Iterator<Item = SocketRow> + 'a {
        self.query.rows(self.survey, self.lore)
    }
}

/// The keys that every object of this command begins with, without braces.
fn head() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let machine = fdscope_model::name::escape(machine::describe().as_bytes());
    let now = fdscope_sys::clock::wall_now_ns();
    format!(
        "\"schema\":\"fdscope/sockets/1\",\"fdscope\":\"{version}\",\"machine\":\"{machine}\",\
         \"taken_at_ns\":{now}"
    )
}

/// What is wrong with the sockets that match, and nothing else.
fn find(root: &ProcRoot, look: Look<'_>, json: bool) -> Done {
    let survey = look.survey;
    let mut tally = SocketTally::new(findings::limits(root));
    look.rows().for_each(|row| findings::note(&mut tally, &row));
    let found = tally.findings();
    let mut out = std::io::stdout().lock();
    if json {
        let mut bytes = format!("{{{},\"findings\":", head()).into_bytes();
        fdscope_render::findings::json(&found, &mut bytes);
        bytes.extend(b"}\n");
        out.write_all(&bytes)?;
    } else {
        out.write_all(fdscope_render::findings::text(&found).as_bytes())?;
    }
    out.flush()?;
    said(survey);
    if found.is_empty() {
        let seen = if survey.unreadable > 0 { ", as far as they may be seen" } else { "" };
        eprintln!("fdscope: nothing is wrong with these sockets that the rules know of{seen}");
    }
    Ok(Ending::Done)
}

/// What could not be read, counted: a line each.
fn gaps(survey: &Survey) -> Vec<String> {
    let mut lines = Vec::new();
    if survey.unreadable > 0 {
        let processes = count_of(survey.unreadable, "process", "processes");
        lines.push(format!(
            "fdscope: descriptors of {processes} may not be read, so that their sockets show no owner; run with sudo"
        ));
    }
    lines.extend(survey.faults.iter().take(3).map(|fault| format!("fdscope: {fault}")));
    if survey.faults.len() > 3 {
        lines.push(format!("fdscope: {} more like these", survey.faults.len() - 3));
    }
    lines
}

fn said(survey: &Survey) {
    gaps(survey).iter().for_each(|line| eprintln!("{line}"));
}

fn list_columns() -> Done {
    let mut out = std::io::stdout().lock();
    for column in SOCKETS.all {
        writeln!(out, "{:<12} {:<8} {}", column.name, column.class.word(), column.help)?;
    }
    Ok(Ending::Done)
}
