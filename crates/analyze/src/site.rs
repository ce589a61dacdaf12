//! Sites: groups merged by the place in the code that a person would look at, the first frame above plumbing.

use std::collections::BTreeMap;

use fdscope_model::{FdNumber, HandleKind, Monotonic, Name, Pid, StackId, Symbolized, Symbolizer};

use crate::bins::Bins;
use crate::closing::LateClose;
use crate::counted::{Count, CountKey};
use crate::group::{CloserKey, Group, Source, Survivor};
use crate::ledger::Ledger;
use crate::lifetime::Ages;
use crate::lineage::survivor;

/// The most stacks that are symbolized for merging; groups beyond it, the quietest, are sites by their stack alone.
const MOST_SYMBOLIZED: usize = 1024;

/// Where the handles of a site come from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Place {
    /// A line of code, by its number among those met.
    Code(u32),
    /// A stack without a frame to show.
    Stack(StackId),
    /// A name pattern.
    Pattern(u32),
    /// Code of a process that was gone before its mappings were read.
    Gone,
    /// Stacks that the source was too busy to take.
    Skipped,
    /// Nothing is known.
    Unseen,
}

/// Everything known of a site, merged from its groups.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) place: Place,
    pub(crate) pid: Pid,
    pub(crate) kind: HandleKind,
    pub(crate) acquired: u64,
    pub(crate) released: u64,
    pub(crate) existing: u64,
    pub(crate) existing_died: u64,
    pub(crate) existing_died_at: Monotonic,
    pub(crate) found: u64,
    pub(crate) last_birth: Monotonic,
    /// Born while watched and alive, oldest first.
    pub(crate) survivors: Vec<Survivor>,
    pub(crate) bins: Bins,
    pub(crate) ages: Ages,
    pub(crate) closers: BTreeMap<CloserKey, u64>,
    /// One birth stack, for sites without survivors.
    pub(crate) any_stack: Option<StackId>,
    /// Distinct birth stacks.
    pub(crate) stacks: u32,
    /// The call that made them.
    pub(crate) call: &'static str,
    /// When its process ended, if it did.
    pub(crate) ended: Option<Monotonic>,
    /// Of those released, how many were by the end of their process.
    pub(crate) by_exit: u64,
    /// How many processes this is of: ended children of one program are told together.
    pub(crate) processes: u64,
    /// True if known by counts only: single births were not seen, and there are no stacks by its nature.
    pub(crate) counted: bool,
    /// Of those released, who was closed in the last moments before the process ended.
    pub(crate) closed_at_end: Vec<LateClose>,
    /// Of facts as they were before the end: how long before it the survivors began to be closed.
    pub(crate) closed_before_end_ns: Option<u64>,
}

/// A stack's frame that names a site: equal for two stacks if they meet at the same line.
type FrameKey = (Option<String>, Name, u64);

/// Frames met so far, and the stacks symbolized.
#[derive(Default)]
pub(crate) struct Frames {
    numbers: BTreeMap<FrameKey, u32>,
    stacks: BTreeMap<StackId, Symbolized>,
}

impl Frames {
    pub(crate) fn of(&mut self, stack: StackId, symbols: &mut dyn Symbolizer) -> &Symbolized {
        self.stacks.entry(stack).or_insert_with(|| symbols.symbolize(stack))
    }

    /// True if a stack is symbolized already or may still be, for merging.
    fn has_room(&self, stack: StackId) -> bool {
        self.stacks.len() < MOST_SYMBOLIZED || self.stacks.contains_key(&stack)
    }

    /// The frames of a stack as far as it was symbolized.
    fn place(&mut self, stack: StackId, has_ended: bool, symbols: &mut dyn Symbolizer) -> Place {
        let symbolized = self.of(stack, symbols);
        let at = symbolized.at.unwrap_or(0);
        let Some(frame) = symbolized.frames.get(at) else {
            return if has_ended { Place::Gone } else { Place::Stack(stack) };
        };
        // In a living process code outside any file is generated; an address of one that is gone says nothing.
        if has_ended && frame.module.is_empty() && frame.symbol.function.is_none() {
            return Place::Gone;
        }
        // Inlined functions share their address: the function tells them apart.
        let key = (frame.symbol.function.clone(), frame.module.clone(), frame.offset);
        let next = self.numbers.len() as u32;
        Place::Code(*self.numbers.entry(key).or_insert(next))
    }
}

impl Ledger {
    /// The living handles of each group, oldest first.
    fn survivors(&self) -> BTreeMap<u32, Vec<Survivor>> {
        let mut by_group: BTreeMap<u32, Vec<Survivor>> = BTreeMap::new();
        for table in self.tables.iter() {
            for (&fd, entry) in &table.fds {
                let row = survivor(entry, Some(FdNumber(fd)));
                by_group.entry(entry.group).or_default().push(row);
            }
        }
        for watched in self.processes.values() {
            for entry in watched.others.values() {
                by_group.entry(entry.group).or_default().push(survivor(entry, None));
            }
        }
        for (number, group) in self.groups.iter() {
            if !group.at_exit.is_empty() {
                by_group.entry(number).or_default().extend(&group.at_exit);
            }
        }
        for rows in by_group.values_mut() {
            rows.sort_unstable_by_key(|row| (row.born, row.fd, row.tid));
        }
        by_group
    }

    /// Every site with a birth seen or a handle of a known name, in a fixed order.
    pub(crate) fn sites(&self, frames: &mut Frames, symbols: &mut dyn Symbolizer) -> Vec<Facts> {
        let mut survivors = self.survivors();
        let mut order: Vec<(u32, &Group)> =
            self.groups.iter().filter(|(_, g)| g.key.source != Source::Inherited).collect();
        order.sort_by_key(|(_, g)| (std::cmp::Reverse((g.live, g.acquired)), g.key));
        let mut sites: BTreeMap<(Pid, HandleKind, Place), Facts> = BTreeMap::new();
        for (number, group) in order {
            let rows = survivors.remove(&number).unwrap_or_default();
            let place = match group.key.source {
                Source::Stack(stack) if frames.has_room(stack) => {
                    frames.place(stack, group.ended.is_some(), symbols)
                }
                Source::Stack(stack) => Place::Stack(stack),
                Source::Pattern(pattern) => Place::Pattern(pattern),
                Source::Skipped => Place::Skipped,
                Source::Unseen | Source::Inherited => Place::Unseen,
            };
            let kind = kind_of(group, &rows);
            let site = sites
                .entry((group.key.pid, kind, place))
                .or_insert_with(|| Facts::new(place, group, kind, self.begun));
            site.merge(group, rows);
        }
        join_unknown(&mut sites);
        sites.into_values().collect()
    }
}

/// A group's kind. Births may come without one, or with one that only their names refine (a terminal is a character
/// device): then what the living turned out to be, if they agree.
fn kind_of(group: &Group, rows: &[Survivor]) -> HandleKind {
    use HandleKind::{CharDevice, File, UnknownDescriptor};
    let born = group.key.kind;
    let learned = rows.iter().map(|row| row.kind).filter(|&kind| kind != UnknownDescriptor);
    match born {
        UnknownDescriptor => {
            let mut votes: BTreeMap<HandleKind, usize> = BTreeMap::new();
            learned.for_each(|kind| *votes.entry(kind).or_default() += 1);
            votes.into_iter().max_by_key(|&(_, votes)| votes).map_or(born, |(kind, _)| kind)
        }
        CharDevice | File => {
            let mut learned = learned;
            let first = learned.next().unwrap_or(born);
            if learned.all(|kind| kind == first) { first } else { born }
        }
        _ => born,
    }
}

/// A place with handles of one known kind and others of unknown kind is one site: the unknown were closed too soon.
fn join_unknown(sites: &mut BTreeMap<(Pid, HandleKind, Place), Facts>) {
    let unknown: Vec<_> = sites
        .keys()
        .filter(|(_, kind, place)| {
            *kind == HandleKind::UnknownDescriptor
                && matches!(place, Place::Code(_) | Place::Stack(_))
        })
        .copied()
        .collect();
    for key in unknown {
        let twins: Vec<_> = sites
            .keys()
            .filter(|other| **other != key && other.0 == key.0 && other.2 == key.2)
            .copied()
            .collect();
        if let [twin] = twins[..]
            && let Some(stray) = sites.remove(&key)
            && let Some(site) = sites.get_mut(&twin)
        {
            site.absorb(stray);
        }
    }
}

impl Facts {
    fn new(place: Place, group: &Group, kind: HandleKind, origin: Monotonic) -> Self {
        Facts {
            place,
            pid: group.key.pid,
            kind,
            acquired: 0,
            released: 0,
            existing: 0,
            existing_died: 0,
            existing_died_at: Monotonic::default(),
            found: 0,
            last_birth: Monotonic::default(),
            survivors: Vec::new(),
            bins: Bins::new(origin),
            ages: Ages::default(),
            closers: BTreeMap::new(),
            any_stack: None,
            stacks: 0,
            call: group.call,
            ended: group.ended,
            by_exit: 0,
            processes: 1,
            counted: false,
            closed_at_end: Vec::new(),
            closed_before_end_ns: None,
        }
    }

    /// The site of a counted group.
    pub(crate) fn counted(key: CountKey, count: &Count, ended: Option<Monotonic>) -> Self {
        Facts {
            place: Place::Pattern(key.pattern),
            pid: key.pid,
            kind: key.kind,
            acquired: count.born,
            released: count.died,
            existing: count.first.min(count.now),
            existing_died: 0,
            existing_died_at: Monotonic::default(),
            found: 0,
            last_birth: Monotonic::default(),
            survivors: Vec::new(),
            bins: count.bins.clone(),
            ages: Ages::default(),
            closers: BTreeMap::new(),
            any_stack: None,
            stacks: 0,
            call: "",
            ended,
            by_exit: 0,
            processes: 1,
            counted: true,
            closed_at_end: Vec::new(),
            closed_before_end_ns: None,
        }
    }

    fn merge(&mut self, group: &Group, rows: Vec<Survivor>) {
        self.processes = self.processes.max(group.processes);
        self.acquired += group.acquired;
        self.released += group.released;
        self.existing += u64::from(group.existing);
        self.existing_died += u64::from(group.existing_died);
        self.existing_died_at = self.existing_died_at.max(group.existing_died_at);
        self.found += group.found;
        self.last_birth = self.last_birth.max(group.last_birth);
        self.bins.add(&group.bins);
        self.ages.add(&group.ages);
        for (closer, count) in &group.closers {
            *self.closers.entry(*closer).or_default() += count;
        }
        if let Source::Stack(stack) = group.key.source {
            self.stacks += 1;
            self.any_stack = self.any_stack.or(Some(stack));
        }
        if self.call.is_empty() {
            self.call = group.call;
        }
        self.closed_at_end.extend_from_slice(&group.closed_at_end);
        self.add_survivors(rows.into_iter().filter(|row| row.watched));
    }

    fn add_survivors(&mut self, rows: impl IntoIterator<Item = Survivor>) {
        self.survivors.extend(rows);
        self.survivors.sort_by_key(|row| (row.born, row.fd, row.tid));
    }

    /// Adds another site that is to be told with this one.
    pub(crate) fn absorb(&mut self, other: Facts) {
        // Of one process, a site has one group of each kind: only other processes add to their number.
        self.processes += if other.pid == self.pid { 0 } else { other.processes };
        self.ended = self.ended.max(other.ended);
        self.by_exit += other.by_exit;
        self.any_stack = self.any_stack.or(other.any_stack);
        self.acquired += other.acquired;
        self.released += other.released;
        self.existing += other.existing;
        self.existing_died += other.existing_died;
        self.found += other.found;
        self.last_birth = self.last_birth.max(other.last_birth);
        self.bins.add(&other.bins);
        self.ages.add(&other.ages);
        for (closer, count) in other.closers {
            *self.closers.entry(closer).or_default() += count;
        }
        self.stacks += other.stacks;
        self.closed_at_end.extend(other.closed_at_end);
        self.add_survivors(other.survivors);
    }

    /// True if the births came with stacks.
    pub(crate) fn has_stacks(&self) -> bool {
        matches!(self.place, Place::Code(_) | Place::Stack(_) | Place::Gone)
    }

    /// The stack most survivors share; of those that no survivor has, none.
    pub(crate) fn main_stack(&self) -> Option<(StackId, usize)> {
        let mut counts: BTreeMap<StackId, usize> = BTreeMap::new();
        for stack in self.survivors.iter().filter_map(|row| row.stack) {
            *counts.entry(stack).or_default() += 1;
        }
        counts.into_iter().max_by_key(|&(stack, count)| (count, std::cmp::Reverse(stack)))
    }

    /// Distinct open file descriptions among the survivors.
    pub(crate) fn descriptions(&self) -> u64 {
        let mut all: Vec<_> = self.survivors.iter().map(|row| row.description).collect();
        all.sort_unstable();
        all.dedup();
        all.len() as u64
    }
}
