//! Misuse seen on the way: calls on numbers that are not open, limits hit, descriptors that crossed exec. Counted by
//! call site in a bounded map.

use fdscope_model::event::{Event, Fail};
use fdscope_model::verdict::MisuseKind;
use fdscope_model::{FdNumber, HandleKey, Pid, StackId};

use crate::birth::known;
use crate::hash::FastMap;
use crate::ledger::Ledger;

const EBADF: i32 = 9;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

/// The most places told apart; misuse beyond it is counted but not placed.
const MOST: usize = 4096;

/// As many consecutive numbers closed at one place, most of them not open, are a sweep (`for fd in 3..max: close(fd)`),
/// which daemons and process launchers do on purpose.
const SWEEP: u32 = 8;

/// A place of misuse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct MisuseKey {
    pub(crate) kind: MisuseKind,
    pub(crate) pid: Pid,
    pub(crate) call: &'static str,
    pub(crate) stack: Option<StackId>,
}

/// What happened there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) count: u64,
    pub(crate) fd: Option<FdNumber>,
    /// Who closed the number before, or where it was born.
    pub(crate) earlier: Option<StackId>,
    /// The last process concerned, where it is not the key's.
    pub(crate) child: Option<Pid>,
    /// Of `count`, those one above the number before.
    in_sweep: u64,
    run: u32,
}

impl Seen {
    /// True if this is a sweep over a range of numbers rather than a mistake.
    pub(crate) fn is_sweep(&self) -> bool {
        self.in_sweep >= u64::from(SWEEP) && self.in_sweep * 10 >= self.count * 8
    }

    fn step(&mut self, fd: Option<FdNumber>) {
        let next = self.fd.zip(fd).is_some_and(|(last, fd)| {
            // A sweep skips the numbers that are open; those closes succeed and are not seen here.
            fd.0 > last.0 && fd.0 - last.0 <= SWEEP
        });
        self.run = if next { self.run + 1 } else { 0 };
        self.in_sweep += u64::from(next);
    }
}

/// A descriptor that crossed exec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inherited {
    pub(crate) parent: Pid,
    pub(crate) child: Pid,
    pub(crate) fd: FdNumber,
    pub(crate) birth: Option<StackId>,
}

/// Every misuse seen.
#[derive(Debug, Default)]
pub(crate) struct Misuses {
    places: FastMap<MisuseKey, Seen>,
    pub(crate) unplaced: u64,
}

impl Misuses {
    fn at(&mut self, key: MisuseKey) -> Option<&mut Seen> {
        if self.places.len() >= MOST && !self.places.contains_key(&key) {
            self.unplaced += 1;
            return None;
        }
        Some(self.places.entry(key).or_default())
    }

    pub(crate) fn inherited(&mut self, it: Inherited) {
        let kind = MisuseKind::InheritedOverExec;
        let key = MisuseKey { kind, pid: it.parent, call: "execve", stack: it.birth };
        if let Some(seen) = self.at(key) {
            seen.count += 1;
            seen.fd = Some(it.fd);
            seen.child = Some(it.child);
            seen.earlier = it.birth;
        }
    }

    /// Calls of a process that failed because a limit was hit.
    pub(crate) fn refused(&self, pid: Pid) -> u64 {
        let limits = [MisuseKind::ProcessLimit, MisuseKind::SystemLimit];
        let refused =
            self.places.iter().filter(|(key, _)| key.pid == pid && limits.contains(&key.kind));
        refused.map(|(_, seen)| seen.count).sum()
    }

    /// Every place in a fixed order.
    pub(crate) fn sorted(&self) -> Vec<(MisuseKey, Seen)> {
        let mut rows: Vec<_> = self.places.iter().map(|(key, seen)| (*key, *seen)).collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }
}

impl Ledger {
    pub(crate) fn fail(&mut self, event: &Event<'_>, fail: &Fail<'_>) {
        let kind = match (fail.errno, fail.call) {
            // close(-1) is sloppy and harmless: there is no such number to close twice.
            (EBADF, "close") if fail.fd.is_some_and(|fd| fd.0 <= i32::MAX as u32) => {
                MisuseKind::DoubleClose
            }
            (EBADF, _) => MisuseKind::BadDescriptor,
            (EMFILE, _) => MisuseKind::ProcessLimit,
            (ENFILE, _) => MisuseKind::SystemLimit,
            _ => return,
        };
        let earlier = fail.fd.and_then(|fd| {
            let key = HandleKey::Descriptor(fail.table, fd);
            let slot = self.place(event.pid, key).slot?;
            self.tables.get(slot).last_close(fd)?.stack
        });
        let key = MisuseKey { kind, pid: event.pid, call: fail.call, stack: known(&fail.trace) };
        if let Some(seen) = self.misuses.at(key) {
            seen.step(fail.fd);
            seen.count += 1;
            seen.fd = fail.fd;
            seen.earlier = earlier.or(seen.earlier);
        }
    }
}
