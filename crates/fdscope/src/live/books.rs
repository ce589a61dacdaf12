//! The ledger, and the recording of all it is told: what reaches the one reaches the other, in the same order.

use std::collections::HashSet;
use std::ops::Deref;

use fdscope_analyze::{Ledger, LedgerOptions};
use fdscope_model::process::Sample;
use fdscope_model::{
    Body, Event, FdNumber, HandleKey, HandleKind, Monotonic, Name, Pid, Process, Sight, Snapshot,
    StackId, Symbolizer, Tid, Trace,
};
use fdscope_record::{Closing, Error, Opening, Record, Writer};
use fdscope_sys::clock::wall_now_ns;

use crate::machine;

/// A ledger, read through `Deref`, and told things by the methods here only.
pub struct Books {
    ledger: Ledger,
    tape: Option<Tape>,
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

    fn event(&mut self, event: &Event<'_>) {
        if let Some(stack) = stack_of(&event.body)
            && self.named.insert(stack)
        {
            self.unnamed.push(stack);
        }
        self.push(&Record::Event(event.clone()));
    }
}

impl Deref for Books {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

impl Books {
    /// Empty books, recorded on `tape` if there is one.
    pub fn new(options: LedgerOptions, tape: Option<Tape>) -> Self {
        Books { ledger: Ledger::new(options), tape }
    }

    fn write(&mut self, record: impl FnOnce() -> Record<'static>) {
        if let Some(tape) = &mut self.tape {
            tape.push(&record());
        }
    }

    /// Opens the recording.
    pub fn open(&mut self, begun: Monotonic, sight: &Sight) {
        let Some(tape) = &mut self.tape else { return };
        let opening = Opening {
            fdscope: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine::describe(),
            command: tape.command.clone(),
            boot: machine::boot(),
            taken_at_ns: wall_now_ns(),
            begun,
        };
        tape.push(&Record::Opening(opening));
        tape.push(&Record::Sight(sight.clone()));
    }

    /// See [`Ledger::apply`].
    pub fn apply(&mut self, event: &Event<'_>) {
        if let Some(tape) = &mut self.tape {
            tape.event(event);
        }
        self.ledger.apply(event);
    }

    /// See [`Ledger::know`].
    pub fn know(&mut self, process: Process) {
        self.write(|| Record::Process(process.clone()));
        self.ledger.know(process);
    }

    /// See [`Ledger::sample`].
    pub fn sample(&mut self, sample: &Sample) {
        self.write(|| Record::Sample(sample.clone()));
        self.ledger.sample(sample);
    }

    /// See [`Ledger::learn`].
    pub fn learn(&mut self, pid: Pid, key: HandleKey, kind: HandleKind) {
        self.write(|| Record::Learnt(pid, key, kind));
        self.ledger.learn(pid, key, kind, None);
    }

    /// See [`Ledger::begin_reconcile`].
    pub fn begin_reconcile(&mut self, pid: Pid, at: Monotonic) {
        self.write(|| Record::Comparing(pid, at));
        self.ledger.begin_reconcile(pid, at);
    }

    /// See [`Ledger::finish_reconcile`].
    pub fn finish_reconcile(&mut self, snapshot: &Snapshot) {
        self.write(|| Record::Compared(snapshot.clone()));
        self.ledger.finish_reconcile(snapshot);
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
            tape.push(&Record::Stack(stack, names));
        }
    }

    /// Records what the judge heard, and ends the recording.
    pub fn close(&mut self, heard: Vec<Record<'static>>, closing: Closing) {
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
