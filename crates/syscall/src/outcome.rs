//! What a finished system call did to handles: the table's words and the call's arguments made into facts.
//!
//! Pure but for the task's memory. The tracer turns facts into events; threads and processes made by clone are not
//! here, since only the tracer knows their numbers outside the target's PID namespace.

use fdscope_model::HandleKind;

use crate::arch::Arch;
use crate::effect::{Cloexec, Effect, When};
use crate::handles::{HandleCall, socketcall};
use crate::ioctls::{Place, ioctl};
use crate::memory::{Memory, u32_in, word_in};
use crate::message::{self, Carrier};
use crate::options::socket_option;

/// A system call with its arguments, as at its entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invocation {
    /// The interface it was made through.
    pub arch: Arch,
    /// Its row.
    pub call: &'static HandleCall,
    /// Its arguments.
    pub args: [u64; 6],
}

/// One fact about handles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A new descriptor.
    Made {
        /// Its number.
        fd: u32,
        /// What it is, as far as the call tells.
        kind: HandleKind,
        /// Its close-on-exec flag, if the call tells.
        cloexec: Option<bool>,
        /// For duplicates: of what.
        of: Option<u32>,
    },
    /// The descriptor was closed.
    Closed(u32),
    /// The descriptor was closed, if it was open, because the one just made took its number.
    Replaced(u32),
    /// All descriptors in the range, ends included, were closed.
    ClosedRange(u32, u32),
    /// All descriptors in the range, ends included, have close-on-exec set.
    FlaggedRange(u32, u32),
    /// The descriptor's close-on-exec flag was set or cleared.
    Flagged(u32, bool),
    /// The caller has a table of its own now.
    Unshared,
    /// A timer of this id was made.
    TimerMade(u32),
    /// The timer of this id was deleted.
    TimerEnded(u32),
    /// The inotify descriptor has this watch (new, or one it had before).
    Watched(u32, u32),
    /// The inotify descriptor lost this watch.
    Unwatched(u32, u32),
    /// The epoll descriptor has this descriptor registered.
    Registered(u32, u32),
    /// The epoll descriptor has this descriptor no longer registered.
    Unregistered(u32, u32),
    /// Memory from this address of this length was mapped; what was mapped there before is not any more.
    Mapped(u64, u64),
    /// Memory from this address of this length was unmapped.
    Unmapped(u64, u64),
    /// This child, by its number in the target's PID namespace, was waited for and is gone.
    Reaped(u32),
}

impl Invocation {
    /// The call behind the call: looks through i386's socketcall. `None` if that one leaves handles alone.
    pub fn resolved(self, memory: &dyn Memory) -> Option<Invocation> {
        if self.call.effect != Effect::SocketCall {
            return Some(self);
        }
        let call = socketcall(self.args[0] as u32)?;
        let mut bytes = [0; 24];
        let read = memory.read(self.args[1], &mut bytes);
        let mut args = [0; 6];
        for (index, arg) in args.iter_mut().enumerate() {
            *arg = u32_in(&bytes[..read], index * 4).unwrap_or(0).into();
        }
        Some(Invocation { call, args, ..self })
    }

    /// Calls `tell` with each fact about a call that returned `result`, in the order in which they became true.
    ///
    /// The call must be [`resolved`](Self::resolved). Failed calls have no facts, but for close: it frees the number
    /// whatever it returns, unless that is EBADF.
    pub fn outcomes(&self, result: i64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        if self.call.effect == Effect::Close && result != -EBADF {
            return tell(Outcome::Closed(self.arg32(0)));
        }
        if result < 0 && !self.returns_address(result) {
            return;
        }
        match self.call.effect {
            Effect::Returns { cloexec, when } if self.holds(when, memory) => {
                tell(self.made(result as u32, cloexec, memory));
            }
            Effect::Pair { arg, cloexec } => {
                for at in [0, 4] {
                    if let Some(fd) = memory.u32_at(self.args[usize::from(arg)].wrapping_add(at)) {
                        tell(self.made(fd, cloexec, memory));
                    }
                }
            }
            Effect::Dup | Effect::DupOnto { .. } | Effect::Fcntl => {
                self.copies(result as u32, tell)
            }
            Effect::CloseRange => self.close_range(tell),
            Effect::Clone | Effect::Clone3 => self.clone_pidfd(memory, tell),
            Effect::ReceiveMessage | Effect::ReceiveMessages => self.received(result, memory, tell),
            Effect::Ioctl => self.ioctl(result, memory, tell),
            Effect::GetSocketOption => self.socket_option(memory, tell),
            Effect::Unshare if self.args[0] & CLONE_FILES != 0 => tell(Outcome::Unshared),
            Effect::Map | Effect::MapStruct | Effect::Unmap | Effect::Remap => {
                self.mappings(result as u64, memory, tell);
            }
            Effect::Wait | Effect::WaitId => self.reaped(result, memory, tell),
            _ => self.registrations(result as u32, memory, tell),
        }
    }

    /// The descriptor that the call works on, by its argument; `None` for calls that take none, and for negative
    /// numbers.
    pub fn descriptor(&self) -> Option<u32> {
        let takes = match self.call.effect {
            Effect::Dup | Effect::DupOnto { .. } | Effect::Fcntl | Effect::Close => true,
            Effect::ReceiveMessage | Effect::ReceiveMessages | Effect::Ioctl => true,
            Effect::GetSocketOption | Effect::AddWatch | Effect::RemoveWatch => true,
            Effect::EpollControl => true,
            _ => DIRECTORY_OR_LISTENER.contains(&self.call.name),
        };
        takes.then(|| self.arg32(0)).filter(|fd| *fd <= i32::MAX as u32)
    }

    fn arg32(&self, index: usize) -> u32 {
        self.args[index] as u32
    }

    /// On a 64-bit kernel the addresses of 32-bit mappings may look negative when cut to 32 bits.
    fn returns_address(&self, result: i64) -> bool {
        let maps = matches!(self.call.effect, Effect::Map | Effect::MapStruct | Effect::Remap);
        maps && result < -4095
    }

    fn holds(&self, when: When, memory: &dyn Memory) -> bool {
        match when {
            When::Always => true,
            When::Is(arg, value) => self.arg32(arg.into()) == value,
            When::OneOf(arg, values) => values.contains(&self.arg32(arg.into())),
            When::Flag(arg, mask) => self.arg32(arg.into()) & mask != 0,
            When::UnlessAt { arg, offset, mask } => {
                let word = memory.u32_at(self.args[usize::from(arg)].wrapping_add(offset.into()));
                word.is_none_or(|word| word & mask == 0)
            }
        }
    }

    fn flag(&self, cloexec: Cloexec, memory: &dyn Memory) -> Option<bool> {
        match cloexec {
            Cloexec::Never => Some(false),
            Cloexec::Always => Some(true),
            Cloexec::IfFlag { arg, mask } => Some(self.args[usize::from(arg)] & mask != 0),
            Cloexec::IfFlagAt { arg, offset, mask } => {
                let address = self.args[usize::from(arg)].wrapping_add(offset.into());
                // The flags of some structures are 32 bits wide and may be the last word of a page.
                let low = memory.u32_at(address)?;
                Some(u64::from(low) & mask != 0)
            }
            Cloexec::Unknown => None,
        }
    }

    fn made(&self, fd: u32, cloexec: Cloexec, memory: &dyn Memory) -> Outcome {
        let cloexec = self.flag(cloexec, memory);
        Outcome::Made { fd, kind: self.call.kind, cloexec, of: None }
    }

    fn copies(&self, result: u32, tell: &mut dyn FnMut(Outcome)) {
        const F_DUPFD: u32 = 0;
        const F_SETFD: u32 = 2;
        const F_DUPFD_CLOEXEC: u32 = 1030;
        let of = self.arg32(0);
        let kind = HandleKind::UnknownDescriptor;
        let copy =
            |cloexec| Outcome::Made { fd: result, kind, cloexec: Some(cloexec), of: Some(of) };
        match self.call.effect {
            Effect::Dup => tell(copy(false)),
            Effect::DupOnto { cloexec } if result != of => {
                tell(Outcome::Replaced(result));
                tell(copy(self.flag(cloexec, &NO_MEMORY).unwrap_or(false)));
            }
            Effect::Fcntl => match self.arg32(1) {
                F_DUPFD => tell(copy(false)),
                F_DUPFD_CLOEXEC => tell(copy(true)),
                F_SETFD => tell(Outcome::Flagged(of, self.args[2] & 1 != 0)),
                _ => {}
            },
            _ => {}
        }
    }

    fn close_range(&self, tell: &mut dyn FnMut(Outcome)) {
        const CLOSE_RANGE_UNSHARE: u32 = 2;
        const CLOSE_RANGE_CLOEXEC: u32 = 4;
        let (first, last, flags) = (self.arg32(0), self.arg32(1), self.arg32(2));
        if flags & CLOSE_RANGE_UNSHARE != 0 {
            tell(Outcome::Unshared);
        }
        tell(match flags & CLOSE_RANGE_CLOEXEC {
            0 => Outcome::ClosedRange(first, last),
            _ => Outcome::FlaggedRange(first, last),
        });
    }

    /// The flags of clone, clone3, fork and vfork, as far as they concern tables: `CLONE_FILES`, `CLONE_THREAD`.
    pub fn clone_flags(&self, memory: &dyn Memory) -> Option<u64> {
        match self.call.effect {
            Effect::Clone => Some(self.args[0]),
            Effect::Clone3 => memory.u64_at(self.args[0]),
            Effect::Fork => Some(0),
            _ => None,
        }
    }

    fn clone_pidfd(&self, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        const CLONE_PIDFD: u64 = 0x1000;
        if self.clone_flags(memory).is_none_or(|flags| flags & CLONE_PIDFD == 0) {
            return;
        }
        let place = match self.call.effect {
            Effect::Clone3 => memory.u64_at(self.args[0].wrapping_add(8)),
            _ => Some(self.args[2]),
        };
        if let Some(fd) = place.and_then(|address| memory.u32_at(address)) {
            tell(Outcome::Made { fd, kind: HandleKind::PidFd, cloexec: Some(true), of: None });
        }
    }

    fn received(&self, result: i64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        let (count, flags) = match self.call.effect {
            Effect::ReceiveMessages => (result.clamp(0, 1024) as u64, self.args[3]),
            _ => (1, self.args[2]),
        };
        let stride = message::vector_stride(self.arch) as u64;
        for index in 0..count {
            self.message(self.args[1].wrapping_add(index * stride), flags, memory, tell);
        }
    }

    fn message(&self, at: u64, flags: u64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        const MSG_CMSG_CLOEXEC: u64 = 0x4000_0000;
        /// More than the kernel ever puts: SCM_MAX_FD is 253.
        const MOST: u64 = 16 << 10;
        let mut header = [0; 64];
        let header = &mut header[..message::header_bytes(self.arch)];
        let read = memory.read(at, header);
        let Some(control) = message::control(&header[..read], self.arch) else { return };
        if control.address == 0 || control.length == 0 {
            return;
        }
        let mut bytes = vec![0; control.length.min(MOST) as usize];
        let read = memory.read(control.address, &mut bytes);
        for carried in message::carried(&bytes[..read], self.arch) {
            let (kind, cloexec) = match carried.by {
                Carrier::Rights => (HandleKind::UnknownDescriptor, flags & MSG_CMSG_CLOEXEC != 0),
                Carrier::PidFd => (HandleKind::PidFd, true),
            };
            tell(Outcome::Made { fd: carried.fd, kind, cloexec: Some(cloexec), of: None });
        }
    }

    fn ioctl(&self, result: i64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        let Some(row) = ioctl(self.arg32(1)) else { return };
        let fd = match row.place {
            Place::Result => Some(result as u32),
            Place::Struct(offset) => memory.u32_at(self.args[2].wrapping_add(offset.into())),
            Place::OtherProcess => None,
        };
        if let Some(fd) = fd.filter(|fd| *fd <= i32::MAX as u32) {
            let cloexec = self.flag(row.cloexec, memory);
            tell(Outcome::Made { fd, kind: row.kind, cloexec, of: None });
        }
    }

    fn socket_option(&self, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        let Some(row) = socket_option(self.arg32(1), self.arg32(2)) else { return };
        let at = self.args[3].wrapping_add(row.offset.into());
        if let Some(fd) = memory.u32_at(at).filter(|fd| *fd <= i32::MAX as u32) {
            let cloexec = self.flag(row.cloexec, memory);
            tell(Outcome::Made { fd, kind: row.kind, cloexec, of: None });
        }
    }

    fn registrations(&self, result: u32, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        const EPOLL_CTL_ADD: u32 = 1;
        const EPOLL_CTL_DEL: u32 = 2;
        let (first, second) = (self.arg32(0), self.arg32(1));
        match (self.call.effect, second) {
            (Effect::TimerCreate, _) => {
                if let Some(id) = memory.u32_at(self.args[2]) {
                    tell(Outcome::TimerMade(id));
                }
            }
            (Effect::TimerDelete, _) => tell(Outcome::TimerEnded(first)),
            (Effect::AddWatch, _) => tell(Outcome::Watched(first, result)),
            (Effect::RemoveWatch, watch) => tell(Outcome::Unwatched(first, watch)),
            (Effect::EpollControl, EPOLL_CTL_ADD) => {
                tell(Outcome::Registered(first, self.arg32(2)))
            }
            (Effect::EpollControl, EPOLL_CTL_DEL) => {
                tell(Outcome::Unregistered(first, self.arg32(2)));
            }
            _ => {}
        }
    }

    fn mappings(&self, result: u64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        match self.call.effect {
            Effect::Map => tell(Outcome::Mapped(self.address(result), self.args[1])),
            Effect::MapStruct => {
                if let Some(length) = memory.u32_at(self.args[0].wrapping_add(4)) {
                    tell(Outcome::Mapped(self.address(result), length.into()));
                }
            }
            Effect::Unmap => tell(Outcome::Unmapped(self.args[0], self.args[1])),
            Effect::Remap => {
                tell(Outcome::Unmapped(self.args[0], self.args[1]));
                tell(Outcome::Mapped(self.address(result), self.args[2]));
            }
            _ => {}
        }
    }

    fn address(&self, result: u64) -> u64 {
        if self.arch.is_compat() { result & 0xffff_ffff } else { result }
    }

    fn reaped(&self, result: i64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        let child = match self.call.effect {
            Effect::Wait => self.waited(result, memory),
            _ => self.waited_id(memory),
        };
        if let Some(child) = child.filter(|child| *child > 0) {
            tell(Outcome::Reaped(child));
        }
    }

    /// wait4 also reports children that stopped or continued (low byte 0x7f, or all ones); without a status to look
    /// at, they can only be meant if WUNTRACED or WCONTINUED was asked for.
    fn waited(&self, result: i64, memory: &dyn Memory) -> Option<u32> {
        const WUNTRACED_WCONTINUED: u64 = 2 | 8;
        let gone = match memory.u32_at(self.args[1]) {
            Some(status) => status & 0xff != 0x7f && status != 0xffff,
            None => self.args[2] & WUNTRACED_WCONTINUED == 0,
        };
        gone.then_some(result as u32)
    }

    /// `siginfo_t`: `si_code` is the third int, `si_pid` follows at the next multiple of the pointer size.
    fn waited_id(&self, memory: &dyn Memory) -> Option<u32> {
        const P_PID: u32 = 1;
        const WNOWAIT: u64 = 0x0100_0000;
        const WSTOPPED_WCONTINUED: u64 = 2 | 8;
        const CLD_EXITED_KILLED_DUMPED: std::ops::RangeInclusive<u32> = 1..=3;
        if self.args[3] & WNOWAIT != 0 {
            return None;
        }
        let mut bytes = [0; 24];
        let read = memory.read(self.args[2], &mut bytes);
        if read < bytes.len() {
            let only_ends = self.args[3] & WSTOPPED_WCONTINUED == 0;
            return (only_ends && self.arg32(0) == P_PID).then(|| self.arg32(1));
        }
        let code = u32_in(&bytes, 8)?;
        let pid_at = 12usize.next_multiple_of(self.arch.pointer_bytes());
        let pid = word_in(&bytes, pid_at, 4)? as u32;
        CLD_EXITED_KILLED_DUMPED.contains(&code).then_some(pid)
    }
}

const EBADF: i64 = 9;
/// `CLONE_FILES` of linux/sched.h: the child shares the table; in unshare, it is shared no more.
pub const CLONE_FILES: u64 = 0x400;
/// `CLONE_THREAD` of linux/sched.h: the child is a thread.
pub const CLONE_THREAD: u64 = 0x1_0000;

const NO_MEMORY: (u64, &[u8]) = (0, &[]);

/// Calls with a descriptor as first argument that their effect does not tell: directories, listeners, filesystems.
const DIRECTORY_OR_LISTENER: &[&str] = &[
    "openat",
    "openat2",
    "accept",
    "accept4",
    "open_by_handle_at",
    "open_tree",
    "open_tree_attr",
    "fsmount",
    "fspick",
    "pidfd_getfd",
    "signalfd",
    "signalfd4",
];
