//! Rows as a tree: process, kind, handles.

use std::io::{self, Write};

use fdscope_model::name::escape;

use super::row::HandleRow;
use super::words;
use crate::charset::Charset;
use crate::page::Form;
use crate::style::Style;
use crate::units;

/// Writes the handles of one process as a branch of the tree: a line for it, one for each kind, one for each handle.
/// Kinds with the most handles come first; handles keep their order.
///
/// # Errors
/// If `out` does not take it.
pub fn write(rows: &[HandleRow], form: Form, out: &mut dyn Write) -> io::Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let mut kinds: Vec<(&str, Vec<&HandleRow>)> = Vec::new();
    for row in rows {
        let word = row.entry.handle.kind.word();
        match kinds.iter_mut().find(|(kind, _)| *kind == word) {
            Some((_, of_kind)) => of_kind.push(row),
            None => kinds.push((word, vec![row])),
        }
    }
    kinds.sort_by_key(|(_, of_kind)| std::cmp::Reverse(of_kind.len()));
    let signs = Signs::of(form.charset);
    let mut text = String::new();
    let process = &first.holder.process;
    let name = form.charset.name(&process.comm);
    Style::Strong.paint(&format!("{name} ({})", process.id.pid), form.color, &mut text);
    let user = first.holder.user.as_ref().map(|user| format!(", {}", form.charset.name(user)));
    let count = units::count_of(rows.len() as u64, "handle", "handles");
    text.push_str(&format!("{}: {count}\n", user.unwrap_or_default()));
    for (index, (kind, of_kind)) in kinds.iter().enumerate() {
        let is_last = index + 1 == kinds.len();
        let count = units::count(of_kind.len() as u64);
        text.push_str(&format!("{}{kind}: {count}\n", signs.branch(is_last)));
        for (index, row) in of_kind.iter().enumerate() {
            text.push_str(signs.trunk(is_last));
            text.push_str(signs.branch(index + 1 == of_kind.len()));
            text.push_str(&leaf(row, form.charset));
            text.push('\n');
        }
    }
    out.write_all(text.as_bytes())
}

fn leaf(row: &HandleRow, charset: Charset) -> String {
    let entry = &row.entry;
    let fd = words::association(entry.handle.via, entry.access);
    let what = match words::what(entry) {
        what if what.is_empty() => escape(entry.handle.name.bytes()),
        what => what,
    };
    format!("{}  {}", charset.sentence(&fd), charset.sentence(&what))
}

/// What the tree is drawn with.
pub(crate) struct Signs {
    branch: &'static str,
    last_branch: &'static str,
    trunk: &'static str,
}

impl Signs {
    pub fn of(charset: Charset) -> Self {
        match charset {
            Charset::Utf8 => Signs { branch: "├─ ", last_branch: "└─ ", trunk: "│  " },
            Charset::Ascii => Signs { branch: "|- ", last_branch: "`- ", trunk: "|  " },
        }
    }

    /// What stands before a member.
    pub fn branch(&self, is_last: bool) -> &'static str {
        if is_last { self.last_branch } else { self.branch }
    }

    /// What stands before the members of a member.
    pub fn trunk(&self, is_last: bool) -> &'static str {
        if is_last { "   " } else { self.trunk }
    }
}
