//! `-J` and `-j`: one object with processes that hold files, or a line of JSON for each file.
//!
//! The keys, and which numbers are text, are lsof's (4.99.7). Beyond it, Internet sockets have their addresses, and
//! names that are not UTF-8 are escaped as in the table, so that every reader can read it.

use std::fmt::Write;

use crate::Who;
use crate::file::{Node, OpenFile, device_number};
use crate::help;
use crate::show::{self, Show, state_word};
use crate::socket::Connection;

/// Opens what `-J` writes.
pub(crate) fn write_head(out: &mut Vec<u8>) {
    out.extend_from_slice(
        format!("{{\"lsof_version\":\"{}\",\"processes\":[", help::VERSION).as_bytes(),
    );
}

/// Closes it.
pub(crate) fn write_foot(out: &mut Vec<u8>) {
    out.extend_from_slice(b"]}\n");
}

/// An object being written.
#[derive(Debug)]
pub(crate) struct Object {
    text: String,
}

impl Object {
    fn new() -> Self {
        Object { text: String::from("{") }
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(self.text, "\"{key}\":");
    }

    fn text(&mut self, key: &str, text: &[u8]) {
        self.key(key);
        push_text(&mut self.text, text);
    }

    fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        let _ = write!(self.text, "{number}");
    }

    /// lsof writes what may exceed 53 bits as text.
    fn large(&mut self, key: &str, number: u64) {
        self.text(key, number.to_string().as_bytes());
    }

    fn object(&mut self, key: &str, object: &Object) {
        self.key(key);
        self.text.push_str(&object.text);
        self.text.push('}');
    }
}

/// The fields of a process, to be followed by files.
pub(crate) fn process(show: Show<'_>, who: &Who<'_>) -> Object {
    let fields = show.options.fields;
    let process = who.process;
    let mut object = Object::new();
    object.number("pid", u64::from(process.id.pid.0));
    if let Some((tid, name)) = who.task {
        if fields.has(b'K') {
            object.number("tid", u64::from(tid.0));
        }
        if fields.has(b'M') {
            object.text("task_cmd", name.bytes());
        }
    }
    if fields.has(b'g') {
        object.number("pgid", u64::from(who.group.0));
    }
    if fields.has(b'R') {
        object.number("ppid", u64::from(process.parent.0));
    }
    if fields.has(b'c') {
        object.text("command", process.comm.bytes());
    }
    if fields.has(b'u') {
        object.number("uid", u64::from(process.uid));
    }
    if let Some(login) = show.login(process.uid).filter(|_| fields.has(b'L')) {
        object.text("login", &login);
    }
    object
}

/// Opens a process of `-J`.
pub(crate) fn write_process(process: &Object, first: bool, out: &mut Vec<u8>) {
    if !first {
        out.push(b',');
    }
    out.extend_from_slice(process.text.as_bytes());
    out.extend_from_slice(b",\"files\":[");
}

/// Writes a file of `-J`.
pub(crate) fn write_nested(show: Show<'_>, file: &OpenFile, first: bool, out: &mut Vec<u8>) {
    let mut object = Object::new();
    fill(show, file, &mut object);
    if !first {
        out.push(b',');
    }
    out.extend_from_slice(object.text.as_bytes());
    out.push(b'}');
}

/// Writes a line of `-j`.
pub(crate) fn write_line(show: Show<'_>, process: &Object, file: &OpenFile, out: &mut Vec<u8>) {
    let mut object = Object { text: process.text.clone() };
    fill(show, file, &mut object);
    out.extend_from_slice(object.text.as_bytes());
    out.extend_from_slice(b"}\n");
}

fn fill(show: Show<'_>, file: &OpenFile, object: &mut Object) {
    let fields = show.options.fields;
    if fields.has(b'f') {
        object.text("fd", show::fd_field(file.fd).as_bytes());
    }
    if fields.has(b'a') && file.access != b' ' {
        object.text("access", &[file.access]);
    }
    if fields.has(b'l') && file.lock != b' ' {
        object.text("lock", &[file.lock]);
    }
    if fields.has(b't') && !file.kind.is_empty() {
        object.text("type", file.kind.as_bytes());
    }
    fill_numbers(show, file, object);
    if let Some(flags) = show.flags(file).filter(|_| fields.has(b'G')) {
        object.text("flags", flags.as_bytes());
    }
    if fields.has(b'n') {
        let name = match &file.connection {
            Some(Connection::Internet(_)) => show.name(file),
            _ if file.addition.is_empty() => file.name.clone(),
            _ => [&file.name[..], b" ", &file.addition].concat(),
        };
        object.text("name", &name);
    }
    if let Some(connection) = file.connection.as_ref().filter(|_| fields.has(b'T')) {
        fill_connection(show, connection, object);
    }
}

fn fill_numbers(show: Show<'_>, file: &OpenFile, object: &mut Object) {
    let fields = show.options.fields;
    if fields.has(b'd') && !file.device_text.is_empty() {
        object.text("device", &file.device_text);
    }
    for (id, key, device) in
        [(b'D', "device_number", file.device), (b'r', "raw_device", file.node_device)]
    {
        if let Some(device) = device.filter(|_| fields.has(id)) {
            object.text(key, format!("0x{:x}", device_number(device)).as_bytes());
        }
    }
    if let Some(size) = file.size.filter(|_| fields.has(b's')) {
        object.large("size", size);
    }
    if let Some(offset) = file.offset.filter(|_| fields.has(b'o')) {
        object.large("offset", offset);
    }
    match file.node {
        Node::Inode(inode) if fields.has(b'i') => object.large("inode", inode),
        _ => {}
    }
    if let Some(links) = file.links.filter(|_| fields.has(b'k')) {
        object.number("nlink", links);
    }
    match file.node {
        Node::Protocol(word) if fields.has(b'P') => object.text("protocol", word.as_bytes()),
        _ => {}
    }
}

fn fill_connection(show: Show<'_>, connection: &Connection, object: &mut Object) {
    let mut inside = Object::new();
    let info = show.options.connection;
    match connection {
        Connection::Unix(word) if info.state => inside.text("state", word.as_bytes()),
        Connection::Unix(_) => {}
        Connection::Internet(internet) => {
            if let Some(word) = state_word(internet).filter(|_| info.state) {
                inside.text("state", word.as_bytes());
            }
            let queues =
                [("recv_queue", internet.receive_queue), ("send_queue", internet.send_queue)];
            for (key, bytes) in queues {
                if let Some(bytes) = bytes.filter(|_| info.queues) {
                    inside.number(key, bytes);
                }
            }
        }
    }
    object.object("tcp_info", &inside);
}

/// Quotes a text. Bytes that are no UTF-8 become `\\xHH`, as in the table.
fn push_text(out: &mut String, text: &[u8]) {
    out.push('"');
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if u32::from(c) < 0x20 => {
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\\\x{byte:02x}");
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_json() {
        let check = |text: &[u8], expected: &str| {
            let mut out = String::new();
            push_text(&mut out, text);
            assert_eq!(out, expected);
        };
        check(b"a\"b\\c\n\x01", r#""a\"b\\c\n\u0001""#);
        check("caf\u{e9}".as_bytes(), "\"caf\u{e9}\"");
        check(b"\xff", r#""\\xff""#);
    }
}
