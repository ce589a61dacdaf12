//! The table of system calls that make, copy, move, flag or end a handle. It drives both tracers.
//!
//! One row says all: the numbers, what the call does to the table of descriptors (or to threads, timers, watches,
//! mappings), and the kind of what it makes. What depends on a command argument is in the sub-tables: [`crate::ioctls`],
//! [`crate::options`]; io_uring's operations are in [`crate::ring`]. Complete up to Linux 6.18.
//!
//! No row can say what `read(2)` does on a fanotify or userfaultfd descriptor, nor binder's ioctl: these hand out
//! descriptors inside data. Reconciling with the kernel's table finds those.

use fdscope_model::HandleKind;

use crate::arch::Arch;
use crate::effect::Effect::{self, *};
use crate::effect::{
    Cloexec::{self, Always, Never},
    O_CLOEXEC, When,
};

/// One system call that concerns handles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HandleCall {
    /// Its name in the manual. i386 has some calls twice, with narrower and wider arguments: two rows, one name.
    pub name: &'static str,
    /// Its numbers.
    pub numbers: Numbers,
    /// What it does.
    pub effect: Effect,
    /// The kind of what it makes; for an ending call, of what it ends. `UnknownDescriptor` if only looking tells.
    pub kind: HandleKind,
}

/// The numbers of a call in each interface; `None` where it has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Numbers {
    /// 64-bit x86.
    pub x86_64: Option<u16>,
    /// 32-bit x86.
    pub i386: Option<u16>,
    /// 64-bit Arm (and every processor with the generic table).
    pub aarch64: Option<u16>,
}

/// The commands of bpf(2) that return a descriptor (`enum bpf_cmd`), all with close-on-exec set: MAP_CREATE,
/// PROG_LOAD, OBJ_GET, PROG_GET_FD_BY_ID, MAP_GET_FD_BY_ID, RAW_TRACEPOINT_OPEN, BTF_LOAD, BTF_GET_FD_BY_ID,
/// LINK_CREATE, LINK_GET_FD_BY_ID, ENABLE_STATS, ITER_CREATE, TOKEN_CREATE.
pub const BPF_COMMANDS: &[u32] = &[0, 5, 7, 13, 14, 17, 18, 19, 28, 30, 32, 33, 36];

const fn flag(arg: u8) -> Cloexec {
    Cloexec::IfFlag { arg, mask: O_CLOEXEC }
}
const fn bit(arg: u8, mask: u64) -> Cloexec {
    Cloexec::IfFlag { arg, mask }
}
const fn returns(cloexec: Cloexec) -> Effect {
    Returns { cloexec, when: When::Always }
}
const fn returns_if(cloexec: Cloexec, when: When) -> Effect {
    Returns { cloexec, when }
}

macro_rules! number {
    (-) => {
        None
    };
    ($n:literal) => {
        Some($n)
    };
}

pub(crate) use number;

macro_rules! calls {
    ($($name:ident [$x:tt $i:tt $a:tt] $kind:ident $effect:expr;)*) => {
        /// The table.
        pub const CALLS: &[HandleCall] = &[$(HandleCall {
            name: stringify!($name),
            numbers: Numbers { x86_64: number!($x), i386: number!($i), aarch64: number!($a) },
            effect: $effect,
            kind: HandleKind::$kind,
        }),*];
    };
}

// Numbers: x86-64, i386, aarch64.
calls! {
    open                [2 5 -]       UnknownDescriptor returns(flag(1));
    openat              [257 295 56]  UnknownDescriptor returns(flag(2));
    openat2             [437 437 437] UnknownDescriptor returns(Cloexec::IfFlagAt { arg: 2, offset: 0, mask: O_CLOEXEC });
    creat               [85 8 -]      UnknownDescriptor returns(Never);
    open_by_handle_at   [304 342 265] UnknownDescriptor returns(flag(2));
    socket              [41 359 198]  Socket returns(flag(1));
    socketpair          [53 360 199]  Socket Pair { arg: 3, cloexec: flag(1) };
    accept              [43 - 202]    Socket returns(Never);
    accept4             [288 364 242] Socket returns(flag(3));
    pipe                [22 42 -]     Pipe Pair { arg: 0, cloexec: Never };
    pipe2               [293 331 59]  Pipe Pair { arg: 0, cloexec: flag(1) };
    dup                 [32 41 23]    UnknownDescriptor Dup;
    dup2                [33 63 -]     UnknownDescriptor DupOnto { cloexec: Never };
    dup3                [292 330 24]  UnknownDescriptor DupOnto { cloexec: flag(2) };
    fcntl               [72 55 25]    UnknownDescriptor Fcntl;
    fcntl               [- 221 -]     UnknownDescriptor Fcntl;
    eventfd             [284 323 -]   EventFd returns(Never);
    eventfd2            [290 328 19]  EventFd returns(flag(1));
    timerfd_create      [283 322 85]  TimerFd returns(flag(1));
    signalfd            [282 321 -]   SignalFd returns_if(Never, When::Is(0, u32::MAX));
    signalfd4           [289 327 74]  SignalFd returns_if(flag(3), When::Is(0, u32::MAX));
    epoll_create        [213 254 -]   Epoll returns(Never);
    epoll_create1       [291 329 20]  Epoll returns(flag(0));
    inotify_init        [253 291 -]   Inotify returns(Never);
    inotify_init1       [294 332 26]  Inotify returns(flag(0));
    fanotify_init       [300 338 262] Fanotify returns(bit(0, 1));
    memfd_create        [319 356 279] Memfd returns(bit(1, 1));
    memfd_secret        [447 447 447] Memfd returns(flag(0));
    userfaultfd         [323 374 282] UserFaultFd returns(flag(0));
    perf_event_open     [298 336 241] PerfEvent returns(bit(4, 8));
    bpf                 [321 357 280] Bpf returns_if(Always, When::OneOf(0, BPF_COMMANDS));
    io_uring_setup      [425 425 425] IoUring returns_if(Always, When::UnlessAt { arg: 1, offset: 8, mask: 1 << 15 });
    pidfd_open          [434 434 434] PidFd returns(Always);
    pidfd_getfd         [438 438 438] UnknownDescriptor returns(Always);
    mq_open             [240 277 180] MessageQueue returns(Always);
    open_tree           [428 428 428] Mount returns(flag(2));
    open_tree_attr      [467 467 467] Mount returns(flag(2));
    fsopen              [430 430 430] Mount returns(bit(1, 1));
    fsmount             [432 432 432] Mount returns(bit(1, 1));
    fspick              [433 433 433] Mount returns(bit(2, 1));
    landlock_create_ruleset [444 444 444] Landlock returns_if(Always, When::Is(2, 0));
    seccomp             [317 354 277] SeccompListener returns_if(Always, When::Flag(1, 1 << 3));
    ioctl               [16 54 29]    UnknownDescriptor Ioctl;
    getsockopt          [55 365 209]  UnknownDescriptor GetSocketOption;
    recvmsg             [47 372 212]  UnknownDescriptor ReceiveMessage;
    recvmmsg            [299 337 243] UnknownDescriptor ReceiveMessages;
    recvmmsg            [- 417 -]     UnknownDescriptor ReceiveMessages;
    socketcall          [- 102 -]     Socket SocketCall;
    close               [3 6 57]      UnknownDescriptor Close;
    close_range         [436 436 436] UnknownDescriptor CloseRange;
    unshare             [272 310 97]  UnknownDescriptor Unshare;
    clone               [56 120 220]  Child Clone;
    clone3              [435 435 435] Child Clone3;
    fork                [57 2 -]      Child Fork;
    vfork               [58 190 -]    Child Fork;
    waitpid             [- 7 -]       Child Wait;
    wait4               [61 114 260]  Child Wait;
    waitid              [247 284 95]  Child WaitId;
    timer_create        [222 259 107] Timer TimerCreate;
    timer_delete        [226 263 111] Timer TimerDelete;
    inotify_add_watch   [254 292 27]  Watch AddWatch;
    inotify_rm_watch    [255 293 28]  Watch RemoveWatch;
    epoll_ctl           [233 255 21]  Registration EpollControl;
    mmap                [9 - 222]     Mapping Map;
    mmap                [- 192 -]     Mapping Map;
    mmap                [- 90 -]      Mapping MapStruct;
    munmap              [11 91 215]   Mapping Unmap;
    mremap              [25 163 216]  Mapping Remap;
}

/// The calls behind i386's socketcall that concern handles, by the number in its first argument (linux/net.h).
const SOCKETCALLS: &[(u32, &str)] = &[
    (1, "socket"),
    (5, "accept"),
    (8, "socketpair"),
    (15, "getsockopt"),
    (17, "recvmsg"),
    (18, "accept4"),
    (19, "recvmmsg"),
    (21, "recvmmsg"),
];

/// exit: the calling thread ends (not exit_group, which ends the process). It ends handles only if the thread has a
/// table of its own.
pub const EXIT: Numbers = Numbers { x86_64: Some(60), i386: Some(1), aarch64: Some(93) };

/// exit_group: the process ends, with every thread.
pub const EXIT_GROUP: Numbers = Numbers { x86_64: Some(231), i386: Some(252), aarch64: Some(94) };

/// One more than the largest number an index covers.
const INDEXED: usize = 512;

type Index = [u8; INDEXED];

const fn index(arch: Arch) -> Index {
    let mut index = [0; INDEXED];
    let mut row = 0;
    while row < CALLS.len() {
        if let Some(number) = CALLS[row].numbers.of(arch) {
            index[number as usize] = row as u8 + 1;
        }
        row += 1;
    }
    index
}

static INDEXES: [Index; 3] = [index(Arch::X86_64), index(Arch::I386), index(Arch::Aarch64)];

impl Numbers {
    /// The number in one interface.
    pub const fn of(self, arch: Arch) -> Option<u16> {
        match arch {
            Arch::X86_64 => self.x86_64,
            Arch::I386 => self.i386,
            Arch::Aarch64 => self.aarch64,
        }
    }
}

/// The row of a call by its number, in constant time; `None` for calls that leave handles alone.
pub fn by_number(arch: Arch, number: u64) -> Option<&'static HandleCall> {
    let row = INDEXES[arch as usize].get(usize::try_from(number).ok()?)?;
    CALLS.get(usize::from(*row).checked_sub(1)?)
}

/// The first row of a call by its name in the manual.
pub fn by_name(name: &str) -> Option<&'static HandleCall> {
    CALLS.iter().find(|call| call.name == name)
}

/// The call that i386's socketcall stands for, by its first argument.
pub fn socketcall(number: u32) -> Option<&'static HandleCall> {
    let (_, name) = SOCKETCALLS.iter().find(|(n, _)| *n == number)?;
    by_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_finds_its_own_row() {
        for call in CALLS {
            for arch in Arch::ALL {
                if let Some(number) = call.numbers.of(arch) {
                    assert_eq!(by_number(arch, number.into()).map(|row| row.name), Some(call.name));
                }
            }
            assert_eq!(by_name(call.name).map(|row| row.kind), Some(call.kind));
        }
    }

    #[test]
    fn numbers_beyond_the_table_are_nothing() {
        for number in [0, 1, 511, 512, 1 << 16 | 2, u64::MAX] {
            assert_eq!(by_number(Arch::X86_64, number), None, "{number}");
        }
    }

    #[test]
    fn every_socketcall_has_a_row() {
        for (number, name) in SOCKETCALLS {
            assert_eq!(socketcall(*number).map(|row| row.name), Some(*name));
        }
        assert_eq!(socketcall(3), None);
    }
}
