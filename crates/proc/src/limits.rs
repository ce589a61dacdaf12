//! The limits that a process can run into, each with how much of it is used by everything that counts against it.
//!
//! A limit that cannot break this process is left out rather than shown with a number that misleads: RLIMIT_NPROC
//! where it is not enforced, inotify's and epoll's where the process has none of either. So is one whose use may not
//! be read.

use fdscope_model::{Limit, LimitName, Pid};

use crate::cgroup::tightest_pids_limit;
use crate::error::ProcError;
use crate::parse::{
    RLimit, Resource, Status, UNLIMITED, parse_file_nr, parse_limits, parse_loadavg_tasks,
    parse_single,
};
use crate::root::{PidDir, ProcRoot};
use crate::users::UserUse;

/// How much work the used shares may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// The process and the kernel's own counters: a few dozen system calls, for every second.
    Process,
    /// And mappings (as dear as they are many), and every process of the same user: for reports.
    User,
}

/// CAP_SYS_ADMIN and CAP_SYS_RESOURCE: either lifts RLIMIT_NPROC (kernel/fork.c, `copy_process`).
pub(crate) const EXEMPT_FROM_NPROC: u64 = 1 << 21 | 1 << 24;

impl ProcRoot {
    /// The limits of a process with all that counts against them; see [`Self::limits_within`].
    ///
    /// # Errors
    /// If the process is gone.
    pub fn limits(&self, pid: Pid) -> Result<Vec<Limit>, ProcError> {
        self.limits_within(pid, Reach::User)
    }

    /// The limits of a process whose used share is known within `reach`.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn limits_within(&self, pid: Pid, reach: Reach) -> Result<Vec<Limit>, ProcError> {
        let dir = self.pid_dir(pid)?;
        let status = dir.status()?;
        let mut limits = self.of_descriptors(&dir)?;
        limits.extend(self.of_tasks());
        limits.extend(tightest_pids_limit(self, &dir));
        limits.extend(self.of_user_counters(&dir, &status));
        if reach == Reach::User {
            limits.extend(self.of_nproc(&dir, &status));
            limits.extend(self.of_mappings(&dir));
            limits.extend(self.of_watches(pid, &status));
        }
        limits.sort_by_key(|limit| limit.name);
        Ok(limits)
    }

    fn of_descriptors(&self, dir: &PidDir) -> Result<Vec<Limit>, ProcError> {
        let mut limits = Vec::new();
        match self.count_descriptors(dir.pid()) {
            Ok(used) => {
                limits.extend(soft(dir, Resource::Nofile).map(|value| Limit {
                    name: LimitName::Nofile,
                    value,
                    used,
                }));
                let value = self.number("sys/fs/nr_open");
                limits.extend(value.map(|value| Limit { name: LimitName::NrOpen, value, used }));
            }
            // A zombie has let go of its table; whoever is gone has no status either.
            Err(error) if error.is_gone() && dir.status().is_err() => return Err(error),
            Err(_) => {}
        }
        let files = self.read("sys/fs/file-nr").ok().and_then(|bytes| parse_file_nr(&bytes).ok());
        limits.extend(files.map(|files| Limit {
            name: LimitName::FileMax,
            value: files.limit,
            used: files.allocated,
        }));
        Ok(limits)
    }

    /// Threads and numbers of the whole system: loadavg counts every task, zombies included.
    fn of_tasks(&self) -> Vec<Limit> {
        let tasks = self.read("loadavg").ok().and_then(|bytes| parse_loadavg_tasks(&bytes).ok());
        let Some(used) = tasks else { return Vec::new() };
        let rows = [
            (LimitName::ThreadsMax, "sys/kernel/threads-max"),
            (LimitName::PidMax, "sys/kernel/pid_max"),
        ];
        let limit = |(name, path)| Some(Limit { name, value: self.number(path)?, used });
        rows.into_iter().filter_map(limit).collect()
    }

    fn of_user_counters(&self, dir: &PidDir, status: &Status) -> Vec<Limit> {
        let mut limits = vec![Limit {
            name: LimitName::Sigpending,
            value: status.signals_limit,
            used: status.signals_queued,
        }];
        limits.extend(soft(dir, Resource::Memlock).map(|value| Limit {
            name: LimitName::Memlock,
            value,
            used: status.locked_bytes,
        }));
        limits
    }

    /// RLIMIT_NPROC where it is enforced: not for root, nor for those with the capabilities.
    fn of_nproc(&self, dir: &PidDir, status: &Status) -> Option<Limit> {
        let exempt = status.real_uid == 0 || status.capabilities & EXEMPT_FROM_NPROC != 0;
        let value = soft(dir, Resource::Nproc).filter(|&value| !exempt && value != UNLIMITED)?;
        let used = self.threads_of_user(status.real_uid).ok()?;
        Some(Limit { name: LimitName::Nproc, value, used })
    }

    fn of_mappings(&self, dir: &PidDir) -> Option<Limit> {
        let value = self.number("sys/vm/max_map_count")?;
        let used = count_mappings(dir).ok()?;
        Some(Limit { name: LimitName::MaxMapCount, value, used })
    }

    fn of_watches(&self, pid: Pid, status: &Status) -> Vec<Limit> {
        let own = self.use_of_process(pid).unwrap_or_default();
        if own == UserUse::default() {
            return Vec::new();
        }
        let all = self.use_of_user(status.effective_uid);
        let rows = [
            (
                own.inotify_instances,
                LimitName::InotifyInstances,
                "inotify/max_user_instances",
                all.inotify_instances,
            ),
            (
                own.inotify_instances,
                LimitName::InotifyWatches,
                "inotify/max_user_watches",
                all.inotify_watches,
            ),
            (
                own.epoll_instances,
                LimitName::EpollWatches,
                "epoll/max_user_watches",
                all.registrations,
            ),
        ];
        rows.into_iter()
            .filter(|&(own, ..)| own > 0)
            .filter_map(|(_, name, path, used)| {
                Some(Limit { name, value: self.number(&format!("sys/fs/{path}"))?, used })
            })
            .collect()
    }

    /// Mappings of a process.
    pub(crate) fn count_mappings(&self, pid: Pid) -> Result<u64, ProcError> {
        count_mappings(&self.pid_dir(pid)?)
    }

    /// A file below /proc that holds one number.
    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        parse_single(&self.read(path).ok()?).ok()
    }
}

/// The lines of maps.
fn count_mappings(dir: &PidDir) -> Result<u64, ProcError> {
    let mut count = 0;
    let path = format!("{}maps", dir.living_place()?);
    dir.read_lines(&path, "read maps", &mut |_| count += 1)?;
    Ok(count)
}

/// The soft value of a resource limit of the process.
pub(crate) fn soft(dir: &PidDir, resource: Resource) -> Option<u64> {
    let bytes = dir.read("limits", "read limits").ok()?;
    let limits = parse_limits(&bytes).ok()?;
    limits.iter().find(|limit: &&RLimit| limit.resource == resource).map(|limit| limit.soft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn own_descriptors_are_counted_against_nofile() {
        let root = ProcRoot::open().expect("/proc");
        let pid = Pid(std::process::id());
        let limits = root.limits(pid).expect("limits");
        let nofile = limits.iter().find(|l| l.name == LimitName::Nofile).expect("nofile");
        let soft = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        assert_eq!(Some(nofile.value), soft.or(Some(UNLIMITED)));
        assert!(nofile.used >= 3 && nofile.used <= nofile.value);
        let maps = limits.iter().find(|l| l.name == LimitName::MaxMapCount).expect("maps");
        assert!(maps.used > 5 && maps.value > maps.used);
        assert!(limits.iter().any(|l| l.name == LimitName::FileMax && l.used > 0));
    }

    /// Writes a captured tree: path and content.
    fn capture(files: &[(&str, &str)]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().expect("temporary directory");
        for (path, content) in files {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("directory");
            std::fs::write(path, content).expect("file");
        }
        tree
    }

    #[test]
    fn the_tightest_cgroup_up_the_tree_counts_in_both_versions() {
        let check = |cgroup: &str, mount: &str, base: &str| {
            let file = |name: &str| format!("{base}/{name}");
            let tree = capture(&[
                ("proc/7/cgroup", cgroup),
                ("proc/7/mountinfo", mount),
                ("proc/7/stat", "7 (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 9 0 0 0"),
                ("proc/7/status", "Tgid:\t7\nUid:\t5\t5\t5\t5\nCapEff:\t0\nThreads:\t2\n"),
                (&file("a/b/pids.max"), "max\n"),
                (&file("a/b/pids.current"), "3\n"),
                (&file("a/pids.max"), "50\n"),
                (&file("a/pids.current"), "40\n"),
                (&file("pids.max"), "100\n"),
                (&file("pids.current"), "41\n"),
            ]);
            std::fs::create_dir(tree.path().join("proc/7/fd")).expect("directory");
            let root = ProcRoot::at(&tree.path().join("proc")).expect("tree");
            let limits = root.limits(Pid(7)).expect("limits");
            let pids = limits.iter().find(|l| l.name == LimitName::CgroupPids);
            assert_eq!(pids, Some(&Limit { name: LimitName::CgroupPids, value: 50, used: 40 }));
        };
        check(
            "8:pids:/a/b\n0::/x\n",
            "30 25 0:26 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
            "sys/fs/cgroup/pids",
        );
        check(
            "0::/a/b\n",
            "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "sys/fs/cgroup",
        );
        check("0::/k/a/b\n", "30 25 0:26 /k /cg rw - cgroup2 cgroup2 rw\n", "cg");
    }
}
