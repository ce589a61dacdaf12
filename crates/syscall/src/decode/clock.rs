//! Clocks, timers, sleeping.

use super::args::*;
use super::pen::Pen;
use super::row::{Argument, choice, ended, flags, input, output, rows};
use super::tables::signal::{CLOCK, ITIMER, TIMER_FLAGS};
use super::time::*;
use super::xlat::xlat;
use crate::capture::{Length, What, When};

xlat! {
    ADJUST "ADJ_???" {
        ADJ_OFFSET 1, ADJ_FREQUENCY 2, ADJ_MAXERROR 4, ADJ_ESTERROR 8, ADJ_STATUS 0x10, ADJ_TIMECONST 0x20, ADJ_TAI 0x80,
        ADJ_SETOFFSET 0x100, ADJ_MICRO 0x1000, ADJ_NANO 0x2000, ADJ_TICK 0x4000
    }
    STATUS "STA_???" {
        STA_PLL 1, STA_PPSFREQ 2, STA_PPSTIME 4, STA_FLL 8, STA_INS 0x10, STA_DEL 0x20, STA_UNSYNC 0x40, STA_FREQHOLD 0x80,
        STA_PPSSIGNAL 0x100, STA_PPSJITTER 0x200, STA_PPSWANDER 0x400, STA_PPSERROR 0x800, STA_CLOCKERR 0x1000,
        STA_NANO 0x2000, STA_MODE 0x4000, STA_CLK 0x8000
    }
    STATE "TIME_???" { TIME_OK 0, TIME_INS 1, TIME_DEL 2, TIME_OOP 3, TIME_WAIT 4, TIME_ERROR 5 }
    NOTIFY "SIGEV_???" { SIGEV_SIGNAL 0, SIGEV_NONE 1, SIGEV_THREAD 2, SIGEV_THREAD_ID 4 }
}

/// A clock by its number.
pub(crate) const CLOCK_ID: Argument = choice(&CLOCK);
/// What is left of a sleep that a signal ended.
const REMAINS: Argument = ended(|pen, r| match pen.ended {
    Some(crate::traced::Ended::Failed(4 | 512..=516)) => pen.timespec_at(pen.arg(r)),
    _ => pen.address(pen.arg(r)),
})
.also(0, When::Exit, What::Bytes(Length::Const(16)));
const ITIMERVAL_IN: Argument =
    input(|pen, r| pen.itimerval_at(pen.arg(r)), What::Bytes(Length::Const(32)));
const ITIMERVAL_OUT: Argument =
    output(|pen, r| pen.itimerval_at(pen.arg(r)), What::Bytes(Length::Const(32)));
const ZONE_OUT: Argument = output(zone, What::Bytes(Length::Const(8)));
const ZONE_IN: Argument = input(zone, What::Bytes(Length::Const(8)));
const TIMER_OUT: Argument = INT_OUT;
const TIMER: Argument = INT;
const EVENT: Argument = input(sigevent, What::Bytes(Length::Const(64)));
const TIMEX: Argument = output(timex, What::Bytes(Length::Const(208)));
const TIME_OUT: Argument = output(
    |pen, r| {
        let word = pen.pointer();
        pen.pointed(pen.arg(r), word, |pen, block| {
            pen.signed(block.long(0));
            pen.date(block.long(0), 0);
        });
    },
    What::Bytes(Length::Const(8)),
);

fn zone(pen: &mut Pen, r: u8) {
    let Some(zone) = pen.fetch_or_address(pen.arg(r), 8) else { return };
    pen.text("{");
    pen.field_d("tz_minuteswest", zone.i32(0));
    pen.field_d("tz_dsttime", zone.i32(4));
    pen.text("}");
}

/// `struct sigevent`.
pub(crate) fn sigevent(pen: &mut Pen, r: u8) {
    let word = pen.pointer();
    let Some(event) = pen.fetch_or_address(pen.arg(r), word + 8 + 2 * word) else { return };
    let notify = event.u32(word + 4);
    pen.text("{");
    if event.word(0) != 0 {
        pen.text("sigev_value={sival_int=");
        pen.signed(event.i32(0));
        pen.field_p("sival_ptr", event.word(0));
        pen.text("}");
    }
    pen.field("sigev_signo");
    match notify {
        0 | 2 | 4 => pen.signal(event.u32(word)),
        _ => pen.signed(event.i32(word)),
    }
    pen.field_c("sigev_notify", &NOTIFY, notify);
    match notify {
        4 => {
            pen.field("sigev_notify_thread_id");
            pen.pid(event.i32(word + 8) as i32);
        }
        2 => {
            pen.field_p("sigev_notify_function", event.word_at(word + 8));
            pen.field_p("sigev_notify_attributes", event.word_at(2 * word + 8));
        }
        _ => {}
    }
    pen.text("}");
}

/// `struct timex`: words throughout, but for the first on 64-bit interfaces (padded), and the kernel's newer layout.
fn timex(pen: &mut Pen, r: u8) {
    let wide = pen.wide_time();
    let step = if wide { 8 } else { 4 };
    let Some(x) = pen.fetch_or_address(pen.arg(r), 26 * step) else { return };
    let number = |n: usize| if wide { x.u64(n * 8) as i64 } else { x.i32(n * 4) };
    pen.text("{");
    pen.field_f("modes", &ADJUST, x.u32(0));
    for (n, name) in [(1, "offset"), (2, "freq"), (3, "maxerror"), (4, "esterror")] {
        pen.field_d(name, number(n));
    }
    pen.field_f("status", &STATUS, x.u32(5 * step));
    for (n, name) in [(6, "constant"), (7, "precision"), (8, "tolerance")] {
        pen.field_d(name, number(n));
    }
    pen.field("time");
    pen.timeval((number(9), number(10)));
    for (n, name) in [(11, "tick"), (12, "ppsfreq"), (13, "jitter")] {
        pen.field_d(name, number(n));
    }
    pen.field_d("shift", x.i32(14 * step));
    for (n, name) in
        [(15, "stabil"), (16, "jitcnt"), (17, "calcnt"), (18, "errcnt"), (19, "stbcnt")]
    {
        pen.field_d(name, number(n));
    }
    pen.field_d("tai", x.i32(20 * step));
    pen.text("}");
}

fn clock_state(pen: &mut Pen, value: i64) {
    pen.signed(value);
    pen.text(" (");
    pen.choice(&STATE, value as u64);
    pen.text(")");
}

rows! {
    time [TIME_OUT] Special(seconds);
    stime [TIME_IN] Decimal;
    gettimeofday [TIMEVAL_OUT, ZONE_OUT] Decimal;
    settimeofday [TIMEVAL_IN, ZONE_IN] Decimal;
    clock_gettime [CLOCK_ID, TIMESPEC_OUT] Decimal;
    clock_gettime64 [CLOCK_ID, TIMESPEC_OUT] Decimal;
    clock_settime [CLOCK_ID, TIMESPEC_IN] Decimal;
    clock_settime64 [CLOCK_ID, TIMESPEC_IN] Decimal;
    clock_getres [CLOCK_ID, TIMESPEC_OUT] Decimal;
    clock_getres_time64 [CLOCK_ID, TIMESPEC_OUT] Decimal;
    clock_nanosleep [CLOCK_ID, flags(&TIMER_FLAGS), TIMESPEC_IN, REMAINS] Decimal;
    clock_nanosleep_time64 [CLOCK_ID, flags(&TIMER_FLAGS), TIMESPEC_IN, REMAINS] Decimal;
    nanosleep [TIMESPEC_IN, REMAINS] Decimal;
    adjtimex [TIMEX] Special(clock_state);
    clock_adjtime [CLOCK_ID, TIMEX] Special(clock_state);
    clock_adjtime64 [CLOCK_ID, TIMEX] Special(clock_state);
    alarm [UINT] Decimal;
    getitimer [choice(&ITIMER), ITIMERVAL_OUT] Decimal;
    setitimer [choice(&ITIMER), ITIMERVAL_IN, ITIMERVAL_OUT] Decimal;
    timer_create [CLOCK_ID, EVENT, TIMER_OUT] Decimal;
    timer_settime [TIMER, flags(&TIMER_FLAGS), ITIMERSPEC_IN, ITIMERSPEC_OUT] Decimal;
    timer_settime64 [TIMER, flags(&TIMER_FLAGS), ITIMERSPEC_IN, ITIMERSPEC_OUT] Decimal;
    timer_gettime [TIMER, ITIMERSPEC_OUT] Decimal;
    timer_gettime64 [TIMER, ITIMERSPEC_OUT] Decimal;
    timer_getoverrun [TIMER] Decimal;
    timer_delete [TIMER] Decimal;
    times [TIMES] Special(ticks);
}

const TIME_IN: Argument = input(
    |pen, r| {
        let word = pen.pointer();
        pen.pointed(pen.arg(r), word, |pen, block| {
            pen.signed(block.long(0));
            pen.date(block.long(0), 0);
        });
    },
    What::Bytes(Length::Const(8)),
);
const TIMES: Argument = output(
    |pen, r| {
        let word = pen.pointer();
        let Some(times) = pen.fetch_or_address(pen.arg(r), 4 * word) else { return };
        pen.text("{");
        for (n, name) in ["tms_utime", "tms_stime", "tms_cutime", "tms_cstime"].iter().enumerate() {
            pen.field_ticks(name, times.word(n));
        }
        pen.text("}");
    },
    What::Bytes(Length::Const(32)),
);

impl Pen<'_> {
    /// A field with clock ticks, a hundred a second (asm/param.h): `250 /* 2.50 s */`.
    pub fn field_ticks(&mut self, name: &str, ticks: u64) {
        self.field_u(name, ticks);
        if ticks != 0 {
            self.text(" /* ");
            self.unsigned(ticks / 100);
            self.text(".");
            super::numbers::padded(self.out, ticks % 100, 2);
            self.text(" s */");
        }
    }
}

fn ticks(pen: &mut Pen, value: i64) {
    pen.signed(value);
}

fn seconds(pen: &mut Pen, value: i64) {
    pen.signed(value);
    let start = pen.out.len();
    pen.date(value, 0);
    // The date stands in round brackets behind a result.
    let date = pen.out.split_off(start);
    if let Some(date) = date.strip_prefix(b" /* ").and_then(|date| date.strip_suffix(b" */")) {
        pen.text(" (");
        pen.out.extend_from_slice(date);
        pen.text(")");
    }
}
