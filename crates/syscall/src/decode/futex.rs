//! Futexes: an operation, and what it takes.

use super::args::{ADDRESS, HEX, HEX32, INT, UINT};
use super::pen::Pen;
use super::row::{Argument, plain, rows};
use super::tables::signal::FUTEX;
use super::xlat::xlat;
use crate::capture::{Length, What, When};

xlat! {
    OPERATION "FUTEX_OP_???" { FUTEX_OP_SET 0, FUTEX_OP_ADD 1, FUTEX_OP_OR 2, FUTEX_OP_ANDN 3, FUTEX_OP_XOR 4 }
    COMPARISON "FUTEX_OP_CMP_???" {
        FUTEX_OP_CMP_EQ 0, FUTEX_OP_CMP_NE 1, FUTEX_OP_CMP_LT 2, FUTEX_OP_CMP_LE 3, FUTEX_OP_CMP_GT 4, FUTEX_OP_CMP_GE 5
    }
    FUTEX2 "FUTEX2_???" { FUTEX2_SIZE_U8 0, FUTEX2_SIZE_U16 1, FUTEX2_SIZE_U32 2, FUTEX2_SIZE_U64 3, FUTEX2_NUMA 4, FUTEX2_PRIVATE 0x80 }
}

const CLOCK_REALTIME: u32 = 0x100;

const OPERATION_AND_REST: Argument = plain(|pen, r| {
    let operation = pen.arg_u32(r);
    if FUTEX.name(operation.into()).is_some() || operation & CLOCK_REALTIME == 0 {
        pen.choice(&FUTEX, operation.into());
    } else {
        pen.choice(&FUTEX, u64::from(operation & !CLOCK_REALTIME));
        pen.text("|FUTEX_CLOCK_REALTIME");
    }
    rest(pen, operation & 0x7f);
})
.taking(5)
.also(2, When::Enter, What::Bytes(Length::Const(16)));

fn rest(pen: &mut Pen, operation: u32) {
    let value = pen.arg_u32(2);
    let mask = |pen: &mut Pen, value: u32| {
        pen.text(", ");
        match value {
            u32::MAX => pen.text("FUTEX_BITSET_MATCH_ANY"),
            _ => pen.hex(value.into()),
        }
    };
    let number = |pen: &mut Pen, value: u32| {
        pen.text(", ");
        pen.unsigned(value.into());
    };
    match operation {
        0 => {
            number(pen, value);
            timeout(pen);
        }
        1 | 2 => number(pen, value),
        3 => {
            number(pen, value);
            number(pen, pen.arg_u32(3));
            second(pen);
        }
        4 => {
            number(pen, value);
            number(pen, pen.arg_u32(3));
            second(pen);
            number(pen, pen.arg_u32(5));
        }
        5 => {
            number(pen, value);
            number(pen, pen.arg_u32(3));
            second(pen);
            wake_operation(pen);
        }
        6 | 13 => timeout(pen),
        7 | 8 => {}
        9 => {
            number(pen, value);
            timeout(pen);
            mask(pen, pen.arg_u32(5));
        }
        10 => {
            number(pen, value);
            mask(pen, pen.arg_u32(5));
        }
        11 => {
            number(pen, value);
            timeout(pen);
            second(pen);
        }
        12 => {
            number(pen, value);
            number(pen, pen.arg_u32(3));
            second(pen);
            number(pen, pen.arg_u32(5));
        }
        _ => {
            number(pen, value);
            pen.text(", ");
            pen.address(pen.arg(3));
            second(pen);
            pen.text(", ");
            pen.hex(pen.arg_u32(5).into());
        }
    }
}

fn timeout(pen: &mut Pen) {
    pen.text(", ");
    pen.timespec_at(pen.arg(3));
}

fn second(pen: &mut Pen) {
    pen.text(", ");
    pen.address(pen.arg(4));
}

/// The packed operation and comparison of FUTEX_WAKE_OP.
fn wake_operation(pen: &mut Pen) {
    let packed = u64::from(pen.arg_u32(5));
    pen.text(", ");
    if packed >> 28 & 8 != 0 {
        pen.text("FUTEX_OP_OPARG_SHIFT<<28|");
    }
    pen.choice(&OPERATION, packed >> 28 & 7);
    pen.text("<<28|");
    pen.hex(packed >> 12 & 0xfff);
    pen.text("<<12|");
    pen.choice(&COMPARISON, packed >> 24 & 0xf);
    pen.text("<<24|");
    pen.hex(packed & 0xfff);
}

rows! {
    futex [ADDRESS, OPERATION_AND_REST] Decimal;
    futex_time64 [ADDRESS, OPERATION_AND_REST] Decimal;
    futex_wake [ADDRESS, HEX, INT, super::row::flags(&FUTEX2)] Decimal;
    futex_wait [ADDRESS, HEX, HEX, super::row::flags(&FUTEX2), super::time::TIMESPEC_IN, super::clock::CLOCK_ID] Decimal;
    futex_requeue [ADDRESS, HEX32, INT, INT] Decimal;
    futex_waitv [ADDRESS, UINT, HEX32, super::time::TIMESPEC_IN, super::clock::CLOCK_ID] Decimal;
}
