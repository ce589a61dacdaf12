//! Threads chosen by a filter, and as a plain table: the filter and columns of every listing.

use std::io::{IsTerminal, Write};
use std::rc::Rc;

use anyhow::Result;
use fdscope_analyze::group_threads;
use fdscope_model::thread::ThreadReport;
use fdscope_render::column::{Column, Needs, Order, choose, sort_order};
use fdscope_render::filter::{self, Expr};
use fdscope_render::groups::Groups;
use fdscope_render::mistake::Mistake;
use fdscope_render::sheet::{KeepColumns, Sheet};
use fdscope_render::threads::{STACKS, THREADS, TWICE, ThreadRow, initial};
use fdscope_render::units::{count, count_of};

use crate::args::Threads;
use crate::ending::{Ending, Failure};
use crate::terminal;

/// What was typed of filters and columns, understood.
pub struct Query {
    filters: Vec<Expr<ThreadRow>>,
    columns: Option<Vec<&'static Column<ThreadRow>>>,
    sort: Option<(&'static Column<ThreadRow>, Order)>,
    groups: Option<Vec<&'static Column<ThreadRow>>>,
}

fn wrong(option: &str, mistake: &Mistake) -> anyhow::Error {
    Failure::new(Ending::Usage, format!("{option}: {mistake}")).into()
}

impl Query {
    /// Of the command line.
    ///
    /// # Errors
    /// With the place, for a wrong word; or if what it needs was not asked for.
    pub fn of(arguments: &Threads) -> Result<Query> {
        let parse = |text: &String| filter::parse(THREADS, text).map_err(|m| wrong("--filter", &m));
        let filters = arguments.filters.iter().map(parse).collect::<Result<_>>()?;
        let list = |option, text: &Option<String>| {
            let chosen = text.as_ref().map(|text| choose(THREADS, &initial(), text));
            chosen.transpose().map_err(|mistake| wrong(option, &mistake))
        };
        let sort = arguments.sort.as_ref().map(|text| sort_order(THREADS, text));
        let query = Query {
            filters,
            columns: list("--columns", &arguments.columns)?,
            sort: sort.transpose().map_err(|mistake| wrong("--sort", &mistake))?,
            groups: list("--group-by", &arguments.group_by)?,
        };
        let needs = query.needs();
        if needs.has(TWICE) && arguments.interval.is_none() && !arguments.watch {
            return Err(Failure::new(Ending::Usage, "busy and new compare two readings")
                .cure("add --interval 5s")
                .into());
        }
        if needs.has(STACKS) && !arguments.stack {
            return Err(Failure::new(Ending::Usage, "site needs stacks")
                .cure("add --stack")
                .into());
        }
        Ok(query)
    }

    fn needs(&self) -> Needs {
        // With `all`, what was not asked for is empty.
        let all = |columns: &&Vec<&'static Column<ThreadRow>>| columns.len() < THREADS.all.len();
        let shown = self.columns.iter().filter(all).chain(&self.groups).flatten();
        let shown = shown.fold(Needs::NONE, |needs, column| needs.and(column.needs));
        let asked = self.filters.iter().fold(shown, |needs, filter| needs.and(filter.needs()));
        self.sort.map_or(asked, |(column, _)| asked.and(column.needs))
    }

    /// True if a plain table was asked for.
    pub fn is_plain(&self) -> bool {
        self.columns.is_some() || self.sort.is_some() || self.groups.is_some()
    }

    /// Leaves out the threads that do not match, and says how many do.
    pub fn narrow(&self, report: &mut ThreadReport) {
        if self.filters.is_empty() {
            return;
        }
        let all = report.threads.len() as u64;
        let process = Rc::new(report.process.clone());
        report.threads.retain(|thread| {
            let entry = thread.began_in();
            let row = ThreadRow { process: Rc::clone(&process), thread: thread.clone(), entry };
            self.filters.iter().all(|filter| filter.matches(&row))
        });
        report.groups = group_threads(&report.threads, &[]);
        let (matching, all) =
            (count(report.threads.len() as u64), count_of(all, "thread", "threads"));
        eprintln!("fdscope: {matching} of {all} of process {} match", report.process.id.pid);
    }

    /// The plain table, or the counts.
    ///
    /// # Errors
    /// If `out` does not take it.
    pub fn write(
        &self,
        reports: &[ThreadReport],
        arguments: &Threads,
        out: &mut dyn Write,
    ) -> Result<()> {
        let form = terminal::form(arguments.color);
        if let Some(columns) = &self.groups {
            let mut groups = Groups::new(columns.clone(), form.charset);
            rows(reports).for_each(|row| groups.push(&row));
            return Ok(groups.write(form, true, out)?);
        }
        let columns = self.columns.clone().unwrap_or_else(initial);
        let mut sheet = Sheet::new(columns, form.charset, self.sort);
        rows(reports).for_each(|row| sheet.push(&row));
        let narrow = arguments.columns.is_none() && std::io::stdout().is_terminal();
        let keep = if narrow { KeepColumns::Fitting } else { KeepColumns::All };
        let left_out = sheet.write(form, keep, true, out)?;
        if !left_out.is_empty() {
            eprintln!("fdscope: no room for {}; -o shows them", left_out.join(", "));
        }
        Ok(())
    }
}

fn rows(reports: &[ThreadReport]) -> impl Iterator<Item = ThreadRow> + '_ {
    reports.iter().flat_map(|report| {
        let process = Rc::new(report.process.clone());
        report.threads.iter().map(move |thread| ThreadRow {
            process: Rc::clone(&process),
            entry: thread.began_in(),
            thread: thread.clone(),
        })
    })
}

/// The columns, a line each.
///
/// # Errors
/// If standard output does not take them.
pub fn list_columns() -> Result<()> {
    let mut out = std::io::stdout().lock();
    for column in THREADS.all {
        writeln!(out, "{:<12} {:<8} {}", column.name, column.class.word(), column.help)?;
    }
    Ok(())
}
