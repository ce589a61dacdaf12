//! fcntl: a command, and what it takes.

use super::args::*;
use super::pen::Pen;
use super::row::{Argument, ended, plain, rows};
use super::tables::file::{DNOTIFY, FCNTL, FD_FLAGS, LEASE, SEALS, SEEK};
use super::xlat::xlat;
use crate::capture::{Length, What, When};

xlat! {
    LOCK_TYPE "F_???" { F_RDLCK 0, F_WRLCK 1, F_UNLCK 2, F_EXLCK 4, F_SHLCK 8 }
    OWNER_TYPE "F_???" { F_OWNER_TID 0, F_OWNER_PID 1, F_OWNER_PGRP 2 }
    HINT "RWH_WRITE_LIFE_???" {
        RWH_WRITE_LIFE_NOT_SET 0, RWH_WRITE_LIFE_NONE 1, RWH_WRITE_LIFE_SHORT 2, RWH_WRITE_LIFE_MEDIUM 3,
        RWH_WRITE_LIFE_LONG 4, RWH_WRITE_LIFE_EXTREME 5
    }
}

/// Commands by number (asm-generic/fcntl.h, linux/fcntl.h).
mod command {
    pub const DUPFD: u32 = 0;
    pub const GETFD: u32 = 1;
    pub const SETFD: u32 = 2;
    pub const GETFL: u32 = 3;
    pub const SETFL: u32 = 4;
    pub const GETLK: u32 = 5;
    pub const SETLK: u32 = 6;
    pub const SETLKW: u32 = 7;
    pub const SETOWN: u32 = 8;
    pub const GETOWN: u32 = 9;
    pub const SETSIG: u32 = 10;
    pub const GETSIG: u32 = 11;
    pub const GETLK64: u32 = 12;
    pub const SETLKW64: u32 = 14;
    pub const SETOWN_EX: u32 = 15;
    pub const GETOWN_EX: u32 = 16;
    pub const GETOWNER_UIDS: u32 = 17;
    pub const OFD_GETLK: u32 = 36;
    pub const OFD_SETLKW: u32 = 38;
    pub const SETLEASE: u32 = 1024;
    pub const GETLEASE: u32 = 1025;
    pub const NOTIFY: u32 = 1026;
    pub const DUPFD_QUERY: u32 = 1027;
    pub const DUPFD_CLOEXEC: u32 = 1030;
    pub const SETPIPE_SZ: u32 = 1031;
    pub const GETPIPE_SZ: u32 = 1032;
    pub const ADD_SEALS: u32 = 1033;
    pub const GET_SEALS: u32 = 1034;
}
use command::*;

/// Commands whose third argument the kernel fills.
fn fills(command: u32) -> bool {
    matches!(command, GETLK | GETLK64 | OFD_GETLK | GETOWN_EX | GETOWNER_UIDS | 1035 | 1037)
}

fn takes_nothing(command: u32) -> bool {
    matches!(command, GETFD | GETFL | GETOWN | GETSIG | GETLEASE | GETPIPE_SZ | GET_SEALS)
}

/// Commands that exist on i386 only with a wide `struct flock`.
fn is_wide_lock(pen: &Pen, command: u32) -> bool {
    !pen.compat() || matches!(command, GETLK64..=SETLKW64 | OFD_GETLK..=OFD_SETLKW)
}

const COMMAND: Argument = plain(|pen, r| {
    let command = pen.arg_u32(r);
    pen.choice(&FCNTL, command.into());
    if takes_nothing(command) {
        return;
    }
    pen.text(", ");
    if !fills(command) {
        given(pen, command, r + 1);
    }
})
.also(1, When::Enter, What::Bytes(Length::Const(32)));

fn given(pen: &mut Pen, command: u32, r: u8) {
    let value = pen.arg_u32(r);
    match command {
        DUPFD | DUPFD_CLOEXEC | SETOWN | SETPIPE_SZ => pen.signed((value as i32).into()),
        DUPFD_QUERY => pen.fd(value as i32),
        SETFD => pen.flags(&FD_FLAGS, value.into()),
        SETFL => pen.open_flags(value.into()),
        SETLK | SETLKW | 13..=SETLKW64 | 37..=OFD_SETLKW => lock(pen, command, r),
        SETSIG => pen.signal(value.into()),
        SETOWN_EX => owner(pen, r),
        SETLEASE => pen.choice(&LEASE, value.into()),
        NOTIFY => pen.flags(&DNOTIFY, value.into()),
        ADD_SEALS => pen.flags(&SEALS, value.into()),
        1036 | 1038 => hint(pen, r),
        _ => pen.hex(pen.arg(r)),
    }
}

const FILLED: Argument = ended(|pen, r| {
    let command = pen.arg_u32(r - 1);
    match command {
        _ if !fills(command) => {}
        _ if pen.failed() => pen.address(pen.arg(r)),
        GETOWN_EX => owner(pen, r),
        GETOWNER_UIDS => pen.pointed(pen.arg(r), 8, |pen, b| {
            pen.uid(b.u32(0));
            pen.text(", ");
            pen.uid(b.u32(4));
        }),
        1035 | 1037 => hint(pen, r),
        _ => lock(pen, command, r),
    }
    remark(pen, command);
})
.glued()
.also(0, When::Exit, What::Bytes(Length::Const(32)));

fn lock(pen: &mut Pen, command: u32, r: u8) {
    let wide = is_wide_lock(pen, command);
    // On i386 the wide one is packed to 4 bytes.
    let [start, length, pid] = match (wide, pen.compat()) {
        (true, false) => [8, 16, 24],
        (true, true) => [4, 12, 20],
        (false, _) => [4, 8, 12],
    };
    let Some(lock) = pen.fetch_or_address(pen.arg(r), pid + 4) else { return };
    let number = |at: usize| if wide { lock.u64(at) as i64 } else { lock.i32(at) };
    pen.text("{");
    pen.field_c("l_type", &LOCK_TYPE, lock.u16(0));
    pen.field_c("l_whence", &SEEK, lock.u16(2));
    pen.field_d("l_start", number(start));
    pen.field_d("l_len", number(length));
    if matches!(command, GETLK | GETLK64 | OFD_GETLK) {
        pen.field("l_pid");
        pen.pid(lock.i32(pid) as i32);
    }
    pen.text("}");
}

fn owner(pen: &mut Pen, r: u8) {
    let Some(owner) = pen.fetch_or_address(pen.arg(r), 8) else { return };
    pen.text("{");
    pen.field_c("type", &OWNER_TYPE, owner.u32(0));
    pen.field("pid");
    pen.pid(owner.i32(4) as i32);
    pen.text("}");
}

fn hint(pen: &mut Pen, r: u8) {
    pen.pointed(pen.arg(r), 8, |pen, b| pen.choice(&HINT, b.u64(0)));
}

/// Names of the flags that a command returned.
fn remark(pen: &mut Pen, command: u32) {
    let Some(value) = pen.returned().map(|value| value as u64) else { return };
    let start = pen.out.len();
    match command {
        GETFD if value != 0 => {
            pen.text("flags ");
            pen.flags(&FD_FLAGS, value);
        }
        GETFL => {
            pen.text("flags ");
            pen.by_name(|pen| pen.open_flags(value));
        }
        GETLEASE => pen.by_name(|pen| pen.choice(&LEASE, value)),
        GET_SEALS if value != 0 => {
            pen.text("seals ");
            pen.by_name(|pen| pen.flags(&SEALS, value));
        }
        _ => {}
    }
    pen.remark = pen.out.split_off(start);
}

fn result(pen: &mut Pen, value: i64) {
    match pen.arg_u32(1) {
        DUPFD | DUPFD_CLOEXEC => pen.fd(value as i32),
        GETFD | GETFL | GETLEASE | GET_SEALS => pen.hex(value as u64),
        GETSIG if value > 0 => {
            pen.signed(value);
            pen.text(" (");
            pen.by_name(|pen| pen.signal(value as u64));
            pen.text(")");
        }
        _ => pen.signed(value),
    }
}

rows! {
    fcntl [FD, COMMAND, FILLED] Special(result);
    fcntl64 [FD, COMMAND, FILLED] Special(result);
}
