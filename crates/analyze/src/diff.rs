//! Two moments compared: which handles are new, gone and kept.
//!
//! A descriptor's number tells nothing: numbers are used again at once, and so are process numbers and, on a busy
//! machine, the kernel's addresses of open file descriptions. Two handles are one if they are of one process (number and
//! start time), at one number, and the later moment's books have followed the handle since before the earlier moment. In
//! one journal that is the moment of its birth. Only where nobody watched in between is the file asked, and such
//! handles are counted as presumed unless their inode is theirs alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fdscope_model::diff::{Changed, Count, Diff, Held, Moment, Origin, Side};
use fdscope_model::{HandleKey, HandleKind, Name, ProcessId};

/// A handle's place in a process: its key without the table, whose id changes with exec.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    Descriptor(u32),
    Other(HandleKey),
}

fn slot(held: &Held) -> (ProcessId, Slot) {
    let place = match held.key {
        HandleKey::Descriptor(_, fd) => Slot::Descriptor(fd.0),
        other => Slot::Other(other),
    };
    (held.process, place)
}

/// What two handles at one place are to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Same {
    /// The same.
    Yes,
    /// The same by all that can be asked; nobody watched in between.
    Presumed,
    /// Different ones.
    No,
}

/// How two journals are related.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Relation {
    /// Two moments of one.
    OneJournal,
    /// Two of one run of the kernel.
    OneBoot {
        /// True if the first moment is the earlier one.
        ordered: bool,
    },
    /// Nothing can be the same.
    Strangers,
}

/// Compares what was held at two moments.
pub fn diff(from: Moment, to: Moment) -> Diff {
    let relation = Relation::of(&from, &to);
    let mut notes = notes(&from, &to, relation);
    let sides = [&from, &to].map(side);
    let changed = changed(&from.counts, &to.counts);
    let (from_at, to_at) = (from.at.0, to.at.0);
    let mut before: HashMap<(ProcessId, Slot), Held> =
        from.held.into_iter().map(|held| (slot(&held), held)).collect();
    let (mut new, mut kept, mut presumed) = (Vec::new(), Vec::new(), 0);
    for held in to.held {
        let place = slot(&held);
        let same = match before.get(&place) {
            Some(old) => relation.same((old, from_at), (&held, to_at)),
            None => Same::No,
        };
        match same {
            Same::No => new.push(held),
            Same::Yes | Same::Presumed => {
                let old = before.remove(&place);
                presumed += u64::from(same == Same::Presumed);
                kept.push(with_birth(held, old));
            }
        }
    }
    let mut gone: Vec<Held> = before.into_values().collect();
    [&mut new, &mut gone, &mut kept].into_iter().for_each(|rows| rows.sort_by_key(order));
    if kept.is_empty() && relation != Relation::Strangers && !gone.is_empty() && !new.is_empty() {
        notes.extend(replaced(&gone, &new));
    }
    let [from, to] = sides;
    Diff { from, to, new, gone, kept, presumed, changed, notes }
}

/// A live look knows no births: what the recording knew of the same handle is told.
fn with_birth(held: Held, old: Option<Held>) -> Held {
    let Some(old) = old.filter(|old| old.birth_seen && !held.birth_seen) else { return held };
    let (born, birth_seen, stack) = (old.born, true, old.stack);
    Held { born, birth_seen, stack, ..held }
}

fn order(held: &Held) -> (ProcessId, HandleKey) {
    (held.process, held.key)
}

impl Relation {
    fn of(from: &Moment, to: &Moment) -> Self {
        if from.boot != to.boot {
            return Relation::Strangers;
        }
        let recorded = from.origin == Origin::Recording && to.origin == Origin::Recording;
        if recorded && from.begun == to.begun && wall_offset(from) == wall_offset(to) {
            return Relation::OneJournal;
        }
        if from.boot.is_empty() {
            return Relation::Strangers;
        }
        Relation::OneBoot { ordered: from.at <= to.at }
    }

    fn same(self, (old, from_at): (&Held, u64), (new, to_at): (&Held, u64)) -> Same {
        match self {
            Relation::Strangers => Same::No,
            Relation::OneJournal if old.born == new.born => Same::Yes,
            Relation::OneJournal => Same::No,
            Relation::OneBoot { ordered: true } => same_later(old, new, from_at),
            Relation::OneBoot { ordered: false } => same_later(new, old, to_at),
        }
    }
}

/// Wall time of the journal's beginning, whichever moment of it this is.
fn wall_offset(moment: &Moment) -> u64 {
    moment.wall_ns.wrapping_sub(moment.at.since_ns(moment.begun))
}

/// Whether `late`, which another journal tells of, is what was there at the earlier moment.
fn same_later(early: &Held, late: &Held, early_at: u64) -> Same {
    if late.born.0 <= early_at {
        return Same::Yes;
    }
    if late.birth_seen {
        return Same::No;
    }
    let differ = |a: Option<u64>, b: Option<u64>| a.zip(b).is_some_and(|(a, b)| a != b);
    let inode = |held: &Held| held.inode.map(|inode| inode.inode);
    let file = |held: &Held| held.file.map(|file| file.0);
    let known = |held: &Held| held.kind != HandleKind::UnknownDescriptor;
    let other_kind = known(early) && known(late) && early.kind != late.kind;
    if other_kind || differ(inode(early), inode(late)) || differ(file(early), file(late)) {
        return Same::No;
    }
    // A path is compared where nothing better is there; a socket's text changes with its state.
    let named = early.kind == HandleKind::File && inode(early).zip(inode(late)).is_none();
    let names = [&early.name, &late.name];
    if named && names.iter().all(|name| !name.is_empty()) && names[0] != names[1] {
        return Same::No;
    }
    let own_inode = matches!(early.kind, HandleKind::Socket | HandleKind::Pipe | HandleKind::Memfd);
    if own_inode && inode(early).is_some() && inode(early) == inode(late) {
        return Same::Yes;
    }
    Same::Presumed
}

fn side(moment: &Moment) -> Side {
    let processes: BTreeSet<ProcessId> = moment.held.iter().map(|held| held.process).collect();
    Side {
        label: moment.label.clone(),
        origin: moment.origin,
        at: moment.at,
        wall_ns: moment.wall_ns,
        held: moment.held.len() as u64,
        processes: processes.len() as u64,
        lost: moment.lost,
    }
}

/// Counted groups whose count differs, all processes together that were counted at both moments.
fn changed(from: &[Count], to: &[Count]) -> Vec<Changed> {
    let [before, after] =
        [from, to].map(|side| side.iter().map(|count| count.process).collect::<BTreeSet<_>>());
    let mut groups: BTreeMap<(&'static str, &Name), (HandleKind, u64, u64)> = BTreeMap::new();
    let counts = from.iter().map(|count| (count, true)).chain(to.iter().map(|c| (c, false)));
    let counts = counts
        .filter(|(count, _)| before.contains(&count.process) && after.contains(&count.process));
    for (count, first) in counts {
        let key = (count.kind.word(), &count.group);
        let row = groups.entry(key).or_insert((count.kind, 0, 0));
        if first { row.1 += count.count } else { row.2 += count.count }
    }
    let rows = groups.into_iter().filter(|(_, (_, from, to))| from != to);
    let mut rows: Vec<Changed> = rows
        .map(|((_, group), (kind, from, to))| Changed { kind, group: group.clone(), from, to })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.from.abs_diff(row.to)));
    rows
}

fn notes(from: &Moment, to: &Moment, relation: Relation) -> Vec<String> {
    let mut notes: Vec<String> = from.unknown.clone();
    notes.extend(to.unknown.iter().filter(|note| !from.unknown.contains(note)).cloned());
    match relation {
        Relation::Strangers => notes.push(
            "the two are of different runs of the kernel: no handle can be the same, only groups \
             compare"
                .to_owned(),
        ),
        Relation::OneBoot { ordered: false } => {
            notes.push("the first moment is the later one".to_owned());
        }
        Relation::OneJournal if from.at > to.at => {
            notes.push("the first moment is the later one".to_owned());
        }
        _ => {}
    }
    notes
}

/// What to say if no process is the same: numbers may be.
fn replaced(gone: &[Held], new: &[Held]) -> Option<String> {
    let old: BTreeSet<ProcessId> = gone.iter().map(|held| held.process).collect();
    let now: BTreeSet<ProcessId> = new.iter().map(|held| held.process).collect();
    if !old.is_disjoint(&now) {
        return None;
    }
    let reused = old.iter().find(|old| now.iter().any(|now| now.pid == old.pid));
    Some(match reused {
        Some(id) => format!("process {} is another than before: its number was used again", id.pid),
        None => "no process is in both: only groups compare".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use fdscope_model::{FdNumber, FileId, InodeId, Monotonic, Pid, TableId};

    use super::*;

    fn held(fd: u32, born: u64) -> Held {
        Held {
            process: ProcessId { pid: Pid(7), start_ticks: 1 },
            comm: "app".into(),
            key: HandleKey::Descriptor(TableId(1), FdNumber(fd)),
            kind: HandleKind::File,
            file: None,
            inode: None,
            born: Monotonic(born),
            birth_seen: true,
            name: "/a".into(),
            pattern: "/a".into(),
            peer: None,
            stack: None,
        }
    }

    fn moment(begun: u64, at: u64, held: Vec<Held>) -> Moment {
        Moment {
            label: "x".to_owned(),
            origin: Origin::Recording,
            boot: "b".to_owned(),
            begun: Monotonic(begun),
            at: Monotonic(at),
            wall_ns: at,
            lost: 0,
            held,
            counts: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// Numbers of new, gone, kept and presumed handles.
    fn check(from: Moment, to: Moment, expected: [usize; 4]) {
        let found = diff(from, to);
        let presumed = usize::try_from(found.presumed).expect("few");
        let counts = [found.new.len(), found.gone.len(), found.kept.len(), presumed];
        assert_eq!(counts, expected, "{found:?}");
    }

    #[test]
    fn a_number_used_again_is_another_handle() {
        let to = vec![held(3, 10), held(4, 60)];
        check(moment(1, 50, vec![held(3, 10), held(4, 20)]), moment(1, 90, to), [1, 1, 1, 0]);
    }

    #[test]
    fn a_table_that_changed_its_id_changes_no_handle() {
        let moved = Held { key: HandleKey::Descriptor(TableId(2), FdNumber(3)), ..held(3, 10) };
        check(moment(1, 50, vec![held(3, 10)]), moment(1, 90, vec![moved]), [0, 0, 1, 0]);
    }

    #[test]
    fn a_process_number_used_again_is_another_process() {
        let process = ProcessId { pid: Pid(7), start_ticks: 2 };
        let other = Held { process, ..held(3, 10) };
        check(moment(1, 50, vec![held(3, 10)]), moment(1, 90, vec![other]), [1, 1, 0, 0]);
    }

    #[test]
    fn another_boot_has_nothing_in_common() {
        let other = Moment { boot: "c".to_owned(), ..moment(1, 90, vec![held(3, 10)]) };
        check(moment(1, 50, vec![held(3, 10)]), other, [1, 1, 0, 0]);
    }

    #[test]
    fn a_later_watch_tells_what_it_followed_itself() {
        // The second journal watched from before the first moment on.
        let early = moment(1, 50, vec![held(3, 10), held(4, 20)]);
        let late = moment(40, 90, vec![Held { birth_seen: false, ..held(3, 40) }, held(4, 70)]);
        check(early.clone(), late.clone(), [1, 1, 1, 0]);
        check(late, early, [1, 1, 1, 0]);
    }

    #[test]
    fn a_gap_is_bridged_by_the_file_and_counted() {
        let inode = |number| Some(InodeId { inode: number, ..InodeId::default() });
        let found = |fd, number| Held { birth_seen: false, inode: inode(number), ..held(fd, 80) };
        let had = |fd, number| Held { inode: inode(number), ..held(fd, 10) };
        let early = moment(1, 50, vec![had(3, 5), had(4, 6)]);
        check(early, moment(80, 90, vec![found(3, 5), found(4, 7)]), [1, 1, 1, 1]);
        let socket = |held| Held { kind: HandleKind::Socket, ..held };
        let early = moment(1, 50, vec![socket(had(3, 5))]);
        check(early, moment(80, 90, vec![socket(found(3, 5))]), [0, 0, 1, 0]);
    }

    #[test]
    fn another_description_of_one_file_is_another_handle() {
        let file = |number| Some(FileId(number));
        let early = moment(1, 50, vec![Held { file: file(1), ..held(3, 10) }]);
        let late = Held { birth_seen: false, file: file(2), ..held(3, 80) };
        check(early, moment(80, 90, vec![late]), [1, 1, 0, 0]);
    }
}
