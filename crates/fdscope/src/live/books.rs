//! The ledger, and the recording of all it is told: what reaches the one reaches the other, in the same order.
//!
//! Where passing descriptors are folded, both are told some seconds later, and counts in place of those.

use std::collections::HashSet;
use std::ops::Deref;

use fdscope_analyze::{Ledger, LedgerOptions};
use fdscope_model::process::Sample;
use fdscope_model::{
    Body, Event, FdNumber, HandleKey, HandleKind, Monotonic, Name, Pid, Process, Sight, Snapshot,
    StackId, Symbolizer, Tid, Trace,
};
use fdscope_record::{Closing, Error, Folder, Net, Opening, Record, Writer, owned};
use fdscope_sys::clock::wall_now_ns;

use crate::machine;

/// A ledger, read through `Deref`, and told things by the methods here only.
pub struct Books {
    ledger: Ledger,
    tape: Option<Tape>,
    /// What stands before both, where passing descriptors are folded.
    folder: Option<Folder>,
    /// Events that came, told to the ledger or not yet.
    heard: u64,
    /// When the last of them was.
    heard_last: Monotonic,
}

/// A recording being made.
pub struct Tape {
    writer: Writer,
    command: String,
    named: HashSet<StackId>,
    unnamed: Vec<StackId>,
    failed: Option<Error>,
}

impl Tape {
    /// Records into `writer`.
    pub fn new(writer: Writer, command: String) -> Self {
        let (named, unnamed) = Default::default();
        Tape { writer, command, named, unnamed, failed: None }
    }

    fn push(&mut self, record: &Record<'_>) {
        if self.failed.is_none() {
            self.failed = self.writer.push(record).err();
        }
    }

    /// Takes note of a stack while its process lives.
    fn hear(&mut self, event: &Event<'_>) {
        if let Some(stack) = stack_of(&event.body)
            && self.named.insert(stack)
        {
            self.unnamed.push(stack);
        }
    }
}

impl Deref for Books {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

impl Books {
    /// Empty books, recorded on `tape` if there is one. `folded`: passing descriptors are counted by place.
    pub fn new(options: LedgerOptions, tape: Option<Tape>, folded: bool) -> Self {
        let folder = folded.then(Folder::default);
        let ledger = Ledger::new(options);
        Books { ledger, tape, folder, heard: 0, heard_last: Monotonic(0) }
    }

    /// Tells ledger and recording, at once or when it has become clear what passes.
    fn tell(&mut self, record: Record<'static>) {
        let Books { ledger, tape, folder, .. } = self;
        match folder {
            Some(folder) => folder.push(record, &mut |record| settle(ledger, tape, &record)),
            None => settle(ledger, tape, &record),
        }
    }

    /// Tells the recording, if there is one.
    fn write(&mut self, record: impl FnOnce() -> Record<'static>) {
        if self.tape.is_some() {
            self.tell(record());
        }
    }

    /// Opens the recording.
    pub fn open(&mut self, begun: Monotonic, sight: &Sight) {
        let Some(tape) = &self.tape else { return };
        let opening = Opening {
            fdscope: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine::describe(),
            command: tape.command.clone(),
            boot: machine::boot(),
            taken_at_ns: wall_now_ns(),
            begun,
        };
        self.tell(Record::Opening(opening));
        self.tell(Record::Sight(sight.clone()));
    }

    /// See [`Ledger::apply`].
    pub fn apply(&mut self, event: &Event<'_>) {
        self.heard += 1;
        self.heard_last = self.heard_last.max(event.at);
        if let Some(tape) = &mut self.tape {
            tape.hear(event);
        }
        if self.folder.is_some() {
            return self.tell(owned(&Record::Event(event.clone())));
        }
        if let Some(tape) = &mut self.tape {
            tape.push(&Record::Event(event.clone()));
        }
        self.ledger.apply(event);
    }

    /// See [`Ledger::know`].
    pub fn know(&mut self, process: Process) {
        self.tell(Record::Process(process));
    }

    /// See [`Ledger::sample`].
    pub fn sample(&mut self, sample: Sample) {
        self.tell(Record::Sample(sample));
    }

    /// See [`Ledger::learn`].
    pub fn learn(&mut self, pid: Pid, key: HandleKey, kind: HandleKind) {
        self.tell(Record::Learnt(pid, key, kind));
    }

    /// See [`Ledger::begin_reconcile`].
    pub fn begin_reconcile(&mut self, pid: Pid, at: Monotonic) {
        self.tell(Record::Comparing(pid, at));
    }

    /// See [`Ledger::finish_reconcile`].
    pub fn finish_reconcile(&mut self, snapshot: Snapshot) {
        self.tell(Record::Compared(snapshot));
    }

    /// Time has passed: what waited long enough is told.
    pub fn advance(&mut self, now: Monotonic) {
        let Books { ledger, tape, folder, .. } = self;
        if let Some(folder) = folder {
            folder.advance(now, &mut |record| settle(ledger, tape, &record));
        }
    }

    /// Nothing waits any more.
    pub fn catch_up(&mut self) {
        let Books { ledger, tape, folder, .. } = self;
        if let Some(folder) = folder {
            folder.flush(&mut |record| settle(ledger, tape, &record));
        }
    }

    /// Events that came, whether the ledger knows of them yet or not.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// When the last of them was.
    pub fn heard_last(&self) -> Monotonic {
        self.heard_last
    }

    /// Records what the kernel counts of sockets.
    pub fn net_is(&mut self, net: Net) {
        self.write(|| Record::Net(net));
    }

    /// Records what a descriptor is called.
    pub fn descriptor_is(&mut self, pid: Pid, fd: FdNumber, born: Monotonic, name: &Name) {
        self.write(|| Record::Descriptor(pid, fd, born, name.clone()));
    }

    /// Records what a thread is called.
    pub fn thread_is(&mut self, pid: Pid, tid: Tid, name: Name) {
        self.write(|| Record::Thread(pid, tid, name));
    }

    /// Records the names of stacks that came since the last call, while their processes are there to be asked.
    pub fn name_stacks(&mut self, stacks: &mut dyn Symbolizer) {
        let Some(tape) = &mut self.tape else { return };
        for stack in std::mem::take(&mut tape.unnamed) {
            let names = stacks.symbolize(stack);
            self.tell(Record::Stack(stack, names));
        }
    }

    /// Records what the judge heard, and ends the recording.
    pub fn close(&mut self, heard: Vec<Record<'static>>, closing: Closing) {
        self.catch_up();
        let Some(tape) = &mut self.tape else { return };
        heard.iter().for_each(|record| tape.push(record));
        tape.push(&Record::Closing(closing));
        if tape.failed.is_none() {
            tape.failed = tape.writer.flush().err();
        }
    }

    /// True if there is a recording.
    pub fn records(&self) -> bool {
        self.tape.is_some()
    }

    /// The size of the recording, or why it could not be written; `None` without one.
    pub fn recorded(&mut self) -> Option<Result<u64, Error>> {
        let tape = self.tape.as_mut()?;
        Some(tape.failed.take().map_or(Ok(tape.writer.size()), Err))
    }

    /// True if the recording could not be written, or takes no more.
    pub fn has_no_room(&self) -> bool {
        self.tape.as_ref().is_some_and(|tape| tape.failed.is_some() || tape.writer.is_full())
    }
}

/// What reaches both.
fn settle(ledger: &mut Ledger, tape: &mut Option<Tape>, record: &Record<'static>) {
    if let Some(tape) = tape {
        tape.push(record);
    }
    tell_ledger(ledger, record);
}

/// Tells a ledger what a record says: of a watch as it goes, and of one that was recorded.
pub fn tell_ledger(ledger: &mut Ledger, record: &Record<'_>) {
    match record {
        Record::Event(event) => ledger.apply(event),
        Record::Folded(folded) => ledger.fold(folded),
        Record::Process(process) => ledger.know(process.clone()),
        Record::Sample(sample) => ledger.sample(sample),
        Record::Learnt(pid, key, kind) => ledger.learn(*pid, *key, *kind, None),
        Record::Comparing(pid, at) => ledger.begin_reconcile(*pid, *at),
        Record::Compared(snapshot) => {
            ledger.finish_reconcile(snapshot);
        }
        Record::Opening(_)
        | Record::Stack(..)
        | Record::Descriptor(..)
        | Record::Thread(..)
        | Record::Fault(_)
        | Record::Sight(_)
        | Record::Thinned(_)
        | Record::Full(_)
        | Record::Closing(_)
        | Record::Net(_) => {}
    }
}

fn stack_of(body: &Body<'_>) -> Option<StackId> {
    let trace = match body {
        Body::Acquire(acquire) => &acquire.trace,
        Body::Release(release) => &release.trace,
        Body::Fail(fail) => &fail.trace,
        Body::Fork { trace, .. } => trace,
        _ => return None,
    };
    match trace {
        Trace::Known(stack) => Some(*stack),
        _ => None,
    }
}
