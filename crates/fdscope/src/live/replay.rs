//! A recording told to a ledger again, in the same order, and judged by the same code.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::Result;
use fdscope_analyze::{Ledger, LedgerOptions, Names};
use fdscope_model::process::Sample;
use fdscope_model::verdict::Report;
use fdscope_model::{
    Acquire, AcquireCause, Blind, Body, Event, Fault, FdNumber, HandleKey, HandleKind, InodeId,
    Monotonic, Name, Pid, Process, ProcessId, Sight, SourceName, StackId, Symbolized, Symbolizer,
    Tid, Trace,
};
use fdscope_proc::pattern;
use fdscope_record::{Closing, Ending as End, Net, Opening, Reader, Record};
use fdscope_render::units;

use crate::args::Span;
use crate::ending::{Ending, Failure};
use crate::live::books::tell_ledger;
use crate::live::moment::socket_inode;
use crate::live::report::only;
use crate::mounts::{Mounts, absolute};

/// What a recording told up to a moment.
pub struct Replay {
    /// The books at that moment.
    pub ledger: Ledger,
    /// How the recording began.
    pub opening: Opening,
    /// What frames are called.
    pub stacks: Frames,
    /// What handles and threads are called.
    pub names: Called,
    /// The moment.
    pub now: Monotonic,
    /// Every process that was told of, as last told.
    processes: HashMap<Pid, Process>,
    /// The last sample of each process.
    samples: HashMap<Pid, Sample>,
    /// The first one.
    first_samples: HashMap<Pid, Sample>,
    /// Processes that ended, and whose numbers nobody has again.
    gone: HashSet<Pid>,
    begun: Monotonic,
    sight: Option<Sight>,
    faults: Vec<Fault>,
    closing: Option<Closing>,
    left_out: u64,
    /// Descriptors that came and went, and are counted only.
    folded: u64,
    /// What the kernel last counted of sockets.
    net: Option<Net>,
    full: bool,
    /// True if the recording ends before the moment that was asked for.
    beyond: bool,
    ending: End,
}

/// The names of stacks.
#[derive(Default)]
pub struct Frames(HashMap<StackId, Symbolized>);

impl Symbolizer for Frames {
    fn symbolize(&mut self, stack: StackId) -> Symbolized {
        self.0.get(&stack).cloned().unwrap_or_default()
    }
}

/// The names of descriptors and threads.
#[derive(Default)]
pub struct Called {
    descriptors: HashMap<(Pid, FdNumber), Name>,
    /// Of sockets, whose names tell their ends once those are known.
    inodes: HashMap<(Pid, FdNumber), u64>,
    threads: HashMap<(Pid, Tid), Name>,
}

impl Called {
    /// What a descriptor was called when last asked.
    pub fn descriptor(&self, pid: Pid, fd: FdNumber) -> Option<Name> {
        self.descriptors.get(&(pid, fd)).filter(|name| !name.is_empty()).cloned()
    }

    /// The inode of a socket, where its link was told.
    pub fn inode(&self, pid: Pid, fd: FdNumber) -> Option<InodeId> {
        let inode = *self.inodes.get(&(pid, fd))?;
        Some(InodeId { inode, ..InodeId::default() })
    }

    fn is_called(&mut self, pid: Pid, fd: FdNumber, name: Name) {
        if let Some(inode) = socket_inode(&name) {
            self.inodes.insert((pid, fd), inode);
        }
        self.descriptors.insert((pid, fd), name);
    }

    /// Names that come with events, until a better one is told.
    fn note(&mut self, event: &Event<'_>) {
        let Body::Acquire(Acquire { key, name, .. }) = &event.body else { return };
        let HandleKey::Descriptor(_, fd) = *key else { return };
        // Another handle stands here now, and nobody may know its name yet.
        self.inodes.remove(&(event.pid, fd));
        match name {
            Some(name) => self.is_called(event.pid, fd, name.clone()),
            None => drop(self.descriptors.remove(&(event.pid, fd))),
        }
    }

    /// What a thread was called.
    pub fn thread(&self, pid: Pid, tid: Tid) -> Option<Name> {
        self.threads.get(&(pid, tid)).filter(|name| !name.is_empty()).cloned()
    }
}

/// True if a target names a recording and not a process. A file on a file system whose server may not answer is only
/// looked at if it is called one, `.fdr`: else a listing of what is held there could wait for ever.
pub fn is_recording(target: &str) -> bool {
    if target.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let path = Path::new(target);
    let called_one = path.extension().is_some_and(|extension| extension == "fdr");
    let may_wait = || Mounts::Now.may_wait(&absolute(path));
    (called_one || !may_wait()) && Reader::is_recording(path)
}

/// Counts that come so soon tell of the beginning.
const FIRST_COUNTS_NS: u64 = 5_000_000_000;

/// Reads a recording from `span.from` up to `span.to`.
///
/// # Errors
/// If it cannot be read, or has nothing of that time.
pub fn replay(path: &Path, span: &Span) -> Result<Replay> {
    replay_seen(path, span, &mut |_, _| {})
}

/// The same; `seen` sees every record, and what was told before it.
///
/// # Errors
/// As [`replay`].
pub fn replay_seen(
    path: &Path,
    span: &Span,
    seen: &mut dyn FnMut(&Replay, &Record<'static>),
) -> Result<Replay> {
    let mut reader = Reader::open(path)?;
    let mut replay: Option<Replay> = None;
    let (mut from, mut to) = (None, None);
    let mut early = false;
    // What was there already is told at the beginning, and is of the beginning.
    let mut opens = true;
    reader.read_all(&mut |record| {
        let Some(replay) = &mut replay else {
            if let Record::Opening(opening) = record {
                (from, to) = span.moments(&opening);
                early = to.is_some_and(|to: Monotonic| to < opening.begun);
                replay = Some(Replay::new(opening));
            }
            return replay.is_some() && !early;
        };
        if let (Some(to), Some(at)) = (to, time_of(&record))
            && at > to
            && !(opens && is_existing(&record))
        {
            replay.now = to;
            replay.count_from(&record);
            // At the very beginning nothing was counted yet: the first counts tell of it.
            return opens && replay.lacks_counts() && at.since_ns(to) < FIRST_COUNTS_NS;
        }
        opens &= !matches!(&record, Record::Event(_)) || is_existing(&record);
        if let (Some(begin), Some(at)) = (from, time_of(&record))
            && at >= begin
        {
            from = None;
            replay.begin_at(begin);
        }
        seen(replay, &record);
        replay.take(record);
        !replay.full
    })?;
    let nothing = |why: &str| {
        let what = format!("{} has nothing of that time: {why}", path.display());
        Failure::new(Ending::Usage, what)
    };
    let Some(mut replay) = replay else {
        let why = reader.ending().sentence().unwrap_or_default();
        return Err(
            Failure::new(Ending::Failed, format!("{} is empty: {why}", path.display())).into()
        );
    };
    if early || from.is_some() {
        return Err(nothing(&replay.spans()).into());
    }
    let stopped = replay.full || to.is_some_and(|to| replay.now == to);
    replay.beyond = to.is_some_and(|to| replay.now < to);
    replay.ending = if stopped { End::Whole } else { reader.ending() };
    Ok(replay)
}

/// The time of what happened; an opening has passed already.
fn time_of(record: &Record<'_>) -> Option<Monotonic> {
    match record {
        Record::Opening(_) => None,
        // What was there already may have been born long before.
        Record::Event(Event { at, .. }) => Some(*at),
        other => other.at(),
    }
}

fn is_existing(record: &Record<'_>) -> bool {
    let Record::Event(Event { body: Body::Acquire(acquire), .. }) = record else { return false };
    acquire.cause == AcquireCause::Existing
}

impl Replay {
    fn new(opening: Opening) -> Self {
        let begun = opening.begun;
        Replay {
            ledger: ledger(begun),
            opening,
            stacks: Frames::default(),
            names: Called::default(),
            now: begun,
            processes: HashMap::new(),
            samples: HashMap::new(),
            first_samples: HashMap::new(),
            gone: HashSet::new(),
            begun,
            sight: None,
            faults: Vec::new(),
            closing: None,
            left_out: 0,
            folded: 0,
            net: None,
            full: false,
            beyond: false,
            ending: End::Open,
        }
    }

    fn take(&mut self, record: Record<'static>) {
        if let Some(at) = record.at() {
            self.now = self.now.max(at);
        }
        let Replay { ledger, names, .. } = self;
        tell_ledger(ledger, &record);
        match record {
            Record::Process(process) => {
                self.gone.remove(&process.id.pid);
                self.processes.insert(process.id.pid, process);
            }
            Record::Event(event) => {
                match event.body {
                    Body::Exit { .. } => drop(self.gone.insert(event.pid)),
                    Body::Fork { child, .. } => drop(self.gone.remove(&child)),
                    _ => {}
                }
                names.note(&event);
            }
            Record::Sample(sample) => {
                self.first_samples.entry(sample.pid).or_insert_with(|| sample.clone());
                self.samples.insert(sample.pid, sample);
            }
            Record::Stack(stack, frames) => {
                self.stacks.0.insert(stack, frames);
            }
            Record::Descriptor(pid, fd, _, name) => {
                names.is_called(pid, fd, name);
            }
            Record::Thread(pid, tid, name) => {
                names.threads.insert((pid, tid), name);
            }
            Record::Fault(fault) => self.faults.push(fault),
            Record::Sight(sight) => self.sight = Some(sight),
            Record::Thinned(thinned) => self.left_out += thinned.pairs,
            Record::Full(_) => self.full = true,
            Record::Closing(closing) => self.closing = Some(closing),
            Record::Folded(folded) => self.folded += folded.count(),
            Record::Net(net) => self.net = Some(net),
            Record::Opening(_)
            | Record::Learnt(..)
            | Record::Comparing(..)
            | Record::Compared(_) => {}
        }
    }

    /// Takes the first counts of a process that has none.
    fn count_from(&mut self, record: &Record<'_>) {
        if let Record::Sample(sample) = record {
            self.samples.entry(sample.pid).or_insert_with(|| sample.clone());
        }
    }

    fn lacks_counts(&self) -> bool {
        self.ledger.pids().iter().any(|pid| !self.samples.contains_key(pid))
    }

    /// Watching begins only now: what is alive existed before.
    fn begin_at(&mut self, begun: Monotonic) {
        let before = std::mem::replace(&mut self.ledger, ledger(begun));
        self.begun = begun;
        self.first_samples = self.samples.clone();
        for pid in before.pids() {
            if let Some(process) = self.processes.get(&pid) {
                self.ledger.know(process.clone());
            }
            let descriptors = before.live(pid).into_iter().map(|handle| Acquire {
                key: handle.key,
                kind: handle.kind,
                file: handle.file,
                inode: handle.inode,
                cloexec: handle.cloexec,
                cause: AcquireCause::Existing,
                name: self.names.descriptor(pid, handle.fd),
                trace: Trace::None,
            });
            let others = before.live_others(pid).into_iter().map(|held| other(held.key, held.kind));
            for acquire in descriptors.chain(others) {
                let body = Body::Acquire(acquire);
                self.ledger.apply(&Event { at: begun, pid, tid: Tid(0), body });
            }
            if let Some(sample) = self.samples.get(&pid) {
                self.ledger.sample(&Sample { at: begun, ..sample.clone() });
            }
        }
    }

    /// What a process is called; empty if nothing told.
    pub fn comm(&self, pid: Pid) -> String {
        self.processes.get(&pid).map_or_else(String::new, |process| process.comm.to_string())
    }

    /// Who a process is; only its number if nothing told.
    pub fn process(&self, pid: Pid) -> Process {
        self.processes.get(&pid).cloned().unwrap_or_else(|| {
            let id = ProcessId { pid, ..ProcessId::default() };
            Process { id, ..Process::default() }
        })
    }

    /// The last sample of each process, in order of number.
    pub fn samples(&self) -> Vec<(Pid, &Sample)> {
        let mut samples: Vec<_> = self.samples.iter().map(|(pid, sample)| (*pid, sample)).collect();
        samples.sort_by_key(|row| row.0);
        samples
    }

    /// The last sample of a process.
    pub fn sample(&self, pid: Pid) -> Option<&Sample> {
        self.samples.get(&pid)
    }

    /// The first sample of a process in the part that is looked at.
    pub fn first_sample(&self, pid: Pid) -> Option<&Sample> {
        self.first_samples.get(&pid)
    }

    /// What the kernel last counted of sockets.
    pub fn net(&self) -> Option<&Net> {
        self.net.as_ref()
    }

    /// True if a process has ended.
    pub fn is_gone(&self, pid: Pid) -> bool {
        self.gone.contains(&pid)
    }

    /// Where the events were from.
    pub fn source(&self) -> Option<SourceName> {
        self.sight.as_ref().map(|sight| sight.source)
    }

    /// Wall time of a moment, in nanoseconds since the epoch.
    pub fn wall_ns(&self, at: Monotonic) -> u64 {
        let Opening { taken_at_ns, begun, .. } = self.opening;
        taken_at_ns.saturating_add(at.0).saturating_sub(begun.0)
    }

    /// From when to when, in a few words.
    fn spans(&self) -> String {
        let ends = [self.opening.begun, self.now].map(|at| units::wall_time(self.wall_ns(at)));
        format!("it spans {} to {}", ends[0], ends[1])
    }

    /// Judges as of `now`.
    pub fn report(&mut self, command: String, kinds: &[HandleKind]) -> Report {
        let Replay { ledger, stacks, names, now, .. } = self;
        let book = Names {
            handle: &|pid, fd| names.descriptor(pid, fd),
            thread: &|pid, tid| names.thread(pid, tid),
        };
        let mut judgement = ledger.judge(*now, stacks, book);
        only(&mut judgement, kinds);
        let whole = self.closing.filter(|closing| closing.judged == self.now);
        Report {
            command,
            taken_at_ns: whole
                .map_or_else(|| self.wall_ns(self.now), |closing| closing.taken_at_ns),
            machine: self.opening.machine.clone(),
            begun: self.begun,
            ended: self.now,
            sight: self.sight(),
            lost: self.ledger.lost(),
            events: self.ledger.events(),
            stacks_skipped: self.ledger.stacks_skipped(),
            totals: judgement.totals,
            verdicts: judgement.verdicts,
            misuse: judgement.misuse,
            faults: self.faults.clone(),
        }
    }

    /// What the source saw, what it did not, and what the recording itself lacks.
    pub fn sight(&self) -> Sight {
        let recorded = units::wall_time(self.opening.taken_at_ns);
        let mut sight = self.sight.clone().unwrap_or(Sight {
            source: SourceName::Recording,
            how: "an unknown source".to_owned(),
            blind: Vec::new(),
        });
        sight.how = format!("taken {recorded}, by {}", sight.how);
        sight.source = SourceName::Recording;
        sight.blind.extend(self.lacks());
        sight
    }

    /// What the recording itself lacks.
    pub fn lacks(&self) -> Vec<Blind> {
        let mut all = Vec::new();
        let mut lacks = |what: &str, why: String| {
            all.push(Blind { what: what.to_owned(), why, cure: None });
        };
        if let Some(why) = self.ending.sentence() {
            lacks("what came after the end of the recording", why);
        }
        if self.full {
            let why = "the recording reached its --max-size, and nothing more could be left out";
            lacks("what came after the end of the recording", why.to_owned());
        }
        if self.beyond {
            let why = "the recording ends before that moment: its end is shown";
            lacks("the moment that was asked for", why.to_owned());
        }
        if self.folded > 0 {
            let count = units::count_of(self.folded, "descriptor", "descriptors");
            let why = format!(
                "{count} that came and went within seconds are counted by place, not kept one by one"
            );
            lacks("what passing descriptors were called, and when each was open", why);
        }
        // What was left out is counted since version 2.
        let unsaid = self.left_out.saturating_sub(self.folded);
        if unsaid > 0 {
            let pairs = units::count(unsaid);
            let why = format!(
                "{pairs} births were left out with their deaths, to keep the recording small"
            );
            lacks("handles that were closed again, in the older part", why);
        }
        all
    }
}

fn ledger(begun: Monotonic) -> Ledger {
    Ledger::new(LedgerOptions { begun: Some(begun), pattern })
}

fn other(key: HandleKey, kind: HandleKind) -> Acquire<'static> {
    let cause = AcquireCause::Existing;
    Acquire {
        key,
        kind,
        file: None,
        inode: None,
        cloexec: None,
        cause,
        name: None,
        trace: Trace::None,
    }
}
