//! The cgroup limit on threads: pids.max, in version 1, version 2 and the hybrid of both; and cgroups by number.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fdscope_model::{Limit, LimitName, Name, Pid};

use crate::parse::{CgroupEntry, Mount, parse_cgroup, parse_mount, parse_mountinfo, parse_single};
use crate::root::{PidDir, ProcRoot};

/// The pids.max with the least room above the process: every ancestor's binds. `None` if none is set or visible.
pub(crate) fn tightest_pids_limit(root: &ProcRoot, dir: &PidDir) -> Option<Limit> {
    let bytes = dir.read("cgroup", "read cgroup").ok()?;
    let entries = parse_cgroup(&bytes);
    let entry = entries
        .iter()
        .find(|entry| entry.has(b"pids"))
        .or_else(|| entries.iter().find(|entry| entry.is_unified()))?;
    let mount = find_mount(root, dir, entry)?;
    let leaf = place(&mount, entry)?;
    let point = Path::new(OsStr::from_bytes(mount.point.bytes()));
    leaf.ancestors()
        .take_while(|path| path.starts_with(point))
        .filter_map(|path| {
            let number = |file| parse_single(&root.read_outside(&path.join(file)).ok()?).ok();
            let value = number("pids.max").filter(|&value| value != u64::MAX)?;
            Some(Limit { name: LimitName::CgroupPids, value, used: number("pids.current")? })
        })
        .min_by_key(|limit| limit.value.saturating_sub(limit.used))
}

/// Cgroups of which the paths are looked up: more than any machine has.
const MOST_CGROUPS: usize = 100_000;

impl ProcRoot {
    /// The paths of cgroups of version 2 by the kernel's number of them, which is the inode of the directory: those that
    /// fdscope's mount of the hierarchy shows, as paths below it. None where it is not mounted.
    pub fn cgroup_paths(&self) -> HashMap<u64, Name> {
        let mut found = HashMap::new();
        let mut point = None;
        parse_mountinfo(&self.read("thread-self/mountinfo").unwrap_or_default(), |mount| {
            if mount.kind.bytes() == b"cgroup2" && point.is_none() {
                point = Some(PathBuf::from(OsStr::from_bytes(mount.point.bytes())));
            }
        });
        let Some(point) = point.filter(|_| self.is_live()) else { return found };
        let mut left = vec![point.clone()];
        while let Some(folder) = left.pop().filter(|_| found.len() < MOST_CGROUPS) {
            // A file system in memory, which answers at once.
            let Ok(status) = std::fs::symlink_metadata(&folder) else { continue };
            let below = folder.strip_prefix(&point).unwrap_or(&folder).as_os_str().as_bytes();
            found.insert(status.ino(), Name::from([b"/", below].concat()));
            let folders = self.directories_outside(&folder);
            left.extend(folders.into_iter().map(|name| folder.join(name)));
        }
        found
    }
}

/// The mount of the hierarchy, as fdscope sees it (as the process does, for a captured tree).
fn find_mount(root: &ProcRoot, dir: &PidDir, entry: &CgroupEntry<'_>) -> Option<Mount> {
    let own = root.is_own().then(|| root.pid_dir(Pid(std::process::id())).ok()).flatten();
    let bytes = own.as_ref().unwrap_or(dir).read("mountinfo", "read mountinfo").ok()?;
    let mut found = None;
    parse_mountinfo(&bytes, |mount| {
        let is_it = match (mount.kind.bytes(), entry.is_unified()) {
            (b"cgroup2", true) => true,
            (b"cgroup", false) => mount.options.bytes().split(|&b| b == b',').any(|o| o == b"pids"),
            _ => false,
        };
        if is_it && found.is_none() {
            found = Some(mount);
        }
    });
    found
}

/// Where the hierarchies with the pids controller are mounted, as fdscope sees it: one of version 1, one of version 2.
pub(crate) fn pids_mounts(root: &ProcRoot) -> Vec<Name> {
    let own = if root.is_own() { std::process::id() } else { 1 };
    let Ok(dir) = root.pid_dir(Pid(own)) else { return Vec::new() };
    let mut found: [Option<Name>; 2] = [None, None];
    let _unreadable = dir.read_lines("mountinfo", "read mountinfo", &mut |line| {
        // Most lines are of other file systems, and there can be thousands.
        if !line.windows(8).any(|part| part == b"- cgroup") {
            return;
        }
        let Some(mount) = parse_mount(line) else { return };
        let of_pids = |options: &Name| options.bytes().split(|&b| b == b',').any(|o| o == b"pids");
        match mount.kind.bytes() {
            b"cgroup" if of_pids(&mount.options) => found[0].get_or_insert(mount.point),
            b"cgroup2" => found[1].get_or_insert(mount.point),
            _ => return,
        };
    });
    let [first, second] = found;
    let second = second.filter(|point| {
        let controllers = Path::new(OsStr::from_bytes(point.bytes())).join("cgroup.controllers");
        let bytes = root.read_outside(&controllers).unwrap_or_default();
        bytes.split(|b| b.is_ascii_whitespace()).any(|word| word == b"pids")
    });
    first.into_iter().chain(second).collect()
}

/// The directory of the cgroup; `None` if it is outside what is mounted (another cgroup namespace).
fn place(mount: &Mount, entry: &CgroupEntry<'_>) -> Option<PathBuf> {
    let path = Path::new(OsStr::from_bytes(entry.path));
    let below = path.strip_prefix(OsStr::from_bytes(mount.root.bytes())).ok()?;
    let climbs = below.components().any(|part| part == std::path::Component::ParentDir);
    (!climbs).then(|| Path::new(OsStr::from_bytes(mount.point.bytes())).join(below))
}
