//! Gathers what the screen shows: the judgement, counts by kind with their past, sockets, threads, the log.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use fdscope_analyze::{Ledger, group_threads};
use fdscope_model::thread::{Change, ThreadGroup};
use fdscope_model::verdict::Report;
use fdscope_model::{
    Blind, Fault, HandleKey, HandleKind, Monotonic, Name, Pid, Process, Sight, SocketState,
    SourceName,
};
use fdscope_proc::ProcRoot;
use fdscope_render::units;
use fdscope_tui::watch::{Happening, KindCount, Moment, SocketGroup, Standing};

use super::pace::Pace;
use crate::commands::threads::seat::Seat;
use crate::live::moment::socket_inode;
use crate::live::report::report;
use crate::live::watch::Watch;
use crate::machine;

/// Samples that sparklines and slopes are made of.
const PAST: usize = 60;
/// Sockets and threads are looked at this often, if that is cheap.
const LOOK_EVERY_NS: u64 = 2_000_000_000;
/// Ends of sockets that are remembered.
const MOST_ENDS: usize = 4096;
/// More processes than this are too many to look at one by one.
const MOST_PROCESSES: usize = 16;

/// What moments are made of.
pub struct Gathering {
    proc: ProcRoot,
    fallbacks: Vec<Blind>,
    kinds: Past,
    seats: Vec<Seat>,
    looks: Pace,
    judging: Pace,
    judged: Option<Report>,
    sockets: Vec<SocketGroup>,
    threads: Vec<ThreadGroup>,
    naming: Pace,
    /// What was at the ends of sockets, by inode.
    ends: HashMap<u64, Name>,
}

impl Gathering {
    /// Nothing gathered yet about these processes.
    pub fn new(proc: &ProcRoot, processes: &[Process], fallbacks: Vec<Blind>) -> Self {
        let seats = processes.iter().take(MOST_PROCESSES);
        Gathering {
            proc: proc.clone(),
            fallbacks,
            kinds: Past::default(),
            seats: seats.map(|process| Seat::of_groups(proc, process.clone())).collect(),
            looks: Pace::new(LOOK_EVERY_NS),
            judging: Pace::new(0),
            judged: None,
            sockets: Vec::new(),
            threads: Vec::new(),
            naming: Pace::new(0),
            ends: HashMap::new(),
        }
    }

    /// The moment of now; the last one of all, if the target ended.
    pub fn moment(&mut self, watch: &mut Watch, standing: Standing) -> Moment {
        let pids = watch.ledger.pids();
        if standing == Standing::Gone {
            self.judging = Pace::new(0);
        } else {
            self.look(&pids);
        }
        let Gathering { judging, fallbacks, .. } = self;
        let judged = judging.run(|| report(watch, machine::typed_command(), fallbacks, &[]));
        // Faults are kept by the watch until its end.
        if let Some(judged) = judged {
            watch.faults.clone_from(&judged.faults);
            self.judged = Some(judged);
        }
        let report = self.judged.clone().unwrap_or_else(|| Report::of_nothing(SourceName::Poll));
        if standing == Standing::Watching {
            self.kinds
                .push(watch.ledger.last().max(report.ended), count_kinds(&watch.ledger, &pids));
        }
        let mut happenings = log(watch);
        self.name_sockets(&mut happenings);
        Moment {
            kinds: self.kinds.rows(),
            sockets: self.sockets.clone(),
            threads: self.threads.clone(),
            happenings,
            notes: notes(&report.sight, &report.faults),
            standing,
            report,
        }
    }

    /// Says what is at the ends of sockets in the log, as long as they are there to be asked.
    fn name_sockets(&mut self, log: &mut [Happening]) {
        let Gathering { proc, naming, ends, .. } = self;
        let mut wanted: BTreeMap<Pid, BTreeSet<u64>> = BTreeMap::new();
        for (one, inode) in log.iter().filter_map(|one| Some((one, socket_inode(&one.name)?))) {
            if one.came && !ends.contains_key(&inode) {
                wanted.entry(one.pid).or_default().insert(inode);
            }
        }
        if !wanted.is_empty() {
            naming.run(|| {
                if ends.len() > MOST_ENDS {
                    ends.clear();
                }
                for (&pid, inodes) in &wanted {
                    let found = proc.endpoints(pid, inodes).unwrap_or_default();
                    ends.extend(found.into_iter().map(|(inode, end)| (inode, end.text())));
                }
            });
        }
        for one in log {
            if let Some(end) = socket_inode(&one.name).and_then(|inode| ends.get(&inode)) {
                one.name = end.clone();
            }
        }
    }

    fn look(&mut self, pids: &[Pid]) {
        let Gathering { proc, seats, sockets, threads, looks, .. } = self;
        looks.run(|| {
            let living = pids.iter().rev().take(MOST_PROCESSES);
            *sockets = compare(sockets, count_sockets(proc, living));
            *threads = read_threads(seats);
        });
    }
}

/// How many handles of each kind these processes hold.
pub fn count_kinds(ledger: &Ledger, pids: &[Pid]) -> BTreeMap<HandleKind, u64> {
    let mut kinds = BTreeMap::new();
    for &pid in pids {
        for (kind, count) in ledger.alive_by_kind(pid) {
            *kinds.entry(kind).or_default() += count;
        }
    }
    kinds
}

/// Counts by kind over the latest samples.
#[derive(Default)]
pub struct Past(VecDeque<(Monotonic, BTreeMap<HandleKind, u64>)>);

impl Past {
    /// Takes the counts of a moment.
    pub fn push(&mut self, at: Monotonic, kinds: BTreeMap<HandleKind, u64>) {
        self.0.push_back((at, kinds));
        if self.0.len() > PAST {
            self.0.pop_front();
        }
    }

    /// A row for each kind, most first.
    pub fn rows(&self) -> Vec<KindCount> {
        let Some((last, now)) = self.0.back() else { return Vec::new() };
        let mut kinds: Vec<HandleKind> =
            self.0.iter().flat_map(|(_, kinds)| kinds.keys().copied()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let row = |kind: HandleKind| {
            let of = |kinds: &BTreeMap<HandleKind, u64>| kinds.get(&kind).copied().unwrap_or(0);
            let past: Vec<u64> = self.0.iter().map(|(_, kinds)| of(kinds)).collect();
            let first = self.0.front().map(|(at, kinds)| (last.since_ns(*at), of(kinds)));
            let per_min = first
                .filter(|(over_ns, _)| *over_ns > 0)
                .map(|(over_ns, before)| (of(now) as f64 - before as f64) * 60e9 / over_ns as f64);
            KindCount { kind, count: of(now), past, per_min }
        };
        let mut rows: Vec<KindCount> = kinds.into_iter().map(row).collect();
        rows.sort_by_key(|row| (std::cmp::Reverse(row.count), row.kind));
        rows
    }
}

/// Sockets of these processes by state and ends.
fn count_sockets<'a>(
    proc: &ProcRoot,
    pids: impl Iterator<Item = &'a Pid>,
) -> BTreeMap<(Option<SocketState>, Name), u64> {
    let mut groups = BTreeMap::new();
    for &pid in pids {
        // One that is gone, or hidden, has none to show.
        for group in proc.socket_groups(pid).unwrap_or_default() {
            *groups.entry((group.state, group.pattern)).or_default() += group.count;
        }
    }
    groups
}

/// Those of now beside those before, most first.
pub fn compare(
    before: &[SocketGroup],
    now: BTreeMap<(Option<SocketState>, Name), u64>,
) -> Vec<SocketGroup> {
    let known: HashMap<_, u64> =
        before.iter().map(|group| ((group.state, group.pattern.clone()), group.count)).collect();
    let row = |((state, pattern), count): ((Option<SocketState>, Name), u64)| {
        let old = known.get(&(state, pattern.clone())).copied();
        let old = if before.is_empty() { count } else { old.unwrap_or(0) };
        SocketGroup { state, pattern, count, change: count as i64 - old as i64 }
    };
    let mut rows: Vec<SocketGroup> = now.into_iter().map(row).collect();
    rows.sort_by_key(|group| std::cmp::Reverse(group.count));
    rows
}

/// Threads of all processes in groups; without those that are gone.
fn read_threads(seats: &mut Vec<Seat>) -> Vec<ThreadGroup> {
    let mut reports = Vec::new();
    seats.retain_mut(|seat| match seat.report() {
        Ok(report) => {
            reports.push(report);
            true
        }
        Err(error) => !error.is_gone(),
    });
    match reports.as_mut_slice() {
        [] => Vec::new(),
        [one] => std::mem::take(&mut one.groups),
        many => {
            let all: Vec<_> = many.iter().flat_map(|report| report.threads.clone()).collect();
            let mut groups = group_threads(&all, &[]);
            groups.iter_mut().for_each(|group| group.change = None::<Change>);
            groups
        }
    }
}

fn log(watch: &mut Watch) -> Vec<Happening> {
    let Watch { happenings, stacks, names, .. } = watch;
    let Some(happenings) = happenings else { return Vec::new() };
    let named = |pid, key: HandleKey, born| match key {
        HandleKey::Thread(tid) => Some((names.thread(pid, tid)?, HandleKind::Thread)),
        key => names.born(pid, key.fd()?, born),
    };
    happenings.shown(stacks, &named)
}

/// What cannot be seen, and what could not be read, in sentences.
fn notes(sight: &Sight, faults: &[Fault]) -> Vec<String> {
    let blind = sight.blind.iter().map(|blind| {
        let cure = blind.cure.as_ref().map_or_else(String::new, |cure| format!("; {cure}"));
        format!("not seen: {}{cure}", blind.what)
    });
    let mut notes: Vec<String> = blind.take(4).collect();
    if !faults.is_empty() {
        notes.push(units::count_of(faults.len() as u64, "thing", "things") + " could not be read");
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_past_and_their_slope() {
        let mut past = Past::default();
        let at = |seconds: u64| Monotonic(seconds * 1_000_000_000);
        past.push(at(0), BTreeMap::from([(HandleKind::File, 10), (HandleKind::Pipe, 2)]));
        assert_eq!(past.rows()[0].per_min, None);
        past.push(at(30), BTreeMap::from([(HandleKind::File, 25)]));
        let rows = past.rows();
        assert_eq!((rows[0].kind, rows[0].per_min), (HandleKind::File, Some(30.0)));
        assert_eq!(rows[0].past, [10, 25]);
        assert_eq!(
            (rows[1].kind, rows[1].count, rows[1].per_min),
            (HandleKind::Pipe, 0, Some(-4.0))
        );
    }
}
