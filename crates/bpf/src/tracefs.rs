//! The ids of tracepoints, without touching the host's mounts.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// The tracing file system: the mounted one, or an instance that only this process can see.
pub struct Tracefs {
    root: OwnedFd,
}

/// Where distributions mount it.
const MOUNTED: &[&str] = &["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

impl Tracefs {
    /// Opens it. A detached mount is used where none is mounted: it vanishes when closed.
    ///
    /// # Errors
    /// `EPERM` or `EACCES` without CAP_SYS_ADMIN where none is mounted or readable.
    pub fn open() -> Result<Self, Errno> {
        Self::mounted().map_or_else(Self::detached, Ok)
    }

    fn mounted() -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        MOUNTED
            .iter()
            .filter_map(|path| rustix::fs::open(*path, flags, Mode::empty()).ok())
            .map(|root| Tracefs { root })
            .find(|tracefs| tracefs.id("raw_syscalls", "sys_exit").is_ok())
    }

    fn detached() -> Result<Self, Errno> {
        let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(&context)?;
        let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
        Ok(Tracefs { root })
    }

    /// The id of an event.
    ///
    /// # Errors
    /// `NotFound` if the kernel has no such event.
    pub fn id(&self, category: &str, event: &str) -> io::Result<u64> {
        let path = format!("events/{category}/{event}/id");
        let file = openat(&self.root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut bytes = [0; 24];
        let length = rustix::io::read(&file, &mut bytes)?;
        let text = String::from_utf8_lossy(&bytes[..length]);
        text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_with_or_without_a_mount() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root");
            return;
        }
        let tracefs = Tracefs::open().expect("root may open tracefs");
        assert!(tracefs.id("raw_syscalls", "sys_exit").expect("exists since 2.6") > 0);
        let missing = tracefs.id("syscalls", "sys_exit_no_such_call").expect_err("does not exist");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
