//! System calls as strace writes them: numbers and bytes in, text out. A file a family, a row a call.
//!
//! Pure: nothing here reads another process; pointers are followed by [`Memory`]. What stands before the bracket (stamps,
//! names) and behind the result (times) is the line writer's. Start at [`enter`] and [`exit`].

mod args;
mod block;
mod clock;
mod creds;
mod descriptor;
mod exec;
mod fcntl;
mod file;
mod futex;
mod ioctl;
mod ipc;
mod limits;
mod memory;
mod message;
mod mount;
mod netlink;
mod network;
mod notify;
pub mod numbers;
mod pen;
mod poll;
mod prctl;
mod process;
mod quote;
mod row;
mod rows;
mod siginfo;
mod signal;
mod sockaddr;
mod sockopt;
mod stat;
mod style;
mod system;
mod tables;
mod termios;
mod time;
mod uring;
mod xattr;
mod xlat;

pub use quote::{escape, quote};
pub use style::{AT_FDCWD, Names, NoNames, Quote, Style, Xlat};

use std::borrow::Cow;

use crate::arch::Arch;
use crate::capture::Capture;
use crate::errno::errno;
use crate::memory::Memory;
use crate::traced::{Call, Ended};
use pen::Pen;
use row::{Return, Row};

/// How far a call was written when it was entered: to be given to [`exit`].
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    /// The next of the row's arguments.
    next: u8,
    /// The register it begins at.
    register: u8,
    /// What an argument was before the call, where the line shows both.
    saved: [u64; 2],
}

/// The result of a call as text: `3</etc/passwd>`, `-1 ENOENT (No such file or directory)`, `0 (Timeout)`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResultText(pub Vec<u8>);

/// The name of a call: for i386's `socketcall` and `ipc` that of the call behind it. `None` for unknown numbers, which
/// are written `syscall_0x1ff`.
pub fn name(call: &Call, memory: &dyn Memory) -> Option<&'static str> {
    rows::resolve(call, memory).1.map(|row| row.name).or_else(|| rows::plain_name(call))
}

/// Writes what is known when a call is entered: `openat(AT_FDCWD, "/etc/passwd", O_RDONLY` without its name and bracket,
/// that is `AT_FDCWD, "/etc/passwd", O_RDONLY`. If arguments follow at the end, a comma and a space are written.
pub fn enter(
    call: &Call,
    memory: &dyn Memory,
    style: &Style,
    names: &dyn Names,
    out: &mut Vec<u8>,
) -> State {
    let (call, row) = rows::resolve(call, memory);
    let mut state = State::default();
    let mut pen = Pen::new(&call, memory, style, names, out, None, &mut state);
    pen.arguments(row);
    state
}

/// Writes the rest of the arguments, without the closing bracket, and gives the result.
pub fn exit(
    call: &Call,
    ended: Ended,
    mut state: State,
    memory: &dyn Memory,
    style: &Style,
    names: &dyn Names,
    out: &mut Vec<u8>,
) -> ResultText {
    let (call, row) = rows::resolve(call, memory);
    let mut pen = Pen::new(&call, memory, style, names, out, Some(ended), &mut state);
    pen.arguments(row);
    let remark = std::mem::take(&mut pen.remark);
    let mut result = Vec::new();
    let mut pen = Pen::new(&call, memory, style, names, &mut result, Some(ended), &mut state);
    write_result(&mut pen, row, &remark);
    ResultText(result)
}

/// Writes a `siginfo_t`, as it stands between `--- SIGCHLD ` and ` ---`: in the layout of the tracer's own processor.
pub fn siginfo(bytes: &[u8], style: &Style, names: &dyn Names, out: &mut Vec<u8>) {
    let call = Call { arch: Arch::NATIVE, number: 0, arguments: [1, 0, 0, 0, 0, 0] };
    let mut padded = [0; 128];
    for (to, from) in padded.iter_mut().zip(bytes) {
        *to = *from;
    }
    let memory = (1, &padded[..]);
    let mut state = State::default();
    Pen::new(&call, &memory, style, names, out, None, &mut state).siginfo_at(1);
}

/// The name of a signal, its number if it has none.
pub fn signal(number: u32) -> Cow<'static, str> {
    match tables::signal::SIGNAL.name(number.into()) {
        Some(name) => name.into(),
        None => number.to_string().into(),
    }
}

/// What to copy for a call ([`crate::capture`]).
pub fn captures(arch: Arch, number: u64) -> Vec<Capture> {
    let hidden = rows::leads_to_arguments(arch, number).map(|argument| Capture {
        argument,
        when: crate::capture::When::Enter,
        what: crate::capture::What::Bytes(crate::capture::Length::Const(24)),
    });
    if let Some(hidden) = hidden {
        return vec![hidden];
    }
    let row = rows::row(arch, number);
    row.map_or_else(Vec::new, |row| row.captures(arch.pointer_bytes()))
}

/// Does a call send or receive messages? Those of netlink sockets are decoded, if [`Names::netlink`] knows them.
pub fn carries_messages(arch: Arch, number: u64) -> bool {
    const NAMES: [&str; 9] = [
        "send",
        "sendto",
        "recv",
        "recvfrom",
        "sendmsg",
        "sendmmsg",
        "recvmsg",
        "recvmmsg",
        "socketcall",
    ];
    crate::names::name(arch, number).is_some_and(|name| NAMES.contains(&name))
}

/// The arguments of a call that are descriptors, and whether its result is one.
pub fn descriptors(arch: Arch, number: u64) -> (Vec<u8>, bool) {
    match rows::row(arch, number) {
        Some(row) => (row.descriptors(arch.pointer_bytes()), matches!(row.result, Return::Fd)),
        None => (Vec::new(), false),
    }
}

fn write_result(pen: &mut Pen, row: Option<&Row>, remark: &[u8]) {
    let value = match pen.ended {
        Some(Ended::Returned(value)) => value,
        Some(Ended::Failed(number)) => {
            write_failure(pen, number);
            return write_remark(pen, remark);
        }
        _ => return pen.text("?"),
    };
    match row.map_or(Return::Decimal, |row| row.result) {
        _ if pen.style.raw => pen.hex(value as u64),
        Return::Decimal => pen.signed(value),
        Return::Hex => pen.hex(pen.word(value as u64)),
        Return::Octal => pen.octal(value as u64),
        Return::Fd => pen.fd(value as i32),
        Return::Pid => pen.pid(value as i32),
        Return::Never => pen.text("?"),
        Return::Special(write) => write(pen, value),
    }
    write_remark(pen, remark);
}

fn write_failure(pen: &mut Pen, number: u16) {
    match errno(number) {
        Some((name, words)) => {
            pen.text(if number >= 512 { "? " } else { "-1 " });
            pen.text(name);
            pen.text(" (");
            pen.text(words);
            pen.text(")");
        }
        None => {
            pen.text("-1 (errno ");
            pen.unsigned(number.into());
            pen.text(")");
        }
    }
}

fn write_remark(pen: &mut Pen, remark: &[u8]) {
    if !remark.is_empty() {
        pen.text(" (");
        pen.out.extend_from_slice(remark);
        pen.text(")");
    }
}
