//! prctl and arch_prctl: an option, and what it takes.

use super::pen::Pen;
use super::row::{Argument, ended, plain, rows};
use super::tables::process::{ARCH_PRCTL, PRCTL};
use super::xlat::xlat;
use crate::capture::{Length, What, When};

xlat! {
    DUMPABLE "SUID_DUMP_???" { SUID_DUMP_DISABLE 0, SUID_DUMP_USER 1, SUID_DUMP_ROOT 2 }
    SECCOMP_MODE "SECCOMP_MODE_???" {
        SECCOMP_MODE_DISABLED 0, SECCOMP_MODE_STRICT 1, SECCOMP_MODE_FILTER 2
    }
    SECURE_BITS "SECBIT_???" {
        SECBIT_NOROOT 1, SECBIT_NOROOT_LOCKED 2, SECBIT_NO_SETUID_FIXUP 4, SECBIT_NO_SETUID_FIXUP_LOCKED 8,
        SECBIT_KEEP_CAPS 16, SECBIT_KEEP_CAPS_LOCKED 32, SECBIT_NO_CAP_AMBIENT_RAISE 64,
        SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED 128
    }
    AMBIENT "PR_CAP_AMBIENT_???" {
        PR_CAP_AMBIENT_IS_SET 1, PR_CAP_AMBIENT_RAISE 2, PR_CAP_AMBIENT_LOWER 3, PR_CAP_AMBIENT_CLEAR_ALL 4
    }
    MM "PR_SET_MM_???" {
        PR_SET_MM_START_CODE 1, PR_SET_MM_END_CODE 2, PR_SET_MM_START_DATA 3, PR_SET_MM_END_DATA 4,
        PR_SET_MM_START_STACK 5, PR_SET_MM_START_BRK 6, PR_SET_MM_BRK 7, PR_SET_MM_ARG_START 8, PR_SET_MM_ARG_END 9,
        PR_SET_MM_ENV_START 10, PR_SET_MM_ENV_END 11, PR_SET_MM_AUXV 12, PR_SET_MM_EXE_FILE 13, PR_SET_MM_MAP 14,
        PR_SET_MM_MAP_SIZE 15
    }
    MCE "PR_MCE_KILL_???" { PR_MCE_KILL_LATE 0, PR_MCE_KILL_EARLY 1, PR_MCE_KILL_DEFAULT 2 }
    TSC "PR_TSC_???" { PR_TSC_ENABLE 1, PR_TSC_SIGSEGV 2 }
    NO_CAPABILITY "CAP_???" {}
    SPECULATION "PR_SPEC_???" { PR_SPEC_STORE_BYPASS 0, PR_SPEC_INDIRECT_BRANCH 1, PR_SPEC_L1D_FLUSH 2 }
    SPECULATION_STATE "PR_SPEC_???" {
        PR_SPEC_NOT_AFFECTED 0, PR_SPEC_PRCTL 1, PR_SPEC_ENABLE 2, PR_SPEC_DISABLE 4, PR_SPEC_FORCE_DISABLE 8,
        PR_SPEC_DISABLE_NOEXEC 16
    }
    VMA "PR_SET_VMA_???" { PR_SET_VMA_ANON_NAME 0 }
}

const SET_PDEATHSIG: u32 = 1;
const GET_PDEATHSIG: u32 = 2;
const SET_NAME: u32 = 15;
const GET_NAME: u32 = 16;
const SET_MM: u32 = 35;
const SET_VMA: u32 = 0x5356_4d41;

/// Options whose second argument the kernel fills.
fn fills(option: u32) -> bool {
    matches!(option, GET_PDEATHSIG | 5 | 9 | 11 | GET_NAME | 19 | 25 | 37 | 40)
}

const OPTION: Argument = plain(|pen, r| {
    let option = pen.arg_u32(r);
    pen.choice(&PRCTL, option.into());
    if fills(option) {
        return pen.text(", ");
    }
    given(pen, option);
})
.taking(5)
.also(1, When::Enter, What::CString)
.also(4, When::Enter, What::CString)
.also(1, When::Exit, What::Bytes(Length::Const(16)));

fn numbers(pen: &mut Pen, registers: std::ops::Range<u8>, write: fn(&mut Pen, u64)) {
    for register in registers {
        pen.text(", ");
        write(pen, pen.arg(register));
    }
}

fn given(pen: &mut Pen, option: u32) {
    let second = pen.arg(1);
    let value = |pen: &mut Pen, write: &dyn Fn(&mut Pen)| {
        pen.text(", ");
        write(pen);
    };
    match option {
        3 | 7 | 14 | 21 | 27 | 30 => {}
        SET_PDEATHSIG => value(pen, &|pen| pen.signal(second)),
        4 => value(pen, &|pen| pen.choice(&DUMPABLE, second)),
        8 | 29 | 36 => numbers(pen, 1..2, |pen, n| pen.unsigned(n)),
        SET_NAME => value(pen, &|pen| pen.string_up_to(second, 15)),
        22 => seccomp(pen),
        23 | 24 => value(pen, &|pen| capability(pen, second)),
        52 => value(pen, &|pen| pen.choice(&SPECULATION, second)),
        28 => value(pen, &|pen| pen.flags(&SECURE_BITS, second)),
        34 | 38 => numbers(pen, 1..5, |pen, n| pen.unsigned(n)),
        0x5961_6d61 => numbers(pen, 1..2, |pen, n| match i32::try_from(n) {
            Ok(pid) => pen.pid(pid),
            Err(_) => pen.text("PR_SET_PTRACER_ANY"),
        }),
        39 | 42 => numbers(pen, 1..5, |pen, n| pen.hex(n)),
        41 => numbers(pen, 1..5, |pen, n| pen.unsigned(n)),
        SET_MM => {
            value(pen, &|pen| pen.choice(&MM, second));
            match second {
                13 => value(pen, &|pen| pen.fd(pen.arg_i32(2))),
                _ => value(pen, &|pen| pen.address(pen.arg(2))),
            }
            numbers(pen, 3..5, |pen, n| pen.unsigned(n));
        }
        47 => {
            value(pen, &|pen| pen.choice(&AMBIENT, second));
            match second {
                4 => numbers(pen, 2..3, |pen, n| pen.unsigned(n)),
                _ => value(pen, &|pen| capability(pen, pen.arg(2))),
            }
            numbers(pen, 3..5, |pen, n| pen.unsigned(n));
        }
        SET_VMA => {
            value(pen, &|pen| pen.choice(&VMA, second));
            value(pen, &|pen| pen.address(pen.arg(2)));
            value(pen, &|pen| pen.unsigned(pen.arg(3)));
            value(pen, &|pen| pen.string_up_to(pen.arg(4), 80));
        }
        _ => numbers(pen, 1..5, |pen, n| pen.hex(n)),
    }
}

fn seccomp(pen: &mut Pen) {
    let mode = pen.arg(1);
    pen.text(", ");
    pen.choice(&SECCOMP_MODE, mode);
    if mode == 2 {
        pen.text(", ");
        super::system::program(pen, pen.arg(2));
    }
}

fn capability(pen: &mut Pen, number: u64) {
    match usize::try_from(number).ok().and_then(|n| super::creds::CAPABILITIES.get(n)) {
        Some(name) => pen.meaning(|pen| pen.hex(number), |pen| pen.text(name)),
        None => pen.choice(&NO_CAPABILITY, number),
    }
}

const FILLED: Argument = ended(|pen, _| {
    let option = pen.arg_u32(0);
    if !fills(option) {
        return;
    }
    let address = pen.arg(1);
    match option {
        _ if pen.failed() => pen.address(address),
        GET_NAME => pen.string_up_to(address, 16),
        GET_PDEATHSIG => pen.pointed(address, 4, |pen, block| pen.signal(block.u32(0))),
        40 => {
            let word = pen.pointer();
            pen.pointed(address, word, |pen, block| pen.address(block.word(0)));
        }
        25 => pen.pointed(address, 4, |pen, block| pen.choice(&TSC, block.u32(0))),
        _ => pen.pointed_int(address),
    }
})
.glued()
.taking(0);

fn result(pen: &mut Pen, value: i64) {
    let remark = match pen.arg_u32(0) {
        3 => DUMPABLE.name(value as u64),
        34 => MCE.name(value as u64),
        _ => None,
    };
    match (remark, pen.arg_u32(0)) {
        (Some(name), _) => {
            pen.signed(value);
            pen.text(" (");
            pen.text(name);
            pen.text(")");
        }
        (None, 52) => {
            pen.hex(value as u64);
            pen.text(" (");
            pen.by_name(|pen| pen.flags(&SPECULATION_STATE, value as u64));
            pen.text(")");
        }
        (None, 27) if value != 0 => {
            pen.hex(value as u64);
            pen.text(" (");
            pen.flags(&SECURE_BITS, value as u64);
            pen.text(")");
        }
        _ => pen.signed(value),
    }
}

/// arch_prctl's codes that only ask, with a place for the answer.
fn asks(code: u64) -> bool {
    matches!(code, 0x1003 | 0x1004 | 0x1021 | 0x1022 | 0x1024 | 0x4001)
}

const ARCH_CODE: Argument = plain(|pen, r| {
    let code = pen.arg_u32(r).into();
    pen.choice(&ARCH_PRCTL, code);
    match code {
        0x1011 => {}
        _ if asks(code) => pen.text(", "),
        0x1012 => {
            pen.text(", ");
            pen.unsigned(pen.arg(r + 1));
        }
        _ => {
            pen.text(", ");
            pen.hex(pen.arg(r + 1));
        }
    }
})
.also(1, When::Exit, What::Bytes(Length::Const(8)));
const ARCH_ANSWER: Argument = ended(|pen, r| {
    if !asks(pen.arg_u32(r - 1).into()) {
        return;
    }
    let address = pen.arg(r);
    let word = pen.pointer();
    match pen.failed() {
        true => pen.address(address),
        false => pen.pointed(address, word, |pen, block| pen.hex(block.word(0))),
    }
})
.glued();

rows! {
    prctl [OPTION, FILLED] Special(result);
    arch_prctl [ARCH_CODE, ARCH_ANSWER] Decimal;
}
