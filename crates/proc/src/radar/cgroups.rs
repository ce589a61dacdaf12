//! Which processes stand in a cgroup whose pids.max is in sight.
//!
//! Asked from the side of the cgroups, of which there are fewer than processes: the tree is walked once, and only where a
//! limit is near are its processes listed. Unlimited cgroups, and those outside what is mounted here, bind nobody that
//! could be told.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use fdscope_model::{Limit, LimitName, Pid};

use super::tighter;
use crate::cgroup::pids_mounts;
use crate::parse::{decimal, parse_single};
use crate::root::ProcRoot;

/// A limit is in sight from this part of it on: one sixteenth.
const IN_SIGHT: u64 = 16;

/// Directories looked into at most.
const MOST_DIRECTORIES: usize = 4096;

/// How deep the tree is followed.
const DEEPEST: usize = 16;

/// The tightest limit above each process for which one is in sight.
pub(super) fn limited(root: &ProcRoot) -> HashMap<Pid, Limit> {
    let mut walk = Walk { root, found: HashMap::new(), room: MOST_DIRECTORIES };
    for mount in pids_mounts(root) {
        walk.enter(Path::new(OsStr::from_bytes(mount.bytes())), None, DEEPEST);
    }
    walk.found
}

struct Walk<'a> {
    root: &'a ProcRoot,
    found: HashMap<Pid, Limit>,
    room: usize,
}

impl Walk<'_> {
    fn enter(&mut self, path: &Path, above: Option<Limit>, depth: usize) {
        if depth == 0 || self.room == 0 {
            return;
        }
        self.room -= 1;
        let limit = tighter(self.limit(path), above);
        if let Some(limit) = limit {
            self.add_processes(path, limit);
        }
        for below in self.root.directories_outside(path) {
            self.enter(&path.join(below), limit, depth - 1);
        }
    }

    fn limit(&self, path: &Path) -> Option<Limit> {
        let number = |file| parse_single(&self.root.read_outside(&path.join(file)).ok()?).ok();
        let value = number("pids.max").filter(|&value| value != u64::MAX)?;
        let used = number("pids.current")?;
        let limit = Limit { name: LimitName::CgroupPids, value, used };
        (used >= value / IN_SIGHT).then_some(limit)
    }

    fn add_processes(&mut self, path: &Path, limit: Limit) {
        let procs: PathBuf = path.join("cgroup.procs");
        let bytes = self.root.read_outside(&procs).unwrap_or_default();
        for line in bytes.split(|&b| b == b'\n') {
            if let Some(pid) = decimal(line).and_then(|pid| u32::try_from(pid).ok()) {
                let known = self.found.get(&Pid(pid)).copied();
                self.found.extend(tighter(known, Some(limit)).map(|limit| (Pid(pid), limit)));
            }
        }
    }
}
