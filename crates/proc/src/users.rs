//! What all processes of a user hold together, for limits that are counted per user.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use fdscope_model::kind::classify;
use fdscope_model::survey::{Counted, Vitals};
use fdscope_model::{FdNumber, HandleKind, Monotonic, Pid};
use fdscope_sys::clock::monotonic_now;

use crate::descriptors::Detail;
use crate::error::ProcError;
use crate::parse::FdInfo;
use crate::root::ProcRoot;
use crate::table::OpenTable;

/// Links read at most while adding up a user's watches: about 0.1 s. Beyond it the sums are lower bounds.
const MOST_LINKS: usize = 50_000;

/// What is counted per user and held by descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct UserUse {
    /// inotify descriptors.
    pub inotify_instances: u64,
    /// Their watches.
    pub inotify_watches: u64,
    /// epoll descriptors.
    pub epoll_instances: u64,
    /// What is registered with them.
    pub registrations: u64,
}

/// One inotify or epoll descriptor, for telling one inherited by fork from one of its own: the number and a hash of
/// all that fdinfo says of it.
type Print = (FdNumber, u64);

impl ProcRoot {
    /// Threads of all processes whose real user this is.
    pub(crate) fn threads_of_user(&self, uid: u32) -> Result<u64, ProcError> {
        let threads = |pid: Pid| {
            let status = self.pid_dir(pid).ok()?.status().ok()?;
            (status.real_uid == uid).then_some(status.threads.max(1))
        };
        Ok(self.pids()?.into_iter().filter_map(threads).sum())
    }

    /// What one process holds of it.
    pub(crate) fn use_of_process(&self, pid: Pid) -> Result<UserUse, ProcError> {
        let mut sum = UserUse::default();
        let mut links = MOST_LINKS;
        add_process(self, pid, &mut sum, &mut links, &mut |_| true)?;
        Ok(sum)
    }

    /// What the processes of an effective user hold of it. Processes that may not be read do not count.
    pub(crate) fn use_of_user(&self, uid: u32) -> UserUse {
        let mut counter = UseCounter::default();
        // Ascending numbers: parents mostly before children.
        for pid in self.pids().unwrap_or_default() {
            let Ok(dir) = self.pid_dir(pid) else { continue };
            if !dir.status().is_ok_and(|status| status.effective_uid == uid) {
                continue;
            }
            let Ok(stat) = dir.process_stat() else { continue };
            // A process that cannot be read is not counted, as said above.
            let _ = counter.add(self, pid, stat.parent, uid);
            if counter.links == 0 {
                break;
            }
        }
        counter.sums.remove(&uid).unwrap_or_default()
    }

    /// What the processes (in ascending order) hold of it, by effective user; at least so much, if some may not be read
    /// or the moment `end` comes first.
    pub(crate) fn use_by_user(
        &self,
        processes: &[&Vitals],
        end: Option<Monotonic>,
    ) -> (HashMap<u32, UserUse>, Counted) {
        let mut counter = UseCounter::default();
        let mut counted = Counted::Whole;
        for vitals in processes {
            if counter.links == 0 || end.is_some_and(|end| monotonic_now() >= end) {
                counted = Counted::AtLeast;
                break;
            }
            match counter.add(self, vitals.id.pid, vitals.parent, vitals.uid) {
                Err(error) if error.is_not_permitted() => counted = Counted::AtLeast,
                _ => {}
            }
        }
        (counter.sums, counted)
    }
}

/// Adds up by user. A descriptor that a child has by fork is one instance held twice: a child's does not count if its
/// parent has one of the same number and fdinfo.
struct UseCounter {
    sums: HashMap<u32, UserUse>,
    seen: HashSet<(Pid, Print)>,
    links: usize,
}

impl Default for UseCounter {
    fn default() -> Self {
        UseCounter { sums: HashMap::new(), seen: HashSet::new(), links: MOST_LINKS }
    }
}

impl UseCounter {
    fn add(&mut self, root: &ProcRoot, pid: Pid, parent: Pid, uid: u32) -> Result<(), ProcError> {
        let UseCounter { sums, seen, links } = self;
        add_process(root, pid, sums.entry(uid).or_default(), links, &mut |print| {
            let own = !seen.contains(&(parent, print));
            seen.insert((pid, print));
            own
        })
    }
}

/// Adds a process's inotify and epoll descriptors that `counts` lets pass.
fn add_process(
    root: &ProcRoot,
    pid: Pid,
    sum: &mut UserUse,
    links: &mut usize,
    counts: &mut dyn FnMut(Print) -> bool,
) -> Result<(), ProcError> {
    let mut table = OpenTable::open(root, pid, Detail::Full)?;
    for fd in table.numbers()? {
        if *links == 0 {
            return Ok(());
        }
        *links -= 1;
        let Ok(link) = table.link(fd) else { continue };
        let kind = classify(0, link);
        if !matches!(kind, HandleKind::Inotify | HandleKind::Epoll) {
            continue;
        }
        let mut info = FdInfo::default();
        let mut hasher = DefaultHasher::new();
        let read = table.info_lines(fd, &mut |line| {
            line.hash(&mut hasher);
            info.fold(line);
        });
        if read.is_err() || !counts((fd, hasher.finish())) {
            continue;
        }
        if kind == HandleKind::Inotify {
            sum.inotify_instances += 1;
            sum.inotify_watches += info.watches;
        } else {
            sum.epoll_instances += 1;
            sum.registrations += info.epoll_targets;
        }
    }
    Ok(())
}
