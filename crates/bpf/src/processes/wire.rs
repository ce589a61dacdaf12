//! Rows of the iterator over processes as they are in memory: the Rust side of `bpf/seen.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Words of the bitmap of open descriptors in a row.
pub const SEEN_WORDS: usize = 16;

/// `struct seen_row`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct SeenRow {
    /// Nanoseconds from boot to its start.
    pub start_ns: u64,
    /// Soft RLIMIT_NOFILE.
    pub nofile: u64,
    /// Soft RLIMIT_NPROC.
    pub nproc: u64,
    /// Its number, in the initial PID namespace.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// Effective user.
    pub uid: u32,
    /// `PF_*`.
    pub flags: u32,
    /// `__state`.
    pub state: u32,
    /// `exit_state`.
    pub exit_state: u32,
    /// Threads.
    pub threads: u32,
    /// Words of the bitmap; more than [`SEEN_WORDS`] if it could not be copied, or would not fit.
    pub words: u32,
    /// `comm`, up to the first NUL.
    pub comm: [u8; 16],
    /// The bitmap of open descriptors.
    pub open: [u64; SEEN_WORDS],
}

const _: () = assert!(size_of::<SeenRow>() == 200, "as bpf/seen.h says");
