//! The mounts that this process sees, and what may be asked of files on them: a server that does not answer is never waited
//! for.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use fdscope_proc::ProcRoot;
use fdscope_proc::parse::{Mount, parse_mountinfo};

/// The mounts that this process sees.
pub struct Mounts(Vec<Mount>);

/// File systems whose servers may not answer: their files are compared by name alone.
const MAY_WAIT: &[&[u8]] =
    &[b"fuse", b"nfs", b"nfs4", b"cifs", b"smb3", b"9p", b"ceph", b"afs", b"lustre", b"autofs"];

impl Mounts {
    /// Those of now.
    pub fn read(proc: &ProcRoot) -> Self {
        let mut mounts = Vec::new();
        let read = proc.read("self/mountinfo").unwrap_or_default();
        parse_mountinfo(&read, |mount| mounts.push(mount));
        Mounts(mounts)
    }

    /// Given ones.
    #[cfg(test)]
    pub fn of(mounts: Vec<Mount>) -> Self {
        Mounts(mounts)
    }

    /// None, for whoever must not ask anything of a file.
    pub fn none() -> Self {
        Mounts(Vec::new())
    }

    /// The mount that holds a path; the last of several in one place hides the others.
    pub fn nearest(&self, path: &[u8]) -> Option<&Mount> {
        let above = self.0.iter().filter(|mount| is_below(path, mount.point.bytes()));
        above.max_by_key(|mount| mount.point.bytes().len())
    }

    /// The mount on a directory; the last of several hides the others.
    pub fn at(&self, path: &[u8]) -> Option<&Mount> {
        self.0.iter().rfind(|mount| mount.point.bytes() == path)
    }

    /// True if asking for the file at `path` may wait for a server.
    pub fn may_wait(&self, path: &Path) -> bool {
        self.nearest(&bytes(path)).is_some_and(|mount| {
            let kind = mount.kind.bytes();
            let kind = kind.split(|&byte| byte == b'.').next().unwrap_or(kind);
            MAY_WAIT.contains(&kind)
        })
    }
}

/// True if `name` is the directory `folder` or below it.
pub fn is_below(name: &[u8], folder: &[u8]) -> bool {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    let rest = name.strip_prefix(folder);
    name.starts_with(b"/") && rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// A path from the root, `.` and `..` taken out by text alone.
pub fn absolute(path: &Path) -> PathBuf {
    let start = if path.is_absolute() {
        PathBuf::new()
    } else {
        std::env::current_dir().unwrap_or_default()
    };
    let mut out = start;
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// A path as the kernel has it.
pub fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}
