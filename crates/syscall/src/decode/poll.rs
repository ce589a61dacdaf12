//! Waiting for descriptors: poll, select, epoll.

use super::args::*;
use super::pen::{Block, Pen};
use super::row::{Argument, choice, ended, flags, input, output, plain, rows};
use super::tables::file::{EPOLL_CREATE, EPOLL_CTL};
use super::time::{TIMESPEC_IN, TIMEVAL_IN};
use super::xlat::xlat;
use crate::capture::{Length, What, When};

xlat! {
    BAND "POLL???" {
        POLLIN 1, POLLPRI 2, POLLOUT 4, POLLERR 8, POLLHUP 16, POLLNVAL 32, POLLRDNORM 64, POLLRDBAND 128,
        POLLWRNORM 256, POLLWRBAND 512, POLLMSG 1024, POLLREMOVE 0x1000, POLLRDHUP 0x2000
    }
    EPOLL_EVENTS "EPOLL???" {
        EPOLLIN 1, EPOLLPRI 2, EPOLLOUT 4, EPOLLERR 8, EPOLLHUP 16, EPOLLNVAL 32, EPOLLRDNORM 64, EPOLLRDBAND 128,
        EPOLLWRNORM 256, EPOLLWRBAND 512, EPOLLMSG 1024, EPOLLRDHUP 0x2000, EPOLLEXCLUSIVE 0x10000000,
        EPOLLWAKEUP 0x20000000, EPOLLONESHOT 0x40000000, EPOLLET 0x80000000
    }
}

/// Bytes of `struct pollfd`.
const POLLFD: usize = 8;

const POLLFDS: Argument = input(
    |pen, r| {
        let count = pen.arg_u32(r + 1).into();
        pen.array(pen.arg(r), count, POLLFD, |pen, fd| {
            pen.text("{");
            pen.field("fd");
            pen.fd(fd.i32(0) as i32);
            if fd.i32(0) >= 0 {
                pen.field_f("events", &BAND, fd.u16(4));
            }
            pen.text("}");
        });
    },
    What::Bytes(Length::Times(1, POLLFD as u16)),
)
.also(0, When::Exit, What::Bytes(Length::Times(1, POLLFD as u16)));

const POLL_TIMEOUT: Argument = plain(|pen, r| pen.signed(pen.arg_i32(r).into()));
const POLLED: Argument = ended(|pen, _| {
    ready(pen);
})
.glued();
const PPOLL_SET: Argument = ended(|pen, r| {
    pen.text(", ");
    pen.unsigned(pen.arg(r));
    ready(pen);
    left(pen, 2, |pen, time| pen.timespec(time));
})
.glued();
const PPOLL_MASK: Argument =
    input(|pen, r| pen.sigset_at(pen.arg(r), pen.arg(r + 1)), What::Bytes(Length::Const(8)));

/// The remark of poll: which descriptors are ready, or that the time was up.
fn ready(pen: &mut Pen) {
    let Some(count) = pen.returned() else { return };
    if count == 0 {
        pen.remark.extend_from_slice(b"Timeout");
        return;
    }
    let start = pen.out.len();
    let (address, total) = (pen.arg(0), u64::from(pen.arg_u32(1)));
    let most = if pen.style.abbreviate { pen.style.strings } else { usize::MAX };
    let mut shown = 0;
    pen.text("[");
    for n in 0..total.min(1 << 20) {
        let at = pen.word(address.wrapping_add(n * POLLFD as u64));
        let Some(fd) = pen.fetch(at, POLLFD) else { break };
        if fd.u16(6) == 0 {
            continue;
        }
        if shown == most {
            pen.text(", ...");
            break;
        }
        shown += 1;
        pen.next();
        pen.text("{");
        pen.field_d("fd", fd.i32(0));
        pen.field_f("revents", &BAND, fd.u16(6));
        pen.text("}");
    }
    pen.text("]");
    let text = pen.out.split_off(start);
    pen.remark.extend_from_slice(&text);
}

/// The remark's end: what is left of the time to wait.
fn left(pen: &mut Pen, register: u8, write: fn(&mut Pen, (i64, i64))) {
    if pen.returned().is_none_or(|count| count == 0 && pen.remark == b"Timeout") {
        return;
    }
    let Some(time) = pen.time_pair(pen.arg(register)) else { return };
    let start = pen.out.len();
    pen.text(if pen.remark.is_empty() { "left " } else { ", left " });
    write(pen, time);
    let text = pen.out.split_off(start);
    pen.remark.extend_from_slice(&text);
}

const COUNT: Argument = plain(|pen, r| pen.signed(pen.arg_i32(r).into()));

/// A set of descriptors before the call; the number of descriptors is the first argument.
const FD_SET: Argument = input(
    |pen, r| match members(pen, pen.arg(r)) {
        Some(set) => write_set(pen, &set, true),
        None => pen.address(pen.arg(r)),
    },
    What::Bytes(Length::Bits(0)),
)
.also(0, When::Exit, What::Bytes(Length::Bits(0)));

/// The numbers in a set, if it can be read.
fn members(pen: &Pen, address: u64) -> Option<Vec<i32>> {
    let count = pen.arg_i32(0).clamp(0, 1 << 16) as usize;
    let word = pen.pointer();
    let mut bytes = vec![0; count.div_ceil(8 * word) * word];
    if address == 0 || !pen.style.dereference || pen.memory.read(address, &mut bytes) < bytes.len()
    {
        return None;
    }
    let is_set = |n: &usize| bytes.get(n / 8).is_some_and(|byte| byte >> (n % 8) & 1 == 1);
    Some((0..count).filter(is_set).map(|n| n as i32).collect())
}

fn write_set(pen: &mut Pen, set: &[i32], named: bool) {
    pen.text("[");
    for (n, fd) in set.iter().enumerate() {
        if n > 0 {
            pen.text(" ");
        }
        match named {
            true => pen.fd(*fd),
            false => pen.signed((*fd).into()),
        }
    }
    pen.text("]");
}

/// The remark of select.
fn selected(pen: &mut Pen, write_time: fn(&mut Pen, (i64, i64))) {
    let Some(count) = pen.returned() else { return };
    if count == 0 {
        pen.remark.extend_from_slice(b"Timeout");
        return;
    }
    let start = pen.out.len();
    let mut left_to_show = count;
    for (register, name) in [(1, "in "), (2, "out "), (3, "except ")] {
        let Some(set) = members(pen, pen.arg(register)).filter(|set| !set.is_empty()) else {
            continue;
        };
        if left_to_show <= 0 {
            break;
        }
        left_to_show -= set.len() as i64;
        if pen.out.len() > start {
            pen.text(", ");
        }
        pen.text(name);
        write_set(pen, &set, false);
    }
    let text = pen.out.split_off(start);
    pen.remark.extend_from_slice(&text);
    left(pen, 4, write_time);
}

const SELECTED: Argument = ended(|pen, _| selected(pen, |pen, time| pen.timeval(time))).glued();
const PSELECTED: Argument = ended(|pen, _| selected(pen, |pen, time| pen.timespec(time))).glued();
const SELECT_TIME: Argument = TIMEVAL_IN.also(0, When::Exit, What::Bytes(Length::Const(16)));
const PSELECT_TIME: Argument = TIMESPEC_IN.also(0, When::Exit, What::Bytes(Length::Const(16)));
/// The mask of pselect6, in a structure of its own.
const PSELECT_MASK: Argument = input(
    |pen, r| {
        let word = pen.pointer();
        let Some(pair) = pen.fetch_or_address(pen.arg(r), 2 * word) else { return };
        pen.text("{sigmask=");
        pen.sigset_at(pair.word(0), pair.word(1));
        pen.field_u("sigsetsize", pair.word(1));
        pen.text("}");
    },
    What::Bytes(Length::Const(16)),
);

/// Bytes of `struct epoll_event`: packed on x86 only.
fn event_bytes(pen: &Pen) -> usize {
    if pen.call.arch == crate::Arch::Aarch64 { 16 } else { 12 }
}

fn event(pen: &mut Pen, event: &Block) {
    let at = event_bytes(pen) - 8;
    pen.text("{");
    pen.field_f("events", &EPOLL_EVENTS, event.u32(0));
    pen.field("data");
    pen.text("{");
    pen.field_u("u32", event.u32(at));
    pen.field_u("u64", event.u64(at));
    pen.text("}}");
}

const EVENT_IN: Argument = input(
    |pen, r| {
        const DELETE: u32 = 2;
        let address = pen.arg(r);
        if pen.arg_u32(1) == DELETE {
            return pen.address(address);
        }
        if let Some(block) = pen.fetch_or_address(address, event_bytes(pen)) {
            event(pen, &block);
        }
    },
    What::Bytes(Length::Const(16)),
);
const EVENTS_OUT: Argument = output(
    |pen, r| {
        let count = pen.returned().unwrap_or(0).max(0) as u64;
        pen.array(pen.arg(r), count, event_bytes(pen), event);
    },
    What::Bytes(Length::ReturnedTimes(16)),
);

rows! {
    poll [POLLFDS, UINT, POLL_TIMEOUT, POLLED] Decimal;
    ppoll [POLLFDS, UINT, PSELECT_TIME, PPOLL_MASK, PPOLL_SET] Decimal;
    ppoll_time64 [POLLFDS, UINT, PSELECT_TIME, PPOLL_MASK, PPOLL_SET] Decimal;
    select [COUNT, FD_SET, FD_SET, FD_SET, SELECT_TIME, SELECTED] Decimal;
    _newselect [COUNT, FD_SET, FD_SET, FD_SET, SELECT_TIME, SELECTED] Decimal;
    pselect6 [COUNT, FD_SET, FD_SET, FD_SET, PSELECT_TIME, PSELECT_MASK, PSELECTED] Decimal;
    pselect6_time64 [COUNT, FD_SET, FD_SET, FD_SET, PSELECT_TIME, PSELECT_MASK, PSELECTED] Decimal;
    epoll_create [INT] Fd;
    epoll_create1 [flags(&EPOLL_CREATE)] Fd;
    epoll_ctl [FD, choice(&EPOLL_CTL), FD, EVENT_IN] Decimal;
    epoll_wait [FD, EVENTS_OUT, INT, INT] Decimal;
    epoll_pwait [FD, EVENTS_OUT, INT, INT, PPOLL_MASK, SIZE] Decimal;
    epoll_pwait2 [FD, EVENTS_OUT, INT, TIMESPEC_IN, PPOLL_MASK, SIZE] Decimal;
}
