//! Groups: handles of one process, one kind and one birth stack (or one name pattern), while folding. The judge merges
//! groups into sites; here is only counting.

use fdscope_model::{FdNumber, HandleKind, Monotonic, Pid, StackId, Tid};

use crate::bins::Bins;
use crate::closing::LateClose;
use crate::entry::Description;
use crate::hash::FastMap;
use crate::lifetime::Ages;

/// What the handles of a group have in common besides process and kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Source {
    /// The birth stack.
    Stack(StackId),
    /// A name pattern, where no stack was seen.
    Pattern(u32),
    /// The source was too busy to take the stack.
    Skipped,
    /// Neither stack nor name.
    Unseen,
    /// Copied from a parent.
    Inherited,
}

/// A group's identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct GroupKey {
    pub(crate) pid: Pid,
    pub(crate) kind: HandleKind,
    pub(crate) source: Source,
}

/// Who released handles: the call or cause and the closing stack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct CloserKey {
    pub(crate) how: &'static str,
    pub(crate) stack: Option<StackId>,
}

/// A living handle of a group, or one that lived when its process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Survivor {
    pub(crate) born: Monotonic,
    pub(crate) fd: Option<FdNumber>,
    pub(crate) tid: Tid,
    pub(crate) kind: HandleKind,
    pub(crate) description: Description,
    pub(crate) stack: Option<StackId>,
    /// Born while watched; false for those that existed or were inherited.
    pub(crate) watched: bool,
}

/// How many closers a group tells apart; the rest count together as the last.
const MOST_CLOSERS: usize = 8;

/// The counters of a group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) key: GroupKey,
    /// Births while watched.
    pub(crate) acquired: u64,
    /// Deaths of those born while watched.
    pub(crate) released: u64,
    /// Alive now (or at the end of its process), born while watched.
    pub(crate) live: u32,
    /// Alive of those that existed or were inherited.
    pub(crate) existing: u32,
    /// Deaths of those, and the last of them.
    pub(crate) existing_died: u32,
    pub(crate) existing_died_at: Monotonic,
    /// Births that only a comparison with the kernel showed.
    pub(crate) found: u64,
    pub(crate) last_birth: Monotonic,
    pub(crate) bins: Bins,
    pub(crate) ages: Ages,
    pub(crate) closers: Vec<(CloserKey, u64)>,
    /// The call that made the first one.
    pub(crate) call: &'static str,
    /// Set when the process ended: nothing is counted after it.
    pub(crate) ended: Option<Monotonic>,
    /// How many ended processes this is the history of.
    pub(crate) processes: u64,
    /// Who lived when the process ended.
    pub(crate) at_exit: Vec<Survivor>,
    /// Who was closed in the last moments before.
    pub(crate) closed_at_end: Vec<LateClose>,
}

impl Group {
    fn new(key: GroupKey, origin: Monotonic) -> Self {
        Group {
            key,
            acquired: 0,
            released: 0,
            live: 0,
            existing: 0,
            existing_died: 0,
            existing_died_at: Monotonic::default(),
            found: 0,
            last_birth: Monotonic::default(),
            bins: Bins::new(origin),
            ages: Ages::default(),
            closers: Vec::new(),
            call: "",
            ended: None,
            processes: 1,
            at_exit: Vec::new(),
            closed_at_end: Vec::new(),
        }
    }

    pub(crate) fn closed_by(&mut self, closer: CloserKey) {
        self.closed_by_many(closer, 1);
    }

    pub(crate) fn closed_by_many(&mut self, closer: CloserKey, count: u64) {
        let index = self.closers.iter().position(|(key, _)| *key == closer);
        match index {
            Some(index) => self.closers[index].1 += count,
            None if self.closers.len() < MOST_CLOSERS => self.closers.push((closer, count)),
            None => self.closers[MOST_CLOSERS - 1].1 += count,
        }
    }

    /// Adds the history of an ended process's like group: what it held at its end was released by that.
    fn absorb(&mut self, other: &Group) {
        self.processes += other.processes;
        self.acquired += other.acquired;
        self.released += other.acquired;
        self.found += other.found;
        self.last_birth = self.last_birth.max(other.last_birth);
        self.bins.add(&other.bins);
        self.ages.add(&other.ages);
        if let Some(ended) = other.ended {
            let open = other.acquired.saturating_sub(other.released);
            self.bins.fall(ended, u32::try_from(open).unwrap_or(u32::MAX));
            for row in other.at_exit.iter().filter(|row| row.watched) {
                self.ages.record(ended.since_ns(row.born));
                self.closed_by(CloserKey { how: "exit", stack: None });
            }
        }
        for &(closer, count) in &other.closers {
            self.closed_by_many(closer, count);
        }
        if self.call.is_empty() {
            self.call = other.call;
        }
    }

    pub(crate) fn footprint(&self) -> usize {
        size_of::<Group>()
            + self.bins.footprint()
            + self.ages.footprint()
            + self.closers.capacity() * size_of::<(CloserKey, u64)>()
            + self.at_exit.capacity() * size_of::<Survivor>()
            + self.closed_at_end.capacity() * size_of::<LateClose>()
    }
}

/// The most groups kept. Beyond it the quietest ones without a living handle are forgotten and only counted: code that
/// is generated anew all the time (JIT) makes ever new stacks.
const MOST_GROUPS: usize = 20_000;

/// Every group, in slots that stay while the group is kept.
#[derive(Debug)]
pub(crate) struct Groups {
    origin: Monotonic,
    slots: Vec<Option<Group>>,
    free: Vec<u32>,
    by_key: FastMap<GroupKey, u32>,
    /// Groups forgotten for lack of room.
    pub(crate) forgotten: u64,
}

impl Groups {
    pub(crate) fn new() -> Self {
        Groups {
            origin: Monotonic::default(),
            slots: Vec::new(),
            free: Vec::new(),
            by_key: FastMap::default(),
            forgotten: 0,
        }
    }

    /// Sets the moment that every history starts at; before the first group is made.
    pub(crate) fn start(&mut self, origin: Monotonic) {
        self.origin = origin;
    }

    pub(crate) fn find_or_make(&mut self, key: GroupKey) -> u32 {
        if let Some(&number) = self.by_key.get(&key) {
            return number;
        }
        if self.by_key.len() >= MOST_GROUPS {
            self.forget_quiet();
        }
        let group = Some(Group::new(key, self.origin));
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = group;
                number
            }
            None => {
                self.slots.push(group);
                self.slots.len() as u32 - 1
            }
        };
        self.by_key.insert(key, number);
        number
    }

    /// Makes room: of the groups that hold nothing, the half that was quiet longest goes.
    fn forget_quiet(&mut self) {
        let mut idle: Vec<(Monotonic, u32)> = (0..self.slots.len() as u32)
            .filter_map(|number| Some((self.slots[number as usize].as_ref()?, number)))
            .filter(|(group, _)| group.live == 0 && group.existing == 0)
            .map(|(group, number)| (group.last_birth, number))
            .collect();
        idle.sort_unstable();
        let half = idle.len().div_ceil(2);
        for &(_, number) in &idle[..half] {
            self.remove(number);
            self.forgotten += 1;
        }
    }

    pub(crate) fn remove(&mut self, number: u32) {
        if let Some(group) = self.slots[number as usize].take() {
            self.by_key.remove(&group.key);
            self.free.push(number);
        }
    }

    /// Makes a group of an ended process part of the like group of another process that ended.
    pub(crate) fn merge_into(&mut self, number: u32, heir: Pid) {
        let Some(group) = self.slots[number as usize].clone() else { return };
        self.remove(number);
        if group.acquired == 0 {
            return;
        }
        let into = self.find_or_make(GroupKey { pid: heir, ..group.key });
        if let Some(into) = self.get_mut(into) {
            into.absorb(&group);
            into.ended = into.ended.max(group.ended);
        }
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Group> {
        self.slots[number as usize].as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Group> {
        self.slots[number as usize].as_mut()
    }

    /// Every group with its number, in a fixed order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Group)> {
        self.slots.iter().enumerate().filter_map(|(n, slot)| Some((n as u32, slot.as_ref()?)))
    }

    /// Numbers of the groups of a process.
    pub(crate) fn of(&self, pid: Pid) -> Vec<u32> {
        self.iter().filter(|(_, group)| group.key.pid == pid).map(|(number, _)| number).collect()
    }
}
