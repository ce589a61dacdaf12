//! System V's message queues, semaphores and shared memory; POSIX message queues.

use super::args::*;
use super::pen::{Block, Pen};
use super::row::{Argument, ended, flags, input, output, plain, rows};
use super::tables::ipc::*;
use super::time::TIMESPEC_IN;
use super::xlat::xlat;
use crate::capture::{Length, What};

xlat! {
    GET "IPC_???" { IPC_CREAT 0o1000, IPC_EXCL 0o2000, IPC_NOWAIT 0o4000 }
    SHM_GET "SHM_???" { IPC_CREAT 0o1000, IPC_EXCL 0o2000, SHM_HUGETLB 0o4000, SHM_NORESERVE 0o10000 }
    SEMOP "SEM_???" { SEM_UNDO 0x1000, IPC_NOWAIT 0o4000 }
}

const KEY: Argument = plain(|pen, r| match pen.arg_u32(r) {
    0 => pen.text("IPC_PRIVATE"),
    key => pen.hex(key.into()),
});

fn get_flags(pen: &mut Pen, table: &super::xlat::Table, value: u64) {
    let bits = value & !0o777;
    if bits != 0 {
        pen.flags(table, bits);
        pen.text("|");
    }
    pen.permissions(value & 0o777);
}

const GET_FLAGS: Argument = plain(|pen, r| get_flags(pen, &GET, pen.arg_u32(r).into()));
const SHM_FLAGS: Argument = plain(|pen, r| get_flags(pen, &SHM_GET, pen.arg_u32(r).into()));

/// A command, with i386's mark for the newer structures.
fn command(pen: &mut Pen, table: &super::xlat::Table, value: u64) {
    if value & 0x100 != 0 {
        pen.text("IPC_64|");
    }
    pen.choice(table, value & !0x100);
}

const SEM_COMMAND: Argument = plain(|pen, r| command(pen, &SEMCTL, pen.arg_u32(r).into()));
const SHM_COMMAND: Argument = plain(|pen, r| command(pen, &SHMCTL, pen.arg_u32(r).into()));
const MSG_COMMAND: Argument = plain(|pen, r| command(pen, &MSGCTL, pen.arg_u32(r).into()));
const SEM_VALUE: Argument = plain(|pen, r| match pen.arg_u32(r - 1) & 0xff {
    16 => {
        pen.text(", ");
        pen.signed(pen.arg_i32(r).into());
    }
    0 | 11 | 12 | 14 | 15 => {}
    _ => {
        pen.text(", ");
        pen.address(pen.arg(r));
    }
})
.glued();
const OPERATIONS: Argument = input(
    |pen, r| {
        let count = pen.arg_u32(r + 1).into();
        pen.array(pen.arg(r), count, 6, |pen, operation| {
            pen.text("{");
            pen.field_u("sem_num", operation.u16(0));
            pen.field_d("sem_op", (operation.u16(2) as i16).into());
            pen.field_f("sem_flg", &SEMOP, operation.u16(4));
            pen.text("}");
        });
    },
    What::Bytes(Length::Times(2, 6)),
);
const MESSAGE: Argument =
    input(|pen, r| message(pen, r, pen.arg(r + 1)), What::Bytes(Length::Limit));
const MESSAGE_OUT: Argument =
    output(|pen, r| message(pen, r, pen.arg(r + 1)), What::Bytes(Length::Limit));

/// `struct msgbuf`: a type and so many bytes.
fn message(pen: &mut Pen, r: u8, length: u64) {
    let word = pen.pointer();
    let address = pen.arg(r);
    let Some(kind) = pen.fetch_or_address(address, word) else { return };
    pen.text("{");
    pen.field_d("mtype", kind.long(0));
    pen.field("mtext");
    pen.data(address.wrapping_add(word as u64), length);
    pen.text("}");
}

const SHM_STATE: Argument = ended(|pen, r| {
    let address = pen.arg(r);
    match pen.arg_u32(r - 1) & 0xff {
        2 | 13 | 15 if !pen.failed() && !pen.compat() => shm_state(pen, address),
        _ => pen.address(address),
    }
})
.also(0, crate::capture::When::Exit, What::Bytes(Length::Const(112)));

fn shm_state(pen: &mut Pen, address: u64) {
    let Some(state) = pen.fetch_or_address(address, 112) else { return };
    pen.text("{shm_perm=");
    permissions(pen, &state);
    pen.field_u("shm_segsz", state.u64(48));
    pen.field("shm_cpid");
    pen.pid(state.i32(80) as i32);
    pen.field("shm_lpid");
    pen.pid(state.i32(84) as i32);
    pen.field_u("shm_nattch", state.u64(88));
    pen.field_u("shm_atime", state.u64(56));
    pen.field_u("shm_dtime", state.u64(64));
    pen.field_u("shm_ctime", state.u64(72));
    pen.text("}");
}

/// `struct ipc64_perm`.
fn permissions(pen: &mut Pen, state: &Block) {
    pen.text("{");
    for (name, at) in [("uid", 4), ("gid", 8)] {
        pen.field(name);
        pen.uid(state.u32(at));
    }
    pen.field("mode");
    pen.permissions(state.u32(20));
    pen.field_u("key", state.u32(0));
    for (name, at) in [("cuid", 12), ("cgid", 16)] {
        pen.field(name);
        pen.uid(state.u32(at));
    }
    pen.text("}");
}

const MQ_NAME: Argument = input(|pen, r| pen.path(pen.arg(r)), What::CString);
/// mq_open's flags, and if it makes a queue its mode and attributes.
const MQ_FLAGS: Argument = plain(|pen, r| {
    let value = u64::from(pen.arg_u32(r));
    pen.open_flags(value);
    if value & 0o100 != 0 {
        pen.text(", ");
        pen.permissions((pen.arg(r + 1) as u16).into());
        pen.text(", ");
        mq_attributes(pen, r + 2);
    }
})
.taking(3)
.also(2, crate::capture::When::Enter, What::Bytes(Length::Const(32)));
const MQ_IN: Argument = input(mq_attributes, What::Bytes(Length::Const(32)));
const MQ_OUT: Argument = output(mq_attributes, What::Bytes(Length::Const(32)));

fn mq_attributes(pen: &mut Pen, r: u8) {
    let word = pen.pointer();
    let Some(queue) = pen.fetch_or_address(pen.arg(r), 4 * word) else { return };
    pen.text("{mq_flags=");
    let table = pen.open_table();
    pen.flags(table, queue.word(0));
    for (n, name) in [(1, "mq_maxmsg"), (2, "mq_msgsize"), (3, "mq_curmsgs")] {
        pen.field_d(name, queue.long(n));
    }
    pen.text("}");
}

const PRIORITY_OUT: Argument = output(
    |pen, r| pen.pointed(pen.arg(r), 4, |pen, block| pen.unsigned(block.u32(0))),
    What::Bytes(Length::Const(4)),
);
const EVENT: Argument = input(super::clock::sigevent, What::Bytes(Length::Const(64)));

rows! {
    ipc [HEX32, HEX, HEX, HEX, ADDRESS] Decimal;
    semget [KEY, INT, GET_FLAGS] Decimal;
    semctl [INT, INT, SEM_COMMAND, SEM_VALUE] Decimal;
    semop [INT, OPERATIONS, UINT] Decimal;
    semtimedop [INT, OPERATIONS, UINT, TIMESPEC_IN] Decimal;
    semtimedop_time64 [INT, OPERATIONS, UINT, TIMESPEC_IN] Decimal;
    shmget [KEY, SIZE, SHM_FLAGS] Decimal;
    shmctl [INT, SHM_COMMAND, SHM_STATE] Decimal;
    shmat [INT, ADDRESS, flags(&SHMAT)] Hex;
    shmdt [ADDRESS] Decimal;
    msgget [KEY, GET_FLAGS] Decimal;
    msgsnd [INT, MESSAGE, SIZE, flags(&MSGRCV)] Decimal;
    msgrcv [INT, MESSAGE_OUT, SIZE, LONG, flags(&MSGRCV)] Decimal;
    msgctl [INT, MSG_COMMAND, ADDRESS] Decimal;
    mq_open [MQ_NAME, MQ_FLAGS] Fd;
    mq_unlink [MQ_NAME] Decimal;
    mq_timedsend [FD, data(2), SIZE, UINT, TIMESPEC_IN] Decimal;
    mq_timedsend_time64 [FD, data(2), SIZE, UINT, TIMESPEC_IN] Decimal;
    mq_timedreceive [FD, RETURNED, SIZE, PRIORITY_OUT, TIMESPEC_IN] Decimal;
    mq_timedreceive_time64 [FD, RETURNED, SIZE, PRIORITY_OUT, TIMESPEC_IN] Decimal;
    mq_notify [FD, EVENT] Decimal;
    mq_getsetattr [FD, MQ_IN, MQ_OUT] Decimal;
}
