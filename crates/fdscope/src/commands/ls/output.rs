//! Where rows go: a table, a tree, counts, JSON.

use std::io::{BufWriter, IsTerminal, Stdout, Write};

use anyhow::Result;
use fdscope_render::column::{Column, Order, Value, write_object};
use fdscope_render::groups::Groups;
use fdscope_render::handles::object::{Head, Tail};
use fdscope_render::handles::{HANDLES, HandleRow, tree};
use fdscope_render::sheet::{KeepColumns, Sheet};
use fdscope_render::{Charset, Form};

use super::faults::Faults;
use super::query::Query;
use crate::args::Ls;
use crate::{machine, terminal};

/// Rows on their way.
pub struct Output {
    out: BufWriter<Stdout>,
    form: Form,
    rows: u64,
    way: Way,
}

/// In which form.
enum Way {
    Table(Sheet<HandleRow>),
    Count { json: bool },
    Groups { groups: Groups<HandleRow>, json: bool },
    Tree(Vec<HandleRow>),
    Objects(Objects),
}

/// Handles as JSON: written as they come, or kept to be sorted.
struct Objects {
    columns: Vec<&'static Column<HandleRow>>,
    sort: Option<(&'static Column<HandleRow>, Order)>,
    /// A line for each, or elements of one list.
    lines: bool,
    kept: Vec<(Value<'static>, Vec<u8>)>,
    buffer: Vec<u8>,
    written: u64,
}

impl Output {
    /// The output that the options ask for. JSON begins at once.
    ///
    /// # Errors
    /// If standard output does not take the beginning.
    pub fn of(ls: &Ls, query: &Query, head: Head) -> Result<Self> {
        let form = terminal::form(ls.color);
        let mut out = BufWriter::with_capacity(64 * 1024, std::io::stdout());
        let json = ls.json || ls.jsonl;
        let charset = if json { Charset::Utf8 } else { form.charset };
        let columns = query.columns.clone();
        let way = if ls.count {
            Way::Count { json }
        } else if ls.group_by.is_some() {
            Way::Groups { groups: Groups::new(columns, charset), json }
        } else if ls.tree {
            Way::Tree(Vec::new())
        } else if json {
            let (sort, lines) = (query.sort, ls.jsonl);
            let (kept, buffer) = (Vec::new(), Vec::new());
            Way::Objects(Objects { columns, sort, lines, kept, buffer, written: 0 })
        } else {
            Way::Table(Sheet::new(columns, charset, query.sort))
        };
        if json {
            let mut text = Vec::new();
            if ls.jsonl {
                head.line(&mut text);
            } else {
                head.open(&mut text);
                text.extend(if matches!(way, Way::Objects(_)) { &b"["[..] } else { b"null" });
            }
            out.write_all(&text)?;
        }
        Ok(Output { out, form, rows: 0, way })
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes a row.
    ///
    /// # Errors
    /// If standard output does not take it.
    pub fn push(&mut self, row: HandleRow) -> Result<()> {
        self.rows += 1;
        match &mut self.way {
            Way::Table(sheet) => sheet.push(&row),
            Way::Count { .. } => {}
            Way::Groups { groups, .. } => groups.push(&row),
            Way::Tree(rows) => rows.push(row),
            Way::Objects(objects) => objects.push(&row, &mut self.out)?,
        }
        Ok(())
    }

    /// Takes note that the next row is of another process.
    ///
    /// # Errors
    /// If standard output does not take what was kept.
    pub fn end_of_process(&mut self) -> Result<()> {
        if let Way::Tree(rows) = &mut self.way {
            tree::write(rows, self.form, &mut self.out)?;
            rows.clear();
        }
        Ok(())
    }

    /// Writes what is left, and returns the headings of columns for which there was no room.
    ///
    /// # Errors
    /// If standard output does not take it.
    pub fn finish(self, ls: &Ls, faults: &Faults) -> Result<Vec<&'static str>> {
        let Output { mut out, form, rows, way } = self;
        let tail = Tail { count: rows, processes: faults.read, faults: faults.all.clone() };
        let mut left_out = Vec::new();
        let mut text = Vec::new();
        match way {
            Way::Table(sheet) => {
                let fitting = std::io::stdout().is_terminal() && ls.columns.is_none();
                let keep = if fitting { KeepColumns::Fitting } else { KeepColumns::All };
                if !sheet.is_empty() {
                    left_out = sheet.write(form, keep, !ls.no_header, &mut out)?;
                }
            }
            Way::Count { json: false } => writeln!(out, "{rows}")?,
            Way::Groups { groups, json: false } if rows > 0 => {
                groups.write(form, !ls.no_header, &mut out)?;
            }
            Way::Groups { json: false, .. } | Way::Tree(_) => {}
            Way::Count { .. } => {
                text.extend(b",\"groups\":null");
                tail.close(&mut text);
            }
            Way::Groups { groups, .. } => {
                text.extend(b",\"groups\":");
                groups.write_json(&mut text);
                tail.close(&mut text);
            }
            Way::Objects(objects) => {
                let lines = objects.lines;
                objects.finish(&mut out)?;
                if lines {
                    tail.line(&mut text);
                } else {
                    text.extend(b"],\"groups\":null");
                    tail.close(&mut text);
                }
            }
        }
        out.write_all(&text)?;
        out.flush()?;
        Ok(left_out)
    }
}

impl Objects {
    fn push(&mut self, row: &HandleRow, out: &mut impl Write) -> std::io::Result<()> {
        self.buffer.clear();
        write_object(&self.columns, row, &mut self.buffer);
        if let Some((column, _)) = self.sort {
            self.kept.push(((column.get)(row).into_owned(), self.buffer.clone()));
            return Ok(());
        }
        let object = std::mem::take(&mut self.buffer);
        self.write(&object, out)?;
        self.buffer = object;
        Ok(())
    }

    fn write(&mut self, object: &[u8], out: &mut impl Write) -> std::io::Result<()> {
        self.written += 1;
        if !self.lines {
            out.write_all(if self.written == 1 { b"" } else { b"," })?;
            return out.write_all(object);
        }
        // A stream's objects say what they are.
        out.write_all(b"{\"line\":\"handle\",")?;
        out.write_all(&object[1..])?;
        out.write_all(b"\n")
    }

    fn finish(mut self, out: &mut impl Write) -> std::io::Result<()> {
        let mut kept = std::mem::take(&mut self.kept);
        match self.sort {
            Some((_, Order::Descending)) => kept.sort_by(|a, b| a.0.descending(&b.0)),
            _ => kept.sort_by(|a, b| a.0.order(&b.0)),
        }
        kept.iter().try_for_each(|(_, object)| self.write(object, out))
    }
}

/// What is known before the first row of what is held now.
pub fn head() -> Head {
    Head {
        command: machine::typed_command(),
        machine: machine::describe(),
        source: "proc",
        how: "/proc and sock_diag".to_owned(),
        taken_at_ns: fdscope_sys::clock::wall_now_ns(),
    }
}

/// The same of a recording: machine, how it was taken, when.
pub fn recorded((machine, how, taken_at_ns): (String, String, u64)) -> Head {
    Head { command: machine::typed_command(), machine, source: "recording", how, taken_at_ns }
}

/// Prints the table of columns.
///
/// # Errors
/// If standard output does not take it.
pub fn list_columns() -> Result<()> {
    let mut out = std::io::stdout().lock();
    let widest = HANDLES.names().map(str::len).max().unwrap_or(0);
    for column in HANDLES.all {
        let also = match column.aliases {
            [] => String::new(),
            aliases => format!(" (also {})", aliases.join(", ")),
        };
        let class = column.class.word();
        writeln!(out, "{:widest$}  {class:7}  {}{also}", column.name, column.help)?;
    }
    Ok(())
}
