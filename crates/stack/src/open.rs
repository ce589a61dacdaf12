//! Opening files that the target names: without waiting, regular ones only, and inside its own root directory.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Opens the file at `path` as a process with this root directory would, symbolic links included.
///
/// openat2(2) keeps absolute links inside the root; kernels before 5.6 and seccomp filters that refuse the call get
/// a plain open.
pub fn open_below(root: &Path, path: &[u8]) -> Option<File> {
    use rustix::fs::{Mode, ResolveFlags, openat2};
    let relative = Path::new(OsStr::from_bytes(path));
    let relative = relative.strip_prefix("/").unwrap_or(relative);
    let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
    let directory = rustix::fs::open(root, flags, Mode::empty()).ok()?;
    match openat2(&directory, relative, quiet_flags(), Mode::empty(), ResolveFlags::IN_ROOT) {
        Ok(file) => regular(file.into()),
        Err(Errno::NOSYS | Errno::PERM) => open_quietly(&root.join(relative)),
        Err(_) => None,
    }
}

/// Opens for reading without ever waiting: what is mapped may meanwhile be a FIFO or a terminal.
pub fn open_quietly(path: &Path) -> Option<File> {
    rustix::fs::open(path, quiet_flags(), rustix::fs::Mode::empty())
        .ok()
        .and_then(|f| regular(f.into()))
}

fn quiet_flags() -> OFlags {
    OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
}

fn regular(file: File) -> Option<File> {
    file.metadata().is_ok_and(|facts| facts.is_file()).then_some(file)
}
