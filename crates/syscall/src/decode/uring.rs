//! io_uring: making a ring, entering it, registering with it; and the older asynchronous calls.

use super::args::*;
use super::pen::{Block, Pen};
use super::row::{Argument, choice, flags, input, output, plain, rows};
use super::tables::process::{URING_ENTER, URING_REGISTER};
use super::time::TIMESPEC_IN;
use super::xlat::xlat;
use crate::capture::{Length, What, When};

xlat! {
    SETUP "IORING_SETUP_???" {
        IORING_SETUP_IOPOLL 1, IORING_SETUP_SQPOLL 2, IORING_SETUP_SQ_AFF 4, IORING_SETUP_CQSIZE 8,
        IORING_SETUP_CLAMP 0x10, IORING_SETUP_ATTACH_WQ 0x20, IORING_SETUP_R_DISABLED 0x40, IORING_SETUP_SUBMIT_ALL 0x80,
        IORING_SETUP_COOP_TASKRUN 0x100, IORING_SETUP_TASKRUN_FLAG 0x200, IORING_SETUP_SQE128 0x400,
        IORING_SETUP_CQE32 0x800, IORING_SETUP_SINGLE_ISSUER 0x1000, IORING_SETUP_DEFER_TASKRUN 0x2000,
        IORING_SETUP_NO_MMAP 0x4000, IORING_SETUP_REGISTERED_FD_ONLY 0x8000, IORING_SETUP_NO_SQARRAY 0x10000,
        IORING_SETUP_HYBRID_IOPOLL 0x20000, IORING_SETUP_CQE_MIXED 0x40000
    }
    FEATURES "IORING_FEAT_???" {
        IORING_FEAT_SINGLE_MMAP 1, IORING_FEAT_NODROP 2, IORING_FEAT_SUBMIT_STABLE 4, IORING_FEAT_RW_CUR_POS 8,
        IORING_FEAT_CUR_PERSONALITY 0x10, IORING_FEAT_FAST_POLL 0x20, IORING_FEAT_POLL_32BITS 0x40,
        IORING_FEAT_SQPOLL_NONFIXED 0x80, IORING_FEAT_EXT_ARG 0x100, IORING_FEAT_NATIVE_WORKERS 0x200,
        IORING_FEAT_RSRC_TAGS 0x400, IORING_FEAT_CQE_SKIP 0x800, IORING_FEAT_LINKED_FILE 0x1000,
        IORING_FEAT_REG_REG_RING 0x2000, IORING_FEAT_RECVSEND_BUNDLE 0x4000, IORING_FEAT_MIN_TIMEOUT 0x8000,
        IORING_FEAT_RW_ATTR 0x10000, IORING_FEAT_NO_IOWAIT 0x20000
    }
}

const SETUP_ATTACH_WQ: u64 = 0x20;

/// What the program asks for in `struct io_uring_params`.
const PARAMETERS: Argument = input(
    |pen, r| {
        let Some(p) = pen.fetch_or_address(pen.arg(r), PARAMETER_BYTES) else { return };
        pen.state.saved[0] = 1;
        pen.text("{");
        pen.field_f("flags", &SETUP, p.u32(8));
        pen.field_x("sq_thread_cpu", p.u32(12));
        pen.field_u("sq_thread_idle", p.u32(16));
        if p.u32(8) & SETUP_ATTACH_WQ != 0 {
            pen.field("wq_fd");
            pen.fd(p.i32(24) as i32);
        }
    },
    What::Bytes(Length::Const(PARAMETER_BYTES as u16)),
)
.also(0, When::Exit, What::Bytes(Length::Const(PARAMETER_BYTES as u16)));
/// What the kernel answers there.
const ANSWER: Argument = super::row::ended(|pen, r| {
    if pen.state.saved[0] == 0 {
        return;
    }
    if let Some(p) = pen.fetch(pen.arg(r - 1), PARAMETER_BYTES).filter(|_| !pen.failed()) {
        answer(pen, &p);
    }
    pen.text("}");
})
.glued()
.taking(0);

const PARAMETER_BYTES: usize = 120;

fn answer(pen: &mut Pen, p: &Block) {
    pen.field_u("sq_entries", p.u32(0));
    pen.field_u("cq_entries", p.u32(4));
    pen.field_f("features", &FEATURES, p.u32(20));
    offsets(pen, p, "sq_off", 40, &SUBMISSION);
    offsets(pen, p, "cq_off", 80, &COMPLETION);
}

const SUBMISSION: [&str; 7] =
    ["head", "tail", "ring_mask", "ring_entries", "flags", "dropped", "array"];
const COMPLETION: [&str; 7] =
    ["head", "tail", "ring_mask", "ring_entries", "overflow", "cqes", "flags"];

fn offsets(pen: &mut Pen, p: &Block, name: &str, start: usize, fields: &[&str]) {
    pen.field(name);
    pen.text("{");
    for (n, field) in fields.iter().enumerate() {
        pen.field_u(field, p.u32(start + 4 * n));
    }
    pen.text("}");
}

const ENTER_SET: Argument =
    input(|pen, r| pen.sigset_at(pen.arg(r), pen.arg(r + 1)), What::Bytes(Length::Const(8)));
const REGISTER: Argument = input(
    |pen, r| {
        const FILES: u32 = 2;
        const EVENTFD: u32 = 4;
        const EVENTFD_ASYNC: u32 = 7;
        let (address, count) = (pen.arg(r), u64::from(pen.arg_u32(r + 1)));
        match pen.arg_u32(r - 1) {
            FILES | EVENTFD | EVENTFD_ASYNC => {
                pen.array(address, count, 4, |pen, block| pen.fd(block.i32(0) as i32));
            }
            0 | 15 => pen.iovec_addresses(address, count),
            _ => pen.address(address),
        }
    },
    What::Bytes(Length::Times(3, 16)),
);
const CONTEXT_OUT: Argument = output(
    |pen, r| {
        let word = pen.pointer();
        pen.pointed(pen.arg(r), word, |pen, block| pen.hex(block.word(0)));
    },
    What::Bytes(Length::Const(8)),
);
const EVENTS: Argument = output(
    |pen, r| {
        let count = pen.returned().unwrap_or(0).max(0) as u64;
        pen.array(pen.arg(r), count, 32, |pen, event| {
            pen.text("{");
            pen.field_x("data", event.u64(0));
            pen.field_x("obj", event.u64(8));
            pen.field_d("res", event.u64(16) as i64);
            pen.field_d("res2", event.u64(24) as i64);
            pen.text("}");
        });
    },
    What::Bytes(Length::ReturnedTimes(32)),
);
const SUBMITTED: Argument = plain(|pen, r| pen.address(pen.arg(r)));
const EVENT_TIMEOUT: Argument = TIMESPEC_IN;

rows! {
    io_uring_setup [UINT, PARAMETERS, ANSWER] Fd;
    io_uring_enter [FD, UINT, UINT, flags(&URING_ENTER), ENTER_SET, SIZE] Decimal;
    io_uring_register [FD, choice(&URING_REGISTER), REGISTER, UINT] Decimal;
    io_setup [UINT, CONTEXT_OUT] Decimal;
    io_destroy [ADDRESS] Decimal;
    io_submit [ADDRESS, LONG, SUBMITTED] Decimal;
    io_cancel [ADDRESS, ADDRESS, ADDRESS] Decimal;
    io_getevents [ADDRESS, LONG, LONG, EVENTS, EVENT_TIMEOUT] Decimal;
    io_pgetevents [ADDRESS, LONG, LONG, EVENTS, EVENT_TIMEOUT, ADDRESS] Decimal;
    io_pgetevents_time64 [ADDRESS, LONG, LONG, EVENTS, EVENT_TIMEOUT, ADDRESS] Decimal;
}
