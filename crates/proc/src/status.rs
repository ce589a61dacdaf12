//! What an inode in memory tells of itself.
//!
//! `AT_STATX_DONT_SYNC` keeps file systems that heed it from asking a server; which ones do stands in `mounts`.

use fdscope_model::{DeviceId, FileStatus, InodeId};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Statx, StatxFlags, statx};
use rustix::io::Errno;
use rustix::path::Arg;

const S_IFMT: u32 = 0o170_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFBLK: u32 = 0o060_000;

/// Asks the file that `path` leads to, without waiting for a server and without mounting anything.
pub(crate) fn ask_file(dir: impl AsFd, path: impl Arg, mask: StatxFlags) -> Result<Statx, Errno> {
    statx(dir, path, AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT, mask)
}

/// The answer to `StatxFlags::BASIC_STATS`.
pub(crate) fn status_of(found: Statx) -> FileStatus {
    let mode = u32::from(found.stx_mode);
    let is_device = matches!(mode & S_IFMT, S_IFCHR | S_IFBLK);
    FileStatus {
        inode: InodeId {
            device: DeviceId::new(found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
        },
        mode,
        links: u64::from(found.stx_nlink),
        size: found.stx_size,
        allocated: found.stx_blocks.saturating_mul(512),
        device: is_device.then_some((found.stx_rdev_major, found.stx_rdev_minor)),
        uid: found.stx_uid,
    }
}
