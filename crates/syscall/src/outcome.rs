//! What a finished system call did to handles: the table's words and the call's arguments made into facts.
//!
//! Pure but for the task's memory. The tracer turns facts into events; threads and processes made by clone are not
//! here, since only the tracer knows their numbers outside the target's PID namespace.

use fdscope_model::HandleKind;

mod descriptors;
mod others;

use crate::arch::Arch;
use crate::effect::{Cloexec, Effect, When};
use crate::handles::{HandleCall, socketcall};
use crate::memory::{Memory, u32_in};

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

    /// The flags of clone, clone3, fork and vfork, as far as they concern tables: `CLONE_FILES`, `CLONE_THREAD`.
    pub fn clone_flags(&self, memory: &dyn Memory) -> Option<u64> {
        match self.call.effect {
            Effect::Clone => Some(self.args[0]),
            Effect::Clone3 => memory.u64_at(self.args[0]),
            Effect::Fork => Some(0),
            _ => None,
        }
    }

    pub(crate) fn arg32(&self, index: usize) -> u32 {
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

    pub(crate) fn flag(&self, cloexec: Cloexec, memory: &dyn Memory) -> Option<bool> {
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
}

const EBADF: i64 = 9;
/// `CLONE_FILES` of linux/sched.h: the child shares the table; in unshare, it is shared no more.
pub const CLONE_FILES: u64 = 0x400;
/// `CLONE_THREAD` of linux/sched.h: the child is a thread.
pub const CLONE_THREAD: u64 = 0x1_0000;

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
