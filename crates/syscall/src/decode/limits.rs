//! Limits, usage, priorities, processors.

use super::args::*;
use super::pen::{Block, Pen};
use super::row::{Argument, choice, input, output, plain, rows};
use super::tables::process::{IOPRIO_WHO, PRIO, RLIMIT, RUSAGE, SCHED};
use super::time::TIMESPEC_OUT;
use super::xlat::{Table, xlat};
use crate::capture::{Length, What};

xlat! {
    IOPRIO_CLASS "IOPRIO_CLASS_???" {
        IOPRIO_CLASS_NONE 0, IOPRIO_CLASS_RT 1, IOPRIO_CLASS_BE 2, IOPRIO_CLASS_IDLE 3
    }
    SCHED_FLAGS "SCHED_FLAG_???" {
        SCHED_FLAG_RESET_ON_FORK 1, SCHED_FLAG_RECLAIM 2, SCHED_FLAG_DL_OVERRUN 4, SCHED_FLAG_KEEP_POLICY 8,
        SCHED_FLAG_KEEP_PARAMS 16, SCHED_FLAG_UTIL_CLAMP_MIN 32, SCHED_FLAG_UTIL_CLAMP_MAX 64
    }
}

const LIMITS_IN: Argument = input(limits, What::Bytes(Length::Const(16)));
const LIMITS_OUT: Argument = output(limits, What::Bytes(Length::Const(16)));
const USAGE_OUT: Argument = output(usage, What::Bytes(Length::Const(144)));
const RUSAGE_WHO: Table = RUSAGE;
const POLICY: Argument = choice(&SCHED);
const PARAM_IN: Argument =
    input(|pen, r| pen.pointed_int(pen.arg(r)), What::Bytes(Length::Const(4)));
const ATTRIBUTES_IN: Argument = input(attributes, What::Bytes(Length::Const(56)));
const ATTRIBUTES_OUT: Argument = output(attributes, What::Bytes(Length::Const(56)));
const PROCESSORS_IN: Argument =
    input(|pen, r| processors(pen, r, pen.arg_u32(r - 1).into()), What::Bytes(Length::Argument(1)));
const PROCESSORS_OUT: Argument = output(
    |pen, r| processors(pen, r, pen.returned().unwrap_or(0).max(0) as u64),
    What::Bytes(Length::Returned),
);
const UINT_OUT: Argument = output(
    |pen, r| pen.pointed(pen.arg(r), 4, |pen, block| pen.unsigned(block.u32(0))),
    What::Bytes(Length::Const(4)),
);
const IOPRIO: Argument = plain(|pen, r| io_priority(pen, pen.arg_u32(r).into()));
const PRIO_WHO: Argument = PID;

/// `struct rlimit`, of 32-bit words only in i386's older calls.
fn limits(pen: &mut Pen, r: u8) {
    let wide = pen.name == "prlimit64" || !pen.compat();
    let Some(pair) = pen.fetch_or_address(pen.arg(r), if wide { 16 } else { 8 }) else { return };
    pen.text("{rlim_cur=");
    let half = |n: usize| if wide { pair.u64(8 * n) } else { pair.u32(4 * n) };
    limit(pen, half(0), wide);
    pen.text(", rlim_max=");
    limit(pen, half(1), wide);
    pen.text("}");
}

fn limit(pen: &mut Pen, value: u64, wide: bool) {
    let infinity = if wide { u64::MAX } else { u32::MAX.into() };
    let plain = value != infinity && (value <= 1024 || !value.is_multiple_of(1024));
    match plain {
        true => pen.unsigned(value),
        false => {
            pen.meaning(|pen| pen.unsigned(value), |pen| limit_words(pen, value, infinity, wide))
        }
    }
}

fn limit_words(pen: &mut Pen, value: u64, infinity: u64, wide: bool) {
    match value {
        _ if value == infinity && wide => pen.text("RLIM64_INFINITY"),
        _ if value == infinity => pen.text("RLIM_INFINITY"),
        _ => {
            pen.unsigned(value / 1024);
            pen.text("*1024");
        }
    }
}

/// `struct rusage`.
pub(crate) fn usage(pen: &mut Pen, r: u8) {
    let word = pen.pointer();
    let Some(usage) = pen.fetch_or_address(pen.arg(r), 18 * word) else { return };
    pen.text("{ru_utime=");
    pen.timeval((usage.long(0), usage.long(1)));
    pen.text(", ru_stime=");
    pen.timeval((usage.long(2), usage.long(3)));
    if pen.style.abbreviate {
        return pen.rest();
    }
    for (n, name) in [
        "ru_maxrss",
        "ru_ixrss",
        "ru_idrss",
        "ru_isrss",
        "ru_minflt",
        "ru_majflt",
        "ru_nswap",
        "ru_inblock",
        "ru_oublock",
        "ru_msgsnd",
        "ru_msgrcv",
        "ru_nsignals",
        "ru_nvcsw",
        "ru_nivcsw",
    ]
    .into_iter()
    .enumerate()
    {
        pen.field_u(name, usage.word(4 + n));
    }
    pen.text("}");
}

/// A set of processors, of so many bytes.
fn processors(pen: &mut Pen, r: u8, bytes: u64) {
    let length = bytes.min(Block::MOST as u64) as usize;
    let Some(set) = pen.fetch_or_address(pen.arg(r), length) else { return };
    pen.text("[");
    let mut separator = "";
    for (n, byte) in set.bytes().iter().enumerate() {
        for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
            pen.text(separator);
            pen.unsigned(8 * n as u64 + bit);
            separator = " ";
        }
    }
    pen.text("]");
}

/// `struct sched_attr`.
fn attributes(pen: &mut Pen, r: u8) {
    let Some(attributes) = pen.fetch_or_address(pen.arg(r), 48) else { return };
    pen.text("{");
    pen.field_u("size", attributes.u32(0));
    pen.field_c("sched_policy", &SCHED, attributes.u32(4));
    pen.field_f("sched_flags", &SCHED_FLAGS, attributes.u64(8));
    pen.field_d("sched_nice", attributes.i32(16));
    pen.field_u("sched_priority", attributes.u32(20));
    pen.field_u("sched_runtime", attributes.u64(24));
    pen.field_u("sched_deadline", attributes.u64(32));
    pen.field_u("sched_period", attributes.u64(40));
    let tail = (attributes.u32(0) >= 56).then(|| pen.fetch(pen.arg(r), 56)).flatten();
    if let Some(tail) = tail {
        pen.field_u("sched_util_min", tail.u32(48));
        pen.field_u("sched_util_max", tail.u32(52));
    }
    pen.text("}");
}

fn io_priority(pen: &mut Pen, value: u64) {
    pen.text("IOPRIO_PRIO_VALUE(");
    pen.choice(&IOPRIO_CLASS, value >> 13);
    pen.text(", ");
    pen.unsigned(value & 0x1fff);
    pen.text(")");
}

fn priority_of_io(pen: &mut Pen, value: i64) {
    pen.hex(value as u64);
    pen.text(" (");
    io_priority(pen, value as u64);
    pen.text(")");
}

fn policy_result(pen: &mut Pen, value: i64) {
    pen.hex(value as u64);
    if let Some(name) = SCHED.name(value as u64 & !0x4000_0000) {
        pen.text(" (");
        pen.text(name);
        if value & 0x4000_0000 != 0 {
            pen.text("|SCHED_RESET_ON_FORK");
        }
        pen.text(")");
    }
}

rows! {
    getrlimit [choice(&RLIMIT), LIMITS_OUT] Decimal;
    ugetrlimit [choice(&RLIMIT), LIMITS_OUT] Decimal;
    setrlimit [choice(&RLIMIT), LIMITS_IN] Decimal;
    prlimit64 [PID, choice(&RLIMIT), LIMITS_IN, LIMITS_OUT] Decimal;
    getrusage [who(), USAGE_OUT] Decimal;
    getpriority [choice(&PRIO), PRIO_WHO] Decimal;
    setpriority [choice(&PRIO), PRIO_WHO, INT] Decimal;
    nice [INT] Decimal;
    ioprio_get [choice(&IOPRIO_WHO), INT] Special(priority_of_io);
    ioprio_set [choice(&IOPRIO_WHO), INT, IOPRIO] Decimal;
    sched_yield [] Decimal;
    sched_setscheduler [PID, POLICY, PARAM_IN] Decimal;
    sched_getscheduler [PID] Special(policy_result);
    sched_setparam [PID, PARAM_IN] Decimal;
    sched_getparam [PID, INT_OUT] Decimal;
    sched_get_priority_max [choice(&SCHED)] Decimal;
    sched_get_priority_min [choice(&SCHED)] Decimal;
    sched_rr_get_interval [PID, TIMESPEC_OUT] Decimal;
    sched_rr_get_interval_time64 [PID, TIMESPEC_OUT] Decimal;
    sched_setaffinity [PID, UINT, PROCESSORS_IN] Decimal;
    sched_getaffinity [PID, UINT, PROCESSORS_OUT] Decimal;
    sched_setattr [PID, ATTRIBUTES_IN, HEX32] Decimal;
    sched_getattr [PID, ATTRIBUTES_OUT, UINT, HEX32] Decimal;
    getcpu [UINT_OUT, UINT_OUT, ADDRESS] Decimal;
}

/// Whose usage; negative ones count as 64 bits.
const fn who() -> Argument {
    plain(|pen, r| pen.choice(&RUSAGE_WHO, i64::from(pen.arg_i32(r)) as u64))
}
