//! `siginfo_t`: who sent a signal and why.

use super::pen::{Block, Pen};
use super::row::{Argument, input, output};
use super::xlat::{Table, xlat};
use crate::capture::{Length, What};

xlat! {
    CODE "SI_???" {
        SI_KERNEL 0x80, SI_USER 0, SI_QUEUE -1i64, SI_TIMER -2i64, SI_MESGQ -3i64, SI_ASYNCIO -4i64, SI_SIGIO -5i64,
        SI_TKILL -6i64, SI_DETHREAD -7i64, SI_ASYNCNL -60i64
    }
    CODE_ILL "ILL_???" {
        ILL_ILLOPC 1, ILL_ILLOPN 2, ILL_ILLADR 3, ILL_ILLTRP 4, ILL_PRVOPC 5, ILL_PRVREG 6, ILL_COPROC 7, ILL_BADSTK 8,
        ILL_BADIADDR 9
    }
    CODE_FPE "FPE_???" {
        FPE_INTDIV 1, FPE_INTOVF 2, FPE_FLTDIV 3, FPE_FLTOVF 4, FPE_FLTUND 5, FPE_FLTRES 6, FPE_FLTINV 7, FPE_FLTSUB 8,
        FPE_FLTUNK 14, FPE_CONDTRAP 15
    }
    CODE_SEGV "SEGV_???" {
        SEGV_MAPERR 1, SEGV_ACCERR 2, SEGV_BNDERR 3, SEGV_PKUERR 4, SEGV_ACCADI 5, SEGV_ADIDERR 6, SEGV_ADIPERR 7,
        SEGV_MTEAERR 8, SEGV_MTESERR 9, SEGV_CPERR 10
    }
    CODE_BUS "BUS_???" { BUS_ADRALN 1, BUS_ADRERR 2, BUS_OBJERR 3, BUS_MCEERR_AR 4, BUS_MCEERR_AO 5 }
    CODE_TRAP "TRAP_???" { TRAP_BRKPT 1, TRAP_TRACE 2, TRAP_BRANCH 3, TRAP_HWBKPT 4, TRAP_UNK 5, TRAP_PERF 6 }
    CODE_CHLD "CLD_???" {
        CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3, CLD_TRAPPED 4, CLD_STOPPED 5, CLD_CONTINUED 6
    }
    CODE_POLL "POLL_???" { POLL_IN 1, POLL_OUT 2, POLL_MSG 3, POLL_ERR 4, POLL_PRI 5, POLL_HUP 6 }
    CODE_SYS "SYS_???" { SYS_SECCOMP 1, SYS_USER_DISPATCH 2 }
    AUDIT "AUDIT_ARCH_???" {
        AUDIT_ARCH_X86_64 0xc000003e, AUDIT_ARCH_I386 0x40000003, AUDIT_ARCH_AARCH64 0xc00000b7,
        AUDIT_ARCH_ARM 0x40000028
    }
}

const SIZE: Length = Length::Const(128);

/// What the kernel reads.
pub(crate) const SIGINFO_IN: Argument =
    input(|pen, r| pen.siginfo_at(pen.arg(r)), What::Bytes(SIZE));
/// What it wrote.
pub(crate) const SIGINFO_OUT: Argument =
    output(|pen, r| pen.siginfo_at(pen.arg(r)), What::Bytes(SIZE));

/// Codes of what is sent (include/uapi/asm-generic/siginfo.h).
const SI_USER: i64 = 0;
const SI_TIMER: i64 = -2;
const SI_SIGIO: i64 = -5;
const SI_TKILL: i64 = -6;

/// Signals' numbers.
const SIGILL: i64 = 4;
const SIGTRAP: i64 = 5;
const SIGBUS: i64 = 7;
const SIGFPE: i64 = 8;
const SIGSEGV: i64 = 11;
const SIGCHLD: i64 = 17;
const SIGIO: i64 = 29;
const SIGSYS: i64 = 31;

/// The codes of a signal that the kernel sent.
fn codes(signal: i64) -> Option<&'static Table> {
    Some(match signal {
        SIGILL => &CODE_ILL,
        SIGTRAP => &CODE_TRAP,
        SIGBUS => &CODE_BUS,
        SIGFPE => &CODE_FPE,
        SIGSEGV => &CODE_SEGV,
        SIGCHLD => &CODE_CHLD,
        SIGIO => &CODE_POLL,
        SIGSYS => &CODE_SYS,
        _ => return None,
    })
}

impl Pen<'_> {
    /// `siginfo_t` at an address.
    pub fn siginfo_at(&mut self, address: u64) {
        if let Some(siginfo) = self.fetch_or_address(address, 128) {
            self.siginfo(&siginfo);
        }
    }

    /// `siginfo_t`, in the layout of the call's interface.
    pub fn siginfo(&mut self, siginfo: &Block) {
        let (signal, code) = (siginfo.i32(0), siginfo.i32(8));
        self.text("{");
        if signal == 0 {
            return self.text("}");
        }
        self.field("si_signo");
        self.signal(signal as u64);
        self.field("si_code");
        let table = codes(signal).filter(|_| code > 0 && code != 0x80);
        let table = table.unwrap_or(&CODE);
        let number = u64::from(code as u32);
        match table.name(code as u64) {
            Some(name) => self.meaning(|pen| pen.hex(number), |pen| pen.text(name)),
            None => self.hex(number),
        }
        if siginfo.i32(4) != 0 {
            let errno = siginfo.i32(4);
            self.field("si_errno");
            match u16::try_from(errno).ok().and_then(crate::errno::errno) {
                Some((name, _)) => self.text(name),
                None => self.signed(errno),
            }
        }
        self.siginfo_rest(siginfo, signal, code);
        self.text("}");
    }

    fn siginfo_rest(&mut self, siginfo: &Block, signal: i64, code: i64) {
        let word = self.pointer();
        let at = if word == 8 { 16 } else { 12 };
        match code {
            SI_USER | SI_TKILL => self.sender(siginfo, at),
            SI_TIMER => {
                self.field_x("si_timerid", siginfo.u32(at));
                self.field_d("si_overrun", siginfo.i32(at + 4));
                self.value(siginfo, at + 8);
            }
            SI_SIGIO => self.band(siginfo, at),
            ..0 => {
                self.sender(siginfo, at);
                self.value_if_any(siginfo, at + 8);
            }
            _ => self.siginfo_of_kernel(siginfo, signal, code, at),
        }
    }

    fn siginfo_of_kernel(&mut self, siginfo: &Block, signal: i64, code: i64, at: usize) {
        let word = self.pointer();
        match signal {
            SIGCHLD => {
                self.sender(siginfo, at);
                let status = siginfo.i32(at + 8);
                self.field("si_status");
                if code == 1 {
                    self.signed(status)
                } else {
                    self.signal(status as u64)
                }
                let times = if word == 8 { at + 16 } else { at + 12 };
                self.field_ticks("si_utime", siginfo.word_at(times));
                self.field_ticks("si_stime", siginfo.word_at(times + word));
            }
            SIGILL | SIGFPE | SIGSEGV | SIGBUS | SIGTRAP => {
                self.field_p("si_addr", siginfo.word_at(at));
                match (signal, code) {
                    (SIGSEGV, 3) => {
                        self.field_p("si_lower", siginfo.word_at(at + 2 * word));
                        self.field_p("si_upper", siginfo.word_at(at + 3 * word));
                    }
                    (SIGSEGV, 4) => self.field_u("si_pkey", siginfo.u32(at + 2 * word)),
                    (SIGBUS, 4 | 5) => self.field_x("si_addr_lsb", siginfo.u16(at + word)),
                    _ => {}
                }
            }
            SIGIO if CODE_POLL.name(code as u64).is_some() => self.band(siginfo, at),
            SIGIO => {}
            SIGSYS => {
                self.field_p("si_call_addr", siginfo.word_at(at));
                let number = siginfo.u32(at + word);
                let arch = siginfo.u32(at + word + 4);
                self.field("si_syscall");
                let name = crate::Arch::from_audit(arch as u32)
                    .and_then(|arch| crate::names::name(arch, number));
                match name {
                    Some(name) => {
                        self.text("__NR_");
                        self.text(name);
                    }
                    None => self.unsigned(number),
                }
                self.field_c("si_arch", &AUDIT, arch);
            }
            _ => {
                if siginfo.u64(at) != 0 {
                    self.sender(siginfo, at);
                }
                self.value_if_any(siginfo, at + 8);
            }
        }
    }

    fn sender(&mut self, siginfo: &Block, at: usize) {
        self.field("si_pid");
        self.pid(siginfo.i32(at) as i32);
        self.field("si_uid");
        self.uid(siginfo.u32(at + 4));
    }

    fn band(&mut self, siginfo: &Block, at: usize) {
        let band = siginfo.word_at(at);
        self.field("si_band");
        self.signed(if self.pointer() == 8 { band as i64 } else { i64::from(band as i32) });
        self.field("si_fd");
        self.fd(siginfo.i32(at + self.pointer()) as i32);
    }

    fn value_if_any(&mut self, siginfo: &Block, at: usize) {
        if siginfo.word_at(at) != 0 {
            self.value(siginfo, at);
        }
    }

    fn value(&mut self, siginfo: &Block, at: usize) {
        self.field("si_int");
        self.signed(siginfo.i32(at));
        self.field_p("si_ptr", siginfo.word_at(at));
    }
}
