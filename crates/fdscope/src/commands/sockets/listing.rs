//! The sockets that match: as a table, as a tree, counted, as JSON.

use std::io::{BufWriter, IsTerminal, Write};

use anyhow::Result;
use fdscope_analyze::SocketTally;
use fdscope_render::column::{Column, write_json, write_object};
use fdscope_render::groups::Groups;
use fdscope_render::sheet::{KeepColumns, Sheet};
use fdscope_render::sockets::SocketRow;
use fdscope_render::sockets::tree::Tree;

use super::{Look, findings};
use crate::args::Sockets;
use crate::terminal;

pub fn table(sockets: &Sockets, look: Look<'_>) -> Result<usize> {
    let form = terminal::form(sockets.color);
    let mut sheet = Sheet::new(look.query.columns.clone(), form.charset, look.query.sort);
    look.rows().for_each(|row| sheet.push(&row));
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

pub fn count(sockets: &Sockets, look: Look<'_>) -> Result<usize> {
    let count = look.rows().count();
    let mut out = std::io::stdout().lock();
    match sockets.json {
        true => writeln!(out, "{{{},\"count\":{count}}}", look.head)?,
        false => writeln!(out, "{count}")?,
    }
    Ok(count)
}

pub fn grouped(
    sockets: &Sockets,
    look: Look<'_>,
    columns: Vec<&'static Column<SocketRow>>,
) -> Result<usize> {
    let form = terminal::form(sockets.color);
    let mut groups = Groups::new(columns, form.charset);
    let mut rows = 0;
    for row in look.rows() {
        groups.push(&row);
        rows += 1;
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    if sockets.json {
        let mut bytes = format!("{{{},\"groups\":", look.head).into_bytes();
        groups.write_json(&mut bytes);
        bytes.extend(b"}\n");
        out.write_all(&bytes)?;
    } else {
        groups.write(form, !sockets.no_header, &mut out)?;
    }
    out.flush()?;
    Ok(rows)
}

pub fn objects(look: Look<'_>) -> Result<usize> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut buffer = begin(look);
    out.write_all(&buffer)?;
    write!(out, ",\"sockets\":[")?;
    let mut rows = 0;
    let mut tally = SocketTally::new(look.limits);
    for row in look.rows() {
        findings::note(&mut tally, &row);
        buffer.clear();
        if rows > 0 {
            buffer.push(b',');
        }
        write_object(&look.query.columns, &row, &mut buffer);
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

/// Listeners with what came to them; and how many sockets matched.
pub fn tree(sockets: &Sockets, look: Look<'_>) -> Result<usize> {
    let mut tree = if sockets.json { Tree::whole() } else { Tree::default() };
    let mut rows = 0;
    for row in look.all() {
        let matches = look.query.matches(&row);
        tree.note_listener(&row, matches);
        rows += usize::from(matches);
    }
    look.all().for_each(|row| tree.push(&row, look.query.matches(&row)));
    let mut out = BufWriter::new(std::io::stdout().lock());
    if sockets.json {
        let mut bytes = begin(look);
        bytes.push(b',');
        tree.write_json(&mut bytes);
        bytes.extend(b"}\n");
        out.write_all(&bytes)?;
    } else {
        tree.write(terminal::form(sockets.color), &mut out)?;
    }
    out.flush()?;
    Ok(rows)
}

/// An object that is still open at its end: its head, and what could not be read.
fn begin(look: Look<'_>) -> Vec<u8> {
    let start = format!("{{{},\"unreadable_processes\":{},\"faults\":", look.head, look.unreadable);
    let mut bytes = start.into_bytes();
    write_json(&look.faults, &mut bytes);
    bytes
}
