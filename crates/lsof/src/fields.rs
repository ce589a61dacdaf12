//! `-F`: a line or NUL-terminated piece for each field, its letter first.

use crate::Who;
use crate::file::{Node, OpenFile, device_number};
use crate::options::Options;
use crate::safe;
use crate::show::{self, Show};

/// A field.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its letter.
    pub id: u8,
    /// What `-F?` says of it.
    pub description: &'static str,
    /// Part of `-F` without letters.
    pub by_default: bool,
}

const fn field(id: u8, by_default: bool, description: &'static str) -> Field {
    Field { id, description, by_default }
}

/// Every field, in the order of `-F?`.
pub(crate) const FIELDS: &[Field] = &[
    field(b'a', true, "access: r = read; w = write; u = read/write"),
    field(b'c', true, "command name"),
    field(b'd', true, "device character code"),
    field(b'D', true, "major/minor device number as 0x<hex>"),
    field(b'f', true, "file descriptor"),
    field(b'G', true, "file flaGs"),
    field(b'i', true, "inode number"),
    field(b'k', true, "link count"),
    field(b'K', true, "task ID (TID)"),
    field(b'l', true, "lock: r/R = read; w/W = write; u = read/write"),
    field(b'L', true, "login name"),
    field(b'm', true, "marker between repeated output"),
    field(b'M', true, "task comMand name"),
    field(b'n', true, "comment, name, Internet addresses"),
    field(b'o', true, "file offset as 0t<dec> or 0x<hex>"),
    field(b'p', true, "process ID (PID)"),
    field(b'g', true, "process group ID (PGID)"),
    field(b'P', true, "protocol name"),
    field(b'r', false, "raw device number as 0x<hex>"),
    field(b'R', true, "paRent PID"),
    field(b's', true, "file size"),
    field(b'S', true, "stream module and device names"),
    field(b't', true, "file type"),
    field(b'T', true, "TCP/TPI info"),
    field(b'u', true, "user ID (UID)"),
    field(b'0', false, "(zero) use NUL field terminator instead of NL"),
];

/// The fields chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct FieldSet(u128);

impl FieldSet {
    /// Those of `-F` without letters.
    pub(crate) fn standard() -> Self {
        let mut set = FieldSet::default();
        FIELDS.iter().filter(|field| field.by_default).for_each(|field| set.insert(field.id));
        set
    }

    pub(crate) fn insert(&mut self, id: u8) {
        self.0 |= 1 << id;
    }

    pub(crate) fn has(self, id: u8) -> bool {
        self.0 & (1 << id) != 0
    }

    /// True if nothing but the process's number is chosen.
    pub(crate) fn is_bare(self) -> bool {
        self.0 & !(1 << b'p' | 1 << b'm') == 0
    }
}

/// Writes the fields of a process.
pub(crate) fn write_process(show: Show<'_>, who: &Who<'_>, out: &mut Vec<u8>) {
    let fields = show.options.fields;
    let mut writer = Writer { out, end: terminator(show.options), fields };
    let process = who.process;
    writer.always(b'p', process.id.pid.to_string().as_bytes());
    if let Some((tid, name)) = who.task {
        writer.field(b'K', tid.to_string().as_bytes());
        writer.field(b'M', name.bytes());
    }
    if show.options.group_column {
        writer.field(b'g', who.group.to_string().as_bytes());
    }
    if show.options.parent_column {
        writer.field(b'R', process.parent.to_string().as_bytes());
    }
    let mut command = Vec::new();
    safe::push(&mut command, process.comm.bytes(), show.charset);
    writer.field(b'c', &command);
    writer.field(b'u', process.uid.to_string().as_bytes());
    if let Some(login) = show.login(process.uid) {
        writer.field(b'L', &login);
    }
    writer.end_of_set(true);
}

/// Writes the fields of a file.
pub(crate) fn write_file(show: Show<'_>, file: &OpenFile, out: &mut Vec<u8>) {
    let fields = show.options.fields;
    let before = out.len();
    let mut writer = Writer { out, end: terminator(show.options), fields };
    writer.field(b'f', show::fd_field(file.fd).as_bytes());
    writer.field(b'a', &[file.access]);
    writer.field(b'l', &[file.lock]);
    if !file.kind.is_empty() {
        writer.field(b't', file.kind.as_bytes());
    }
    if let Some(flags) = show.flags(file) {
        writer.field(b'G', flags.as_bytes());
    }
    if !file.device_text.is_empty() {
        writer.field(b'd', &file.device_text);
    }
    if let Some(device) = file.device {
        writer.field(b'D', format!("0x{:x}", device_number(device)).as_bytes());
    }
    if let Some(device) = file.node_device {
        writer.field(b'r', format!("0x{:x}", device_number(device)).as_bytes());
    }
    if let Some(size) = file.size {
        writer.field(b's', size.to_string().as_bytes());
    }
    if let Some(offset) = file.offset {
        writer.field(b'o', show.offset(offset).as_bytes());
    }
    if let Node::Inode(inode) = file.node {
        writer.field(b'i', inode.to_string().as_bytes());
    }
    if let Some(links) = file.links {
        writer.field(b'k', links.to_string().as_bytes());
    }
    if let Node::Protocol(word) = file.node {
        writer.field(b'P', word.as_bytes());
    }
    writer.field(b'n', &show.name(file));
    if let Some(connection) = &file.connection {
        show.states(connection).iter().for_each(|piece| writer.field(b'T', piece.as_bytes()));
    }
    let any = writer.out.len() > before;
    writer.end_of_set(any);
}

/// Writes the mark between rounds.
pub(crate) fn write_mark(options: &Options, text: &[u8], out: &mut Vec<u8>) {
    let end = terminator(options);
    out.push(b'm');
    out.extend_from_slice(text);
    out.push(end);
    if end != b'\n' {
        out.push(b'\n');
    }
}

fn terminator(options: &Options) -> u8 {
    if options.nul { 0 } else { b'\n' }
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    end: u8,
    fields: FieldSet,
}

impl Writer<'_> {
    fn field(&mut self, id: u8, text: &[u8]) {
        if self.fields.has(id) {
            self.always(id, text);
        }
    }

    fn always(&mut self, id: u8, text: &[u8]) {
        self.out.push(id);
        self.out.extend_from_slice(text);
        self.out.push(self.end);
    }

    /// NUL-terminated fields of one file or process end with a line.
    fn end_of_set(&mut self, any: bool) {
        if self.end == 0 && any {
            self.out.push(b'\n');
        }
    }
}
