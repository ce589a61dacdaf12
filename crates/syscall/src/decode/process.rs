//! Making processes and threads, running programs, awaiting ends, namespaces.

use super::args::*;
use super::pen::Pen;
use super::row::{Argument, choice, ended, flags, input, output, plain, rows};
use super::siginfo::SIGINFO_OUT;
use super::tables::process::*;
use super::xlat::xlat;
use crate::Arch;
use crate::capture::{Length, What, When};

xlat! {
    CLONE "CLONE_???" {
        CLONE_VM 0x100, CLONE_FS 0x200, CLONE_FILES 0x400, CLONE_SIGHAND 0x800, CLONE_PIDFD 0x1000,
        CLONE_PTRACE 0x2000, CLONE_VFORK 0x4000, CLONE_PARENT 0x8000, CLONE_THREAD 0x10000, CLONE_NEWNS 0x20000,
        CLONE_SYSVSEM 0x40000, CLONE_SETTLS 0x80000, CLONE_PARENT_SETTID 0x100000, CLONE_CHILD_CLEARTID 0x200000,
        CLONE_DETACHED 0x400000, CLONE_UNTRACED 0x800000, CLONE_CHILD_SETTID 0x1000000, CLONE_NEWCGROUP 0x2000000,
        CLONE_NEWUTS 0x4000000, CLONE_NEWIPC 0x8000000, CLONE_NEWUSER 0x10000000, CLONE_NEWPID 0x20000000,
        CLONE_NEWNET 0x40000000, CLONE_IO 0x80000000
    }
    CLONE3 "CLONE_???" {
        CLONE_NEWTIME 0x80, CLONE_CLEAR_SIGHAND 0x100000000, CLONE_INTO_CGROUP 0x200000000,
        CLONE_VM 0x100, CLONE_FS 0x200, CLONE_FILES 0x400, CLONE_SIGHAND 0x800, CLONE_PIDFD 0x1000,
        CLONE_PTRACE 0x2000, CLONE_VFORK 0x4000, CLONE_PARENT 0x8000, CLONE_THREAD 0x10000, CLONE_NEWNS 0x20000,
        CLONE_SYSVSEM 0x40000, CLONE_SETTLS 0x80000, CLONE_PARENT_SETTID 0x100000, CLONE_CHILD_CLEARTID 0x200000,
        CLONE_DETACHED 0x400000, CLONE_UNTRACED 0x800000, CLONE_CHILD_SETTID 0x1000000, CLONE_NEWCGROUP 0x2000000,
        CLONE_NEWUTS 0x4000000, CLONE_NEWIPC 0x8000000, CLONE_NEWUSER 0x10000000, CLONE_NEWPID 0x20000000,
        CLONE_NEWNET 0x40000000, CLONE_IO 0x80000000
    }
}

const PIDFD: u64 = 0x1000;
const SETTLS: u64 = 0x80000;
const PARENT_SETTID: u64 = 0x10_0000;
const CHILD_CLEARTID: u64 = 0x20_0000;
const CHILD_SETTID: u64 = 0x100_0000;

/// Where clone's arguments stand: flags, stack, parent's word, child's word, thread storage.
fn clone_registers(arch: Arch) -> [u8; 5] {
    match arch {
        Arch::X86_64 => [0, 1, 2, 3, 4],
        Arch::I386 | Arch::Aarch64 => [0, 1, 2, 4, 3],
    }
}

/// All of clone's arguments that are known before the call.
const CLONE_BEFORE: Argument = plain(|pen, _| {
    let [flags_at, stack_at, ..] = clone_registers(pen.call.arch);
    let value = pen.arg(flags_at);
    pen.text("child_stack=");
    pen.address(pen.arg(stack_at));
    pen.text(", flags=");
    let signal = value & 0xff;
    if value & !0xff != 0 || signal == 0 {
        pen.flags(&CLONE, value & 0xffff_ff00);
        if signal != 0 {
            pen.text("|");
        }
    }
    if signal != 0 {
        pen.signal(signal);
    }
    if value & (PARENT_SETTID | PIDFD) != 0 {
        pen.text(", ");
    } else {
        clone_rest(pen);
    }
})
.taking(5)
.also(2, When::Exit, What::Bytes(Length::Const(4)));

const CLONE_AFTER: Argument = ended(|pen, _| {
    let [flags_at, _, parent_at, ..] = clone_registers(pen.call.arch);
    let value = pen.arg(flags_at);
    if value & (PARENT_SETTID | PIDFD) == 0 {
        return;
    }
    pen.text("parent_tid=");
    let address = pen.arg(parent_at);
    match pen.failed() {
        true => pen.address(address),
        false => pen.pointed(address, 4, |pen, block| match value & PIDFD {
            0 => pen.pid(block.i32(0) as i32),
            _ => pen.fd(block.i32(0) as i32),
        }),
    }
    clone_rest(pen);
})
.glued()
.taking(0);

fn clone_rest(pen: &mut Pen) {
    let [flags_at, _, _, child_at, storage_at] = clone_registers(pen.call.arch);
    let value = pen.arg(flags_at);
    if value & SETTLS != 0 {
        pen.text(", tls=");
        pen.thread_storage(pen.arg(storage_at));
    }
    if value & (CHILD_SETTID | CHILD_CLEARTID) != 0 {
        pen.text(", child_tidptr=");
        pen.address(pen.arg(child_at));
    }
}

/// `struct clone_args` before the call.
const CLONE_ARGS: Argument = input(clone3, What::Bytes(Length::Argument(1)));

fn clone3(pen: &mut Pen, r: u8) {
    const KNOWN: u64 = 88;
    let (address, size) = (pen.arg(r), pen.arg(r + 1));
    if size < 64 {
        return pen.address(address);
    }
    let Some(args) = pen.fetch_or_address(address, size.min(KNOWN) as usize) else { return };
    let value = args.u64(0);
    pen.text("{");
    pen.field_f("flags", &CLONE3, value);
    if value & PIDFD != 0 {
        pen.field_p("pidfd", args.u64(8));
    }
    if value & (CHILD_SETTID | CHILD_CLEARTID) != 0 {
        pen.field_p("child_tid", args.u64(16));
    }
    if value & PARENT_SETTID != 0 {
        pen.field_p("parent_tid", args.u64(24));
    }
    pen.field("exit_signal");
    match args.u64(32) {
        signal if signal < 256 => pen.signal(signal),
        signal => pen.unsigned(signal),
    }
    pen.field_p("stack", args.u64(40));
    pen.field_x("stack_size", args.u64(48));
    if value & SETTLS != 0 {
        pen.field_p("tls", args.u64(56));
    }
    if args.u64(64) != 0 || args.u64(72) != 0 {
        pen.field("set_tid");
        let count = args.u64(72);
        pen.array(args.u64(64), count.min(64), 4, |pen, block| pen.pid(block.i32(0) as i32));
        pen.field_u("set_tid_size", count);
    }
    if size >= KNOWN && (value & 0x2_0000_0000 != 0 || args.u64(80) != 0) {
        pen.field("cgroup");
        pen.wide_fd(args.u64(80));
    }
    pen.unknown_tail(address, KNOWN, size);
    pen.text("}");
}

/// What the kernel wrote for clone3, and the size.
const CLONE_WRITTEN: Argument = ended(|pen, r| {
    clone3_written(pen, r - 1);
    pen.text(", ");
    pen.unsigned(pen.arg(r));
})
.glued();

fn clone3_written(pen: &mut Pen, r: u8) {
    if pen.failed() || pen.arg(r + 1) < 64 {
        return;
    }
    let Some(args) = pen.fetch(pen.arg(r), 64) else { return };
    let value = args.u64(0);
    let pidfd = (value & PIDFD != 0).then(|| pen.memory.u32_at(args.u64(8))).flatten();
    // What the kernel writes there is what it returns, should nobody have looked.
    let parent = (value & PARENT_SETTID != 0)
        .then(|| pen.memory.u32_at(args.u64(24)).or(pen.returned().map(|tid| tid as u32)))
        .flatten();
    if pidfd.is_none() && parent.is_none() {
        return;
    }
    pen.text(" => {");
    if let Some(fd) = pidfd {
        pen.field("pidfd");
        pen.text("[");
        pen.fd(fd as i32);
        pen.text("]");
    }
    if let Some(tid) = parent {
        pen.field("parent_tid");
        pen.text("[");
        pen.pid(tid as i32);
        pen.text("]");
    }
    pen.text("}");
}

impl Pen<'_> {
    /// What waits return in place of an end: `[{WIFEXITED(s) && WEXITSTATUS(s) == 1}]`.
    fn wait_status(&mut self, status: u64) {
        let (signal, code) = (status & 0x7f, status >> 8 & 0xff);
        self.text("{");
        match signal {
            _ if status == 0xffff => self.text("WIFCONTINUED(s)"),
            0 => {
                self.text("WIFEXITED(s) && WEXITSTATUS(s) == ");
                self.unsigned(code);
            }
            0x7f => {
                self.text("WIFSTOPPED(s) && WSTOPSIG(s) == ");
                let group = code & 0x80;
                self.signal(code & 0x7f);
                if group != 0 {
                    self.text(" | 0x80");
                }
            }
            _ => {
                self.text("WIFSIGNALED(s) && WTERMSIG(s) == ");
                self.signal(signal);
                if status & 0x80 != 0 {
                    self.text(" && WCOREDUMP(s)");
                }
            }
        }
        self.text("}");
        let event = status >> 16;
        if event != 0 {
            self.text(" | ");
            self.hex(event);
            self.text(" << 16");
        }
    }

    /// Thread storage: an address, or on i386 a descriptor of a segment.
    fn thread_storage(&mut self, address: u64) {
        match self.compat() {
            true => self.user_descriptor(address),
            false => self.address(address),
        }
    }

    /// `struct user_desc` of x86.
    pub fn user_descriptor(&mut self, address: u64) {
        let Some(entry) = self.fetch_or_address(address, 16) else { return };
        self.text("{");
        self.field_d("entry_number", entry.i32(0));
        for (name, at) in [("base_addr", 4), ("limit", 8)] {
            // %#08x of printf(3)
            self.field(name);
            let value = entry.u32(at);
            self.text(if value == 0 { "00" } else { "0x" });
            super::numbers::padded_hex(self.out, value, 6.max(hex_digits(value)));
        }
        let bits = entry.u32(12);
        for (name, shift, mask) in [
            ("seg_32bit", 0, 1),
            ("contents", 1, 3),
            ("read_exec_only", 3, 1),
            ("limit_in_pages", 4, 1),
            ("seg_not_present", 5, 1),
            ("useable", 6, 1),
        ] {
            self.field_u(name, bits >> shift & mask);
        }
        self.text("}");
    }
}

fn hex_digits(value: u64) -> u32 {
    (64 - value.leading_zeros()).div_ceil(4)
}

const STATUS: Argument = output(
    |pen, r| match pen.returned() {
        Some(0) | None => pen.address(pen.arg(r)),
        Some(_) => pen.pointed(pen.arg(r), 4, |pen, block| pen.wait_status(block.u32(0))),
    },
    What::Bytes(Length::Const(4)),
);
/// rusage, where a process was found.
const WAIT_USAGE: Argument = output(
    |pen, r| match pen.returned() {
        Some(0) | None => pen.address(pen.arg(r)),
        Some(_) => super::limits::usage(pen, r),
    },
    What::Bytes(Length::Const(144)),
);
const WAITID_WHOM: Argument = plain(|pen, r| match pen.arg_u32(r - 1) {
    3 => pen.fd(pen.arg_i32(r)),
    _ => pen.pid(pen.arg_i32(r)),
})
.descriptor();
const WAITID_USAGE: Argument = output(super::limits::usage, What::Bytes(Length::Const(144)));
/// On aarch64 and x86 alike: the interface's own structure.
const WHOM: Argument = PID;
const EXIT_STATUS: Argument = INT;

rows! {
    clone [CLONE_BEFORE, CLONE_AFTER] Pid;
    clone3 [CLONE_ARGS, CLONE_WRITTEN] Pid;
    fork [] Pid;
    vfork [] Pid;
    exit [EXIT_STATUS] Never;
    exit_group [EXIT_STATUS] Never;
    wait4 [WHOM, STATUS, flags(&WAIT4), WAIT_USAGE] Pid;
    waitpid [WHOM, STATUS, flags(&WAIT4)] Pid;
    waitid [choice(&IDTYPE), WAITID_WHOM, SIGINFO_OUT, flags(&WAITID), WAITID_USAGE] Decimal;
    unshare [flags(&UNSHARE)] Decimal;
    setns [FD, flags(&SETNS)] Decimal;
    getpid [] Pid;
    getppid [] Pid;
    gettid [] Pid;
    getpgrp [] Pid;
    getpgid [PID] Pid;
    setpgid [PID, PID] Decimal;
    getsid [PID] Pid;
    setsid [] Pid;
    set_tid_address [ADDRESS] Pid;
    set_robust_list [ADDRESS, SIZE] Decimal;
    get_robust_list [PID, POINTER_OUT, WORD_OUT] Decimal;
    rseq [ADDRESS, HEX32, HEX32, HEX32] Decimal;
    kcmp [PID, PID, choice(&KCMP), KCMP_FIRST, KCMP_SECOND] Decimal;
}

const POINTER_OUT: Argument = output(
    |pen, r| {
        let word = pen.pointer();
        pen.pointed(pen.arg(r), word, |pen, block| pen.address(block.word(0)));
    },
    What::Bytes(Length::Const(8)),
);
const WORD_OUT: Argument = output(
    |pen, r| {
        let word = pen.pointer();
        pen.pointed(pen.arg(r), word, |pen, block| pen.unsigned(block.word(0)));
    },
    What::Bytes(Length::Const(8)),
);
/// kcmp's two things to compare, if the kind has any.
const KCMP_FIRST: Argument = plain(|pen, r| match pen.arg_u32(2) {
    0 | 7 => {
        pen.text(", ");
        pen.fd(pen.arg_i32(r));
    }
    1..=6 => {}
    _ => {
        pen.text(", ");
        pen.hex(pen.arg(r));
    }
})
.glued();
const KCMP_SECOND: Argument = plain(|pen, r| match pen.arg_u32(2) {
    0 => {
        pen.text(", ");
        pen.fd(pen.arg_i32(r));
    }
    1..=6 => {}
    _ => {
        pen.text(", ");
        pen.hex(pen.arg(r));
    }
})
.glued();
