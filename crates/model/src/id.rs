//! Numbers that name things in the kernel, each a type of its own so that they cannot be mixed up.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// A process: a thread group id as seen from the PID namespace of fdscope. Always positive.
    Pid(u32)
}
number! {
    /// A thread: what gettid(2) returns, as seen from the PID namespace of fdscope.
    Tid(u32)
}
number! {
    /// A descriptor: an index into a process's table of open files. Never negative.
    FdNumber(u32)
}
number! {
    /// A table of descriptors (`struct files_struct`). Threads share one; so do `CLONE_FILES` children.
    ///
    /// Opaque: BPF uses the kernel address, other sources a number of their own. Two sources' ids never mix.
    TableId(u64)
}
number! {
    /// An open file description (`struct file`), shared by dup(2) and fork(2).
    ///
    /// Opaque: BPF uses the kernel address. An address can be reused once the description is gone.
    FileId(u64)
}
number! {
    /// A distinct call stack within one run.
    StackId(u32)
}
number! {
    /// A leak site within one report: one kind at one place in the code, or one name pattern.
    SiteId(u32)
}
number! {
    /// A device number in the kernel's internal encoding, `major << 20 | minor` (include/linux/kdev_t.h).
    DeviceId(u32)
}
number! {
    /// Nanoseconds of CLOCK_MONOTONIC. The only clock in events; wall time is for people, at the edges.
    Monotonic(u64)
}

impl Monotonic {
    /// Nanoseconds from `earlier` to `self`; zero if `earlier` is later.
    pub fn since_ns(self, earlier: Monotonic) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment in seconds since boot, for arithmetic on trends.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl DeviceId {
    /// The device number of a major and a minor part.
    pub fn new(major: u32, minor: u32) -> Self {
        DeviceId(major << 20 | minor & 0xf_ffff)
    }
}

/// An inode on a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct InodeId {
    /// The device of the file system (`st_dev`), not of the device node.
    pub device: DeviceId,
    /// The inode number.
    pub inode: u64,
}

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ProcessId {
    /// The thread group id.
    pub pid: Pid,
    /// Start time in clock ticks since boot: field 22 of /proc/PID/stat (proc_pid_stat(5)).
    pub start_ticks: u64,
}
