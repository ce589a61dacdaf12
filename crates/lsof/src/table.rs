//! The table: every row is kept as text until the last is known, because the widest decides each column.

use crate::Who;
use crate::file::{Node, OpenFile, device_parts};
use crate::options::{Options, SizeColumn};
use crate::safe;
use crate::show::{self, Show};

/// Columns between COMMAND, which is aligned left, and NAME, which has no width.
const CELLS: usize = 12;
const PID: usize = 0;
const TID: usize = 1;
const TASK: usize = 2;
const PARENT: usize = 3;
const GROUP: usize = 4;
const USER: usize = 5;
const FD: usize = 6;
const TYPE: usize = 7;
const FLAGS: usize = 8;
const DEVICE: usize = 9;
const SIZE: usize = 10;
const LINKS: usize = 11;
const NODE: usize = 12;

/// The rows so far. One allocation holds all their text.
#[derive(Debug, Default)]
pub(crate) struct Table {
    text: Vec<u8>,
    rows: Vec<Row>,
    commands: Vec<Vec<u8>>,
    command_width: usize,
    widths: [usize; CELLS + 1],
    has_tasks: bool,
}

#[derive(Debug)]
struct Row {
    command: u32,
    start: usize,
    /// Lengths of the cells; the name is what follows them.
    cells: [u8; CELLS + 1],
    name: u32,
}

impl Table {
    /// Says whose files follow.
    pub(crate) fn begin(&mut self, who: &Who<'_>) {
        self.commands.push(who.process.comm.bytes().to_vec());
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, show: Show<'_>, who: &Who<'_>, file: &OpenFile) {
        let start = self.text.len();
        let mut cells = [0; CELLS + 1];
        let mut cell = |index: usize, text: &[u8]| {
            // No cell comes near 255 bytes: the longest is a user's name.
            let text = &text[..text.len().min(255)];
            self.text.extend_from_slice(text);
            cells[index] = text.len() as u8;
            self.widths[index] = self.widths[index].max(text.len());
        };
        let process = who.process;
        cell(PID, process.id.pid.to_string().as_bytes());
        if let Some((tid, name)) = who.task {
            cell(TID, tid.to_string().as_bytes());
            let mut column = Vec::new();
            let limit = match show.options.command_width {
                0 => usize::MAX,
                width => width,
            };
            safe::push_column(&mut column, name.bytes(), safe::word_width(name.bytes()).min(limit));
            cell(TASK, &column);
            self.has_tasks = true;
        }
        cell(PARENT, process.parent.to_string().as_bytes());
        cell(GROUP, who.group.to_string().as_bytes());
        cell(USER, &show.user(process.uid));
        cell(FD, &fd_cell(file));
        // lsof shows a file without a type as one of type 0.
        cell(TYPE, if file.kind.is_empty() { b"0000" } else { file.kind.as_bytes() });
        cell(FLAGS, show.flags(file).unwrap_or_default().as_bytes());
        cell(DEVICE, &device_cell(file));
        cell(SIZE, size_cell(show, file).as_bytes());
        cell(LINKS, file.links.map(|links| format!(" {links}")).unwrap_or_default().as_bytes());
        cell(NODE, node_cell(file).as_bytes());
        let name = show.name_and_state(file);
        self.text.extend_from_slice(&name);
        let command = self.commands.len() - 1;
        let width = safe::word_width(&self.commands[command]);
        let limited = match show.options.command_width {
            0 => width,
            limit => width.min(limit),
        };
        self.command_width = self.command_width.max(limited);
        self.rows.push(Row { command: command as u32, start, cells, name: name.len() as u32 });
    }

    /// Writes title and rows, and forgets them.
    pub(crate) fn write(&mut self, options: &Options, out: &mut Vec<u8>) {
        let table = std::mem::take(self);
        if table.rows.is_empty() {
            return;
        }
        let columns = table.columns(options);
        let widths: Vec<usize> =
            columns.iter().map(|(index, title)| table.widths[*index].max(title.len())).collect();
        let command_width = table.command_width.max("COMMAND".len());
        safe::push_column(out, b"COMMAND", command_width);
        for ((index, title), width) in columns.iter().zip(&widths) {
            out.push(b' ');
            match *index {
                TASK => left(out, title.as_bytes(), *width),
                FD => {
                    // Two columns at the end are for the letters of access and lock.
                    right(out, title.as_bytes(), width - 2);
                    out.extend_from_slice(b"  ");
                }
                _ => right(out, title.as_bytes(), *width),
            }
        }
        out.extend_from_slice(b" NAME\n");
        for row in &table.rows {
            safe::push_column(out, &table.commands[row.command as usize], command_width);
            let mut ends = [row.start; CELLS + 2];
            for (index, length) in row.cells.iter().enumerate() {
                ends[index + 1] = ends[index] + usize::from(*length);
            }
            for ((index, _), width) in columns.iter().zip(&widths) {
                out.push(b' ');
                let text = &table.text[ends[*index]..ends[*index + 1]];
                if *index == TASK { left(out, text, *width) } else { right(out, text, *width) }
            }
            let name = ends[CELLS + 1];
            out.push(b' ');
            out.extend_from_slice(&table.text[name..name + row.name as usize]);
            out.push(b'\n');
        }
    }

    /// The columns wanted, with their titles.
    fn columns(&self, options: &Options) -> Vec<(usize, &'static str)> {
        let size = match options.size_column {
            SizeColumn::Either => "SIZE/OFF",
            SizeColumn::Size => "SIZE",
            SizeColumn::Offset => "OFFSET",
        };
        let columns = [
            (true, PID, "PID"),
            (self.has_tasks, TID, "TID"),
            (self.has_tasks, TASK, "TASKCMD"),
            (options.parent_column, PARENT, "PPID"),
            (options.group_column, GROUP, "PGID"),
            (true, USER, "USER"),
            (true, FD, "FD"),
            (true, TYPE, "TYPE"),
            (options.flag_column != Default::default(), FLAGS, "FILE-FLAG"),
            (true, DEVICE, "DEVICE"),
            (true, SIZE, size),
            (options.link_column, LINKS, "NLINK"),
            (true, NODE, "NODE"),
        ];
        columns.iter().filter(|row| row.0).map(|row| (row.1, row.2)).collect()
    }
}

fn left(out: &mut Vec<u8>, text: &[u8], width: usize) {
    out.extend_from_slice(text);
    out.resize(out.len() + width.saturating_sub(text.len()), b' ');
}

fn right(out: &mut Vec<u8>, text: &[u8], width: usize) {
    out.resize(out.len() + width.saturating_sub(text.len()), b' ');
    out.extend_from_slice(text);
}

/// Number or name, then the letters of access and lock.
fn fd_cell(file: &OpenFile) -> Vec<u8> {
    let mut cell = show::fd_column(file.fd).into_bytes();
    cell.push(if file.lock != b' ' && file.access == b' ' { b'-' } else { file.access });
    cell.push(file.lock);
    cell
}

fn device_cell(file: &OpenFile) -> Vec<u8> {
    match file.node_device.or(file.device) {
        Some(device) => {
            let (major, minor) = device_parts(device);
            format!("{major},{minor}").into_bytes()
        }
        None => file.device_text.clone(),
    }
}

fn size_cell(show: Show<'_>, file: &OpenFile) -> String {
    let column = show.options.size_column;
    match (file.size, file.offset) {
        (Some(size), _) if column != SizeColumn::Offset => {
            if show.options.human {
                show::human(size)
            } else {
                size.to_string()
            }
        }
        (_, Some(offset)) if column != SizeColumn::Size => show.offset(offset),
        _ => String::new(),
    }
}

fn node_cell(file: &OpenFile) -> String {
    match file.node {
        Node::None => String::new(),
        Node::Inode(inode) => inode.to_string(),
        Node::Protocol(word) => word.to_owned(),
    }
}
