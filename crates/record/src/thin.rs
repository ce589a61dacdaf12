//! Thinning: a recording rewritten with less detail where it is old.
//!
//! What goes: handles that were born and closed again within the stretch, birth and death together, and samples that say
//! what the one before said. What stays: every birth of a handle that lived on, with its stack, every death of an older
//! one, every failure, every comparison with the kernel's table: all that a verdict of growth is made of. The ledger at
//! the end of the stretch is the same. [`Thinned`] says how much went.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use fdscope_model::event::Slot;
use fdscope_model::process::Sample;
use fdscope_model::{AcquireCause, Body, FdNumber, HandleKey, Monotonic, Pid, TableId};

use crate::bytes::{Get, In, Out, Put};
use crate::error::Error;
use crate::frame;
use crate::read::{Reader, Whole};
use crate::record::{Record, Thinned};

/// A stretch is held in memory while it is thinned, and is at most so many records.
const STRETCH: usize = 1 << 19;
/// Thinned records are packed into frames of this size.
const FRAME_BYTES: usize = 512 << 10;

/// Copies a recording to `to`, thinning the frames that `old` names. Answers the new size in bytes.
pub(crate) fn rewrite(
    path: &Path,
    to: &mut File,
    old: &dyn Fn(Monotonic, u64) -> bool,
) -> Result<u64, Error> {
    let failed = |source| Error::File { operation: "thin", path: path.to_owned(), source };
    let mut reader = Reader::open(path)?;
    let mut copy = Copy { to: BufWriter::new(to), size: 0, owners: Owners::default() };
    copy.write(&frame::head()).map_err(failed)?;
    let (mut place, mut stretch) = (0, Vec::new());
    while let Some(Whole { records, bytes, thinned }) = reader.next_frame()? {
        let began = place;
        place += bytes.len() as u64;
        let mut decoded = Vec::new();
        let readable = !thinned && decode(&records, &mut decoded);
        let at = decoded.iter().find_map(Record::at);
        if readable && at.is_some_and(|at| old(at, began)) {
            stretch.append(&mut decoded);
            if stretch.len() >= STRETCH {
                copy.thinned(&mut stretch).map_err(failed)?;
            }
        } else {
            copy.thinned(&mut stretch).map_err(failed)?;
            copy.write(&bytes).map_err(failed)?;
        }
    }
    copy.thinned(&mut stretch).map_err(failed)?;
    copy.to.flush().map_err(failed)?;
    Ok(copy.size)
}

fn decode(records: &[u8], into: &mut Vec<Record<'static>>) -> bool {
    let mut from = In::new(records);
    while !from.bytes.is_empty() {
        match Record::get(&mut from) {
            Ok(record) => into.push(record),
            Err(_) => return false,
        }
    }
    true
}

/// The file being written.
struct Copy<'a> {
    to: BufWriter<&'a mut File>,
    size: u64,
    owners: Owners,
}

impl Copy<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.size += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    fn thinned(&mut self, stretch: &mut Vec<Record<'static>>) -> std::io::Result<()> {
        let mut out = Out::default();
        for record in thin(std::mem::take(stretch), &mut self.owners) {
            record.put(&mut out);
            if out.bytes.len() >= FRAME_BYTES {
                let frame = frame::pack(&std::mem::take(&mut out).bytes, true)?;
                self.write(&frame)?;
            }
        }
        if out.bytes.is_empty() {
            return Ok(());
        }
        let frame = frame::pack(&out.bytes, true)?;
        self.write(&frame)
    }
}

/// Which table each process has, as far as was told: processes share them.
#[derive(Debug, Default)]
pub(crate) struct Owners(HashMap<Pid, TableId>);

impl Owners {
    fn learn(&mut self, pid: Pid, table: TableId) {
        self.0.insert(pid, table);
    }

    fn event(&mut self, pid: Pid, body: &Body<'_>) {
        match body {
            Body::Acquire(acquire) => {
                if let HandleKey::Descriptor(table, _) = acquire.key {
                    self.learn(pid, table);
                }
            }
            Body::Fork { child, child_table, parent_table, .. } => {
                self.learn(*child, *child_table);
                self.learn(pid, *parent_table);
            }
            Body::Unshare { to, .. } => self.learn(pid, *to),
            Body::Exec { table, .. } => self.learn(pid, *table),
            Body::Exit { .. } => drop(self.0.remove(&pid)),
            _ => {}
        }
    }
}

/// The records of a stretch without its passing detail. What is learnt of tables is kept for the next stretch.
pub(crate) fn thin(stretch: Vec<Record<'static>>, owners: &mut Owners) -> Vec<Record<'static>> {
    let mut sieve = Sieve { drop: vec![false; stretch.len()], ..Sieve::new(owners) };
    for (index, record) in stretch.iter().enumerate() {
        sieve.look(index, record);
    }
    let times = || stretch.iter().filter_map(Record::at);
    let (Some(from), Some(to)) = (times().min(), times().max()) else { return stretch };
    let note = Thinned { from, to, pairs: sieve.pairs, samples: sieve.samples };
    let drop = sieve.drop;
    let mut kept: Vec<Record<'static>> =
        stretch.into_iter().zip(drop).filter(|(_, drop)| !drop).map(|(record, _)| record).collect();
    if note.pairs + note.samples > 0 {
        // Behind the opening, which stands first.
        let place = usize::from(matches!(kept.first(), Some(Record::Opening(_))));
        kept.insert(place, Record::Thinned(note));
    }
    kept
}

/// Finds what may go.
struct Sieve<'a> {
    owners: &'a mut Owners,
    drop: Vec<bool>,
    /// Births that may yet turn out to be passing.
    births: HashMap<TableId, HashMap<FdNumber, usize>>,
    /// Comparisons under way, and their tables where known: what happens meanwhile in a table decides what they mean.
    comparing: Vec<(Pid, Option<TableId>)>,
    last: HashMap<Pid, Sample>,
    pairs: u64,
    samples: u64,
}

impl<'a> Sieve<'a> {
    fn new(owners: &'a mut Owners) -> Self {
        Sieve {
            owners,
            drop: Vec::new(),
            births: HashMap::new(),
            comparing: Vec::new(),
            last: HashMap::new(),
            pairs: 0,
            samples: 0,
        }
    }

    /// Nothing is passing of what was born in this table so far; in any, if it is not known which.
    fn touch_one(&mut self, table: Option<TableId>) {
        match table {
            Some(table) => drop(self.births.remove(&table)),
            None => self.births.clear(),
        }
    }

    fn forget(&mut self, key: &HandleKey) -> Option<usize> {
        let HandleKey::Descriptor(table, fd) = key else { return None };
        self.births.get_mut(table)?.remove(fd)
    }

    fn is_compared(&self, table: TableId) -> bool {
        self.comparing.iter().any(|(_, of)| of.is_none_or(|of| of == table))
    }

    fn look(&mut self, index: usize, record: &Record<'_>) {
        match record {
            Record::Event(event) => {
                self.owners.event(event.pid, &event.body);
                self.event(index, event.pid, &event.body);
            }
            Record::Comparing(pid, _) => {
                let table = self.owners.0.get(pid).copied();
                self.touch_one(table);
                self.comparing.push((*pid, table));
            }
            Record::Compared(snapshot) => {
                let before = self.owners.0.get(&snapshot.pid).copied();
                self.touch_one(before);
                if let Some(table) = snapshot.table {
                    self.owners.learn(snapshot.pid, table);
                    self.touch_one(Some(table));
                }
                self.comparing.retain(|(pid, _)| *pid != snapshot.pid);
            }
            Record::Learnt(_, key, _) => {
                self.forget(key);
            }
            Record::Sample(sample) => {
                let same = self
                    .last
                    .get(&sample.pid)
                    .is_some_and(|last| Sample { at: sample.at, ..last.clone() } == *sample);
                if same {
                    self.mark(index);
                    self.samples += 1;
                } else {
                    self.last.insert(sample.pid, sample.clone());
                }
            }
            _ => {}
        }
    }

    fn event(&mut self, index: usize, pid: Pid, body: &Body<'_>) {
        match body {
            Body::Acquire(acquire) => {
                if let (AcquireCause::Dup(_, of), HandleKey::Descriptor(table, _)) =
                    (acquire.cause, acquire.key)
                {
                    // The copy needs its original.
                    self.forget(&HandleKey::Descriptor(table, of));
                }
                self.forget(&acquire.key);
                let HandleKey::Descriptor(table, fd) = acquire.key else { return };
                let called = matches!(acquire.cause, AcquireCause::Call(_) | AcquireCause::Ring(_));
                if called && !self.is_compared(table) {
                    self.births.entry(table).or_default().insert(fd, index);
                }
            }
            Body::Release(release) => {
                // A slot that holds something leaves open whose death this is.
                let birth = self.forget(&release.key);
                if let (Some(birth), Slot::Empty | Slot::NotRead) = (birth, release.slot) {
                    self.mark(birth);
                    self.mark(index);
                    self.pairs += 1;
                }
            }
            Body::CloseOnExec { key, .. } => drop(self.forget(key)),
            Body::Fork { child_table, parent_table, .. } => {
                self.touch(&[*child_table, *parent_table])
            }
            Body::Unshare { from, to } => self.touch(&[*from, *to]),
            Body::Exec { table, .. } | Body::Exit { table } => self.touch(&[*table]),
            Body::Lost { .. } => self.births.clear(),
            Body::Reconcile { .. } => {
                let table = self.owners.0.get(&pid).copied();
                self.touch_one(table);
            }
            Body::Fail(_) => {}
        }
    }

    /// What happens to whole tables needs what is in them.
    fn touch(&mut self, tables: &[TableId]) {
        tables.iter().for_each(|table| drop(self.births.remove(table)));
    }

    fn mark(&mut self, index: usize) {
        if let Some(drop) = self.drop.get_mut(index) {
            *drop = true;
        }
    }
}
