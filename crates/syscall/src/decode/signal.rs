//! Signals: sending, handling, masking, waiting.

use super::args::*;
use super::pen::{Block, Pen};
use super::row::{Argument, choice, flags, input, output, plain, rows};
use super::siginfo::{SIGINFO_IN, SIGINFO_OUT};
use super::tables::signal::{SIGMASK_HOW, SIGNAL};
use super::time::TIMESPEC_IN;
use super::xlat::xlat;
use crate::arch::Arch;
use crate::capture::{Length, What, When};

xlat! {
    ACTION_FLAGS "SA_???" {
        SA_RESTORER 0x4000000, SA_ONSTACK 0x8000000, SA_RESTART 0x10000000, SA_INTERRUPT 0x20000000,
        SA_NODEFER 0x40000000, SA_RESETHAND 0x80000000, SA_SIGINFO 4, SA_NOCLDSTOP 1, SA_NOCLDWAIT 2,
        SA_UNSUPPORTED 0x400, SA_EXPOSE_TAGBITS 0x800
    }
    STACK_FLAGS "SS_???" { SS_ONSTACK 1, SS_DISABLE 2, SS_AUTODISARM 0x80000000 }
    PIDFD_SIGNAL "PIDFD_SIGNAL_???" {
        PIDFD_SIGNAL_THREAD 1, PIDFD_SIGNAL_THREAD_GROUP 2, PIDFD_SIGNAL_PROCESS_GROUP 4
    }
}

/// A signal's number.
pub(crate) const SIGNAL_NUMBER: Argument = plain(|pen, r| pen.signal(pen.arg_u32(r).into()));
/// A set that the kernel reads; its size is the next argument.
pub(crate) const SIGSET_IN: Argument =
    input(|pen, r| pen.sigset_at(pen.arg(r), pen.arg(r + 1)), What::Bytes(Length::Const(8)));
/// A set that the kernel wrote; its size is the next argument.
const SIGSET_OUT: Argument =
    output(|pen, r| pen.sigset_at(pen.arg(r), pen.arg(r + 1)), What::Bytes(Length::Const(8)));
/// The size of a set.
pub(crate) const SIGSET_SIZE: Argument = SIZE;
/// The sets of rt_sigprocmask: the size is two arguments further.
const MASK_IN: Argument =
    input(|pen, r| pen.sigset_at(pen.arg(r), pen.arg(r + 2)), What::Bytes(Length::Const(8)));
/// The 32-bit sets of i386's older calls.
const OLD_SET_IN: Argument =
    input(|pen, r| pen.sigset_at(pen.arg(r), 4), What::Bytes(Length::Const(4)));
const OLD_SET_OUT: Argument =
    output(|pen, r| pen.sigset_at(pen.arg(r), 4), What::Bytes(Length::Const(4)));
const OLD_MASK: Argument = plain(|pen, r| pen.sigset(pen.arg_u32(r).into(), 32));
const ACTION_IN: Argument = input(action, What::Bytes(Length::Const(32)));
const ACTION_OUT: Argument = output(action, What::Bytes(Length::Const(32)));
const STACK_IN: Argument = input(stack, What::Bytes(Length::Const(24)));
const STACK_OUT: Argument = output(stack, What::Bytes(Length::Const(24)));
const HANDLER: Argument = plain(|pen, r| pen.handler(pen.arg(r)));
/// The mask that sigreturn restores stands on the stack.
const FRAME: Argument = plain(|pen, _| match saved_mask(pen) {
    Some(mask) => {
        pen.text("{mask=");
        pen.sigset(mask, 64);
        pen.text("}");
    }
    None => pen.text("{mask=[...]}"),
})
.taking(0);

/// Where the kernel left the mask: arch/*/kernel/signal.c and asm/sigcontext.h, asm/ucontext.h.
fn saved_mask(pen: &Pen) -> Option<u64> {
    let stack = pen.memory.stack_pointer()?;
    match (pen.call.arch, pen.name) {
        (Arch::X86_64, _) => pen.memory.u64_at(stack + 296),
        (Arch::Aarch64, _) => pen.memory.u64_at(stack + 128 + 40),
        (Arch::I386, "sigreturn") => {
            let low = pen.memory.u32_at(stack + 80)?;
            let high = pen.memory.u32_at(stack + 712)?;
            Some(u64::from(high) << 32 | u64::from(low))
        }
        (Arch::I386, _) => pen.memory.u64_at(u64::from(pen.memory.u32_at(stack + 8)?) + 108),
    }
}

fn action(pen: &mut Pen, r: u8) {
    let address = pen.arg(r);
    let word = pen.pointer();
    let old = pen.name == "sigaction";
    let restorer = pen.call.arch != Arch::Aarch64;
    let mask_bytes = if old { 4 } else { 8 };
    let size = 2 * word + if restorer { word } else { 0 } + mask_bytes;
    let Some(action) = pen.fetch_or_address(address, size) else { return };
    // The old layout has the mask second.
    let (flags_at, restorer_at, mask_at) = match (old, restorer) {
        (true, _) => (2 * word, 3 * word, word),
        (false, true) => (word, 2 * word, 3 * word),
        (false, false) => (word, 0, 2 * word),
    };
    pen.text("{sa_handler=");
    pen.handler(action.word_at(0));
    pen.text(", sa_mask=");
    let mask = if old { action.u32(mask_at) } else { action.u64(mask_at) };
    pen.sigset(mask, if old { 32 } else { 64 });
    pen.text(", sa_flags=");
    let flags = action.word_at(flags_at);
    pen.flags(&ACTION_FLAGS, flags);
    if restorer && flags & 0x400_0000 != 0 {
        pen.field_p("sa_restorer", action.word_at(restorer_at));
    }
    pen.text("}");
}

fn stack(pen: &mut Pen, r: u8) {
    let word = pen.pointer();
    let Some(stack) = pen.fetch_or_address(pen.arg(r), 3 * word) else { return };
    pen.text("{");
    pen.field_p("ss_sp", stack.word(0));
    pen.field_f("ss_flags", &STACK_FLAGS, stack.u32(word));
    pen.field_u("ss_size", stack.word(2));
    pen.text("}");
}

/// How many bits of a set there are.
const SIGNALS: u64 = 64;

impl Pen<'_> {
    /// A signal by name, its number where it has none.
    pub fn signal(&mut self, number: u64) {
        match SIGNAL.name(number) {
            Some(name) => self.meaning(|pen| pen.unsigned(number), |pen| pen.text(name)),
            None => self.signed((number as i32).into()),
        }
    }

    /// A set of signals: `[INT TERM]`, `~[KILL STOP]`.
    pub fn sigset(&mut self, set: u64, signals: u64) {
        let all = if signals >= SIGNALS { u64::MAX } else { (1 << signals) - 1 };
        let mut set = set & all;
        if u64::from(set.count_ones()) >= signals * 2 / 3 {
            self.text("~");
            set = !set & all;
        }
        self.text("[");
        let mut separator = "";
        for number in (1..=signals).filter(|number| set >> (number - 1) & 1 == 1) {
            self.text(separator);
            separator = " ";
            match SIGNAL.name(number) {
                Some(name) => {
                    let name = name.strip_prefix("SIG").unwrap_or(name);
                    self.meaning(|pen| pen.unsigned(number), |pen| pen.text(name));
                }
                None => self.unsigned(number),
            }
        }
        self.text("]");
    }

    /// A set at an address, of so many bytes.
    pub fn sigset_at(&mut self, address: u64, size: u64) {
        let length = size.min(8) as usize;
        if length == 0 {
            return self.address(address);
        }
        if let Some(set) = self.fetch_or_address(address, length) {
            self.sigset(set_bits(&set, length), 8 * length as u64);
        }
    }

    /// What a signal calls.
    fn handler(&mut self, address: u64) {
        let error = if self.compat() { u32::MAX.into() } else { u64::MAX };
        let name = match address {
            0 => "SIG_DFL",
            1 => "SIG_IGN",
            _ if address == error => "SIG_ERR",
            _ => return self.hex(address),
        };
        self.meaning(|pen| pen.hex(address), |pen| pen.text(name));
    }
}

fn set_bits(set: &Block, length: usize) -> u64 {
    (0..length).fold(0, |bits, n| bits | set.u8(n) << (8 * n))
}

fn old_handler(pen: &mut Pen, value: i64) {
    let address = pen.word(value as u64);
    pen.hex(address);
    if address < 2 {
        pen.text(" (");
        pen.by_name(|pen| pen.handler(address));
        pen.text(")");
    }
}

rows! {
    kill [PID, SIGNAL_NUMBER] Decimal;
    tkill [PID, SIGNAL_NUMBER] Decimal;
    tgkill [PID, PID, SIGNAL_NUMBER] Decimal;
    pidfd_send_signal [FD, SIGNAL_NUMBER, SIGINFO_IN, flags(&PIDFD_SIGNAL)] Decimal;
    rt_sigqueueinfo [PID, SIGNAL_NUMBER, SIGINFO_IN] Decimal;
    rt_tgsigqueueinfo [PID, PID, SIGNAL_NUMBER, SIGINFO_IN] Decimal;
    rt_sigaction [SIGNAL_NUMBER, ACTION_IN, ACTION_OUT, SIZE] Decimal;
    sigaction [SIGNAL_NUMBER, ACTION_IN, ACTION_OUT] Decimal;
    signal [SIGNAL_NUMBER, HANDLER] Special(old_handler);
    rt_sigprocmask [choice(&SIGMASK_HOW), MASK_IN, SIGSET_OUT, SIZE] Decimal;
    sigprocmask [choice(&SIGMASK_HOW), OLD_SET_IN, OLD_SET_OUT] Decimal;
    rt_sigpending [SIGSET_OUT, SIZE] Decimal;
    sigpending [OLD_SET_OUT] Decimal;
    rt_sigsuspend [SIGSET_IN, SIZE] Decimal;
    sigsuspend [INT, INT, OLD_MASK] Decimal;
    rt_sigtimedwait [WAITED, SIGINFO_OUT, TIMESPEC_IN, SIZE] Special(waited);
    rt_sigtimedwait_time64 [WAITED, SIGINFO_OUT, TIMESPEC_IN, SIZE] Special(waited);
    sigaltstack [STACK_IN, STACK_OUT] Decimal;
    rt_sigreturn [FRAME] Decimal;
    sigreturn [FRAME] Decimal;
    pause [] Decimal;
    sgetmask [] Special(old_mask);
    ssetmask [OLD_MASK] Special(old_mask);
}

const WAITED: Argument = input(
    |pen, r| pen.sigset_at(pen.arg(r), pen.arg(r + 3)),
    What::Bytes(Length::Const(8)),
)
.also(2, When::Enter, What::Bytes(Length::Const(16)));

/// The signal that was waited for.
fn waited(pen: &mut Pen, value: i64) {
    pen.signed(value);
    if let Some(name) = SIGNAL.name(value as u64) {
        pen.text(" (");
        pen.text(name);
        pen.text(")");
    }
}

fn old_mask(pen: &mut Pen, value: i64) {
    pen.hex(value as u64);
    pen.text(if pen.name == "ssetmask" { " (old mask " } else { " (mask " });
    pen.sigset(value as u64, 32);
    pen.text(")");
}
