//! The mounts that this process sees, and what may be asked of files on them: a server that does not answer is never waited
//! for.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use fdscope_proc::ProcRoot;
use fdscope_proc::parse::{Mount, parse_mount};

/// The mounts that this process sees.
pub enum Mounts {
    /// Those of when they were first asked for: there can be thousands, and few commands need them.
    Now,
    /// These.
    Given(Vec<Mount>),
}

/// The mounts of now; none where they cannot be read.
static NOW: OnceLock<Option<Vec<Mount>>> = OnceLock::new();

fn read() -> Option<Vec<Mount>> {
    let mut mounts = Vec::new();
    let read = ProcRoot::open().ok()?.read_lines("self/mountinfo", &mut |line| {
        mounts.extend(parse_mount(line));
    });
    read.ok().map(|()| mounts)
}

impl Mounts {
    /// None, for whoever must not ask anything of a file.
    pub fn none() -> Self {
        Mounts::Given(Vec::new())
    }

    fn known(&self) -> Option<&[Mount]> {
        match self {
            Mounts::Now => NOW.get_or_init(read).as_deref(),
            Mounts::Given(mounts) => Some(mounts),
        }
    }

    /// The mount that holds a path; the last of several in one place hides the others.
    pub fn nearest(&self, path: &[u8]) -> Option<&Mount> {
        let above = self.known()?.iter().filter(|mount| is_below(path, mount.point.bytes()));
        above.max_by_key(|mount| mount.point.bytes().len())
    }

    /// The mount on a directory; the last of several hides the others.
    pub fn at(&self, path: &[u8]) -> Option<&Mount> {
        self.known()?.iter().rfind(|mount| mount.point.bytes() == path)
    }

    /// True if asking for the file at `path` may wait for a server, or nobody knows.
    pub fn may_wait(&self, path: &Path) -> bool {
        self.known().is_none() || self.nearest(&bytes(path)).is_some_and(|mount| mount.may_wait())
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
