//! Thinning: a recording rewritten with less detail where it is old.
//!
//! What goes: descriptors that were born and closed again within the stretch, which become counts by place, and samples
//! that say what the one before said. What stays: every birth of a handle that lived on, with its stack, every death of
//! an older one, every failure, every comparison with the kernel's table: all that a verdict of growth is made of. The
//! ledger at the end of the stretch is the same. [`Thinned`] says how much went.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use fdscope_model::{Body, Event, FdNumber, Monotonic, Pid};

use crate::bytes::{Get, In, Out, Put};
use crate::error::Error;
use crate::folds::Folds;
use crate::frame;
use crate::read::{Reader, Whole};
use crate::record::{Record, Thinned};
use crate::sieve::{Look, Sieve};

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
    let mut copy = Copy { to: BufWriter::new(to), size: 0, sieve: Sieve::default() };
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
    sieve: Sieve,
}

impl Copy<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.size += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    fn thinned(&mut self, stretch: &mut Vec<Record<'static>>) -> std::io::Result<()> {
        let mut out = Out::default();
        for record in thin(std::mem::take(stretch), &mut self.sieve) {
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

/// The records of a stretch without its passing detail. What is learnt of tables is kept for the next stretch.
fn thin(stretch: Vec<Record<'static>>, sieve: &mut Sieve) -> Vec<Record<'static>> {
    let times = || stretch.iter().filter_map(Record::at);
    let (Some(from), Some(to)) = (times().min(), times().max()) else { return stretch };
    let mut note = Thinned { from, to, pairs: 0, samples: 0 };
    let mut folds = Folds::default();
    let mut kept: Vec<Option<Record<'static>>> = Vec::with_capacity(stretch.len());
    let mut gone = HashSet::new();
    sieve.begin();
    for record in stretch {
        if let Record::Event(Event { pid, body: Body::Exit { .. }, .. }) = &record {
            kept.extend(folds.take_of(*pid).into_iter().map(Some));
        }
        match sieve.look(kept.len() as u64, &record) {
            Look::Keep => kept.push(Some(record)),
            Look::KeepBehind(event) => kept.extend([Some(Record::Event(*event)), Some(record)]),
            Look::Repeats => note.samples += 1,
            Look::Passed(birth) => {
                let place = usize::try_from(birth).ok().and_then(|place| kept.get_mut(place));
                let Some(birth) = place.and_then(Option::take) else { continue };
                note.pairs += 1;
                folds.count(&birth, &record);
                gone.extend(name_of(&birth));
            }
        }
    }
    let kept = kept.into_iter().flatten().chain(folds.take());
    // What they were called goes with them.
    let mut kept: Vec<Record<'static>> = kept
        .filter(|record| match record {
            Record::Descriptor(pid, fd, born, _) => !gone.contains(&(*pid, *fd, *born)),
            _ => true,
        })
        .collect();
    if note.pairs + note.samples > 0 {
        // Behind the opening, which stands first.
        let place = usize::from(matches!(kept.first(), Some(Record::Opening(_))));
        kept.insert(place, Record::Thinned(note));
    }
    kept
}

/// How names speak of a descriptor.
fn name_of(birth: &Record<'_>) -> Option<(Pid, FdNumber, Monotonic)> {
    let Record::Event(Event { at, pid, body: Body::Acquire(acquire), .. }) = birth else {
        return None;
    };
    Some((*pid, acquire.key.fd()?, *at))
}
