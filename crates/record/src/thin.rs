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
use fdscope_model::{AcquireCause, Body, HandleKey, Monotonic, Pid, TableId};

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
    let mut copy = Copy { to: BufWriter::new(to), size: 0 };
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
}

impl Copy<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.size += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    fn thinned(&mut self, stretch: &mut Vec<Record<'static>>) -> std::io::Result<()> {
        let mut out = Out::default();
        for record in thin(std::mem::take(stretch)) {
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

/// The records of a stretch without its passing detail.
pub(crate) fn thin(stretch: Vec<Record<'static>>) -> Vec<Record<'static>> {
    let mut sieve = Sieve { drop: vec![false; stretch.len()], ..Sieve::default() };
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
#[derive(Default)]
struct Sieve {
    drop: Vec<bool>,
    /// Births that may yet turn out to be passing, by key.
    births: HashMap<HandleKey, usize>,
    /// Comparisons under way: what happens meanwhile decides what they mean.
    comparing: Vec<Pid>,
    last: HashMap<Pid, Sample>,
    pairs: u64,
    samples: u64,
}

impl Sieve {
    fn look(&mut self, index: usize, record: &Record<'_>) {
        match record {
            Record::Event(event) => self.event(index, &event.body),
            Record::Comparing(pid, _) => {
                self.births.clear();
                self.comparing.push(*pid);
            }
            Record::Compared(snapshot) => {
                self.births.clear();
                self.comparing.retain(|pid| *pid != snapshot.pid);
            }
            Record::Learnt(_, key, _) => {
                self.births.remove(key);
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

    fn event(&mut self, index: usize, body: &Body<'_>) {
        match body {
            Body::Acquire(acquire) => {
                if let (AcquireCause::Dup(_, of), HandleKey::Descriptor(table, _)) =
                    (acquire.cause, acquire.key)
                {
                    // The copy needs its original.
                    self.births.remove(&HandleKey::Descriptor(table, of));
                }
                let passing =
                    matches!(acquire.key, HandleKey::Descriptor(..)) && self.comparing.is_empty();
                self.births.remove(&acquire.key);
                if passing && matches!(acquire.cause, AcquireCause::Call(_) | AcquireCause::Ring(_))
                {
                    self.births.insert(acquire.key, index);
                }
            }
            Body::Release(release) => {
                // A slot that holds something leaves open whose death this is.
                let birth = self.births.remove(&release.key);
                if let (Some(birth), Slot::Empty | Slot::NotRead) = (birth, release.slot) {
                    self.mark(birth);
                    self.mark(index);
                    self.pairs += 1;
                }
            }
            Body::CloseOnExec { key, .. } => {
                self.births.remove(key);
            }
            Body::Fork { child_table, parent_table, .. } => {
                self.touch(&[*child_table, *parent_table])
            }
            Body::Unshare { from, to } => self.touch(&[*from, *to]),
            Body::Exec { table, .. } | Body::Exit { table } => self.touch(&[*table]),
            Body::Lost { .. } | Body::Reconcile { .. } => self.births.clear(),
            Body::Fail(_) => {}
        }
    }

    /// What happens to whole tables needs what is in them.
    fn touch(&mut self, tables: &[TableId]) {
        self.births.retain(|key, _| match key {
            HandleKey::Descriptor(table, _) => !tables.contains(table),
            _ => true,
        });
    }

    fn mark(&mut self, index: usize) {
        if let Some(drop) = self.drop.get_mut(index) {
            *drop = true;
        }
    }
}
