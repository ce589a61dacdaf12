//! Writing a recording: appended frame by frame, private to its owner, kept within its bounds.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use fdscope_model::Monotonic;

use crate::bytes::{Out, Put};
use crate::error::Error;
use crate::frame;
use crate::record::Record;
use crate::thin;

/// A frame is written once its records take this much …
const FRAME_BYTES: usize = 128 << 10;
/// … or once its first record is so old, unless told otherwise: what a crash loses.
const FRAME_NS: u64 = 1_000_000_000;
/// Thinning leaves this share of the bound free, or the recording is full.
const ROOM: u64 = 10;

/// How much a recording may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// The size of the file in bytes.
    pub max_bytes: u64,
    /// Detail older than this is left out, in nanoseconds; `None`: only size counts.
    pub max_age_ns: Option<u64>,
    /// What is told waits at most so long before it is written, in nanoseconds: what a crash loses. More at a time packs
    /// better.
    pub apart_ns: u64,
}

impl Default for Bounds {
    /// 200 MB, any age, and a second.
    fn default() -> Self {
        Bounds { max_bytes: 200_000_000, max_age_ns: None, apart_ns: FRAME_NS }
    }
}

/// A recording being written.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    bounds: Bounds,
    out: Out,
    /// When the first record in `out` came, and the last record of all.
    first: Option<Monotonic>,
    last: Monotonic,
    /// When thinning for age was done last.
    aged: Monotonic,
    size: u64,
    full: bool,
}

impl Writer {
    /// Makes the file, readable by its owner only. One that is there is replaced.
    ///
    /// # Errors
    /// If it cannot be made, or is there and is no recording.
    pub fn create(path: &Path, bounds: Bounds) -> Result<Self, Error> {
        let failed = |source| Error::File { operation: "create", path: path.to_owned(), source };
        refuse_others(path).map_err(failed)?;
        let mut file = private(path).map_err(failed)?;
        let head = frame::head();
        file.write_all(&head).map_err(failed)?;
        let size = head.len() as u64;
        Ok(Writer {
            path: path.to_owned(),
            file,
            bounds,
            out: Out::default(),
            first: None,
            last: Monotonic(0),
            aged: Monotonic(0),
            size,
            full: false,
        })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), Error> {
        // A full recording still takes its end.
        if self.full && !matches!(record, Record::Closing(_) | Record::Full(_) | Record::Sight(_)) {
            return Ok(());
        }
        if let Some(at) = record.at() {
            self.last = self.last.max(at);
            // Not its own time: what comes late would make a frame of each.
            self.first.get_or_insert(self.last);
        }
        let old = |most_ns| self.first.is_some_and(|first| self.last.since_ns(first) >= most_ns);
        record.put(&mut self.out);
        let is_due = self.out.bytes.len() >= FRAME_BYTES || old(self.bounds.apart_ns);
        if is_due { self.flush() } else { Ok(()) }
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn flush(&mut self) -> Result<(), Error> {
        let records = std::mem::take(&mut self.out).bytes;
        self.first = None;
        if records.is_empty() {
            return Ok(());
        }
        let path = &self.path;
        let failed = |source| Error::File { operation: "write", path: path.clone(), source };
        let frame = frame::pack(&records, false).map_err(failed)?;
        if let Err(why) = self.file.write_all(&frame) {
            // Half a frame says nothing; without it the recording ends with its last whole one.
            let _as_it_is = self.file.set_len(self.size);
            return Err(failed(why));
        }
        self.size += frame.len() as u64;
        self.keep_bounds()
    }

    /// The size of the file so far, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// True if the recording takes nothing more.
    pub fn is_full(&self) -> bool {
        self.full
    }

    fn keep_bounds(&mut self) -> Result<(), Error> {
        if self.full {
            return Ok(());
        }
        if let Some(age_ns) = self.bounds.max_age_ns {
            // A tenth of the age at a time: the rewriting is then a small part of the work.
            let begun = self.aged == Monotonic(0);
            if begun {
                self.aged = self.last;
            } else if self.last.since_ns(self.aged) > age_ns + age_ns / ROOM {
                let since = Monotonic(self.last.0.saturating_sub(age_ns));
                self.aged = since;
                self.thin(&|at, _| at < since)?;
            }
        }
        if self.size <= self.bounds.max_bytes {
            return Ok(());
        }
        let half = self.size / 2;
        self.thin(&|_, bytes| bytes < half)?;
        let enough = self.bounds.max_bytes - self.bounds.max_bytes / ROOM;
        if self.size > enough {
            self.thin(&|_, _| true)?;
        }
        if self.size > enough {
            self.push(&Record::Full(self.last))?;
            self.full = true;
            return self.flush();
        }
        Ok(())
    }

    /// Rewrites the file with less detail where `old` says so of a frame, by the time and place of its beginning.
    fn thin(&mut self, old: &dyn Fn(Monotonic, u64) -> bool) -> Result<(), Error> {
        let path = self.path.clone();
        let failed = |source| Error::File { operation: "thin", path: path.clone(), source };
        let beside = beside(&path);
        // Left over from a writer that was killed here; or not there.
        let _absent = std::fs::remove_file(&beside);
        let mut file = private(&beside).map_err(failed)?;
        let rewritten = thin::rewrite(&path, &mut file, old);
        let done = rewritten.and_then(|size| {
            file.sync_data().and_then(|()| std::fs::rename(&beside, &path)).map_err(failed)?;
            Ok(size)
        });
        match done {
            Ok(size) => {
                self.size = size;
                self.file = file;
                Ok(())
            }
            Err(error) => {
                let _gone = std::fs::remove_file(&beside);
                Err(error)
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Who wants to know of a failure flushes first.
        let _unwritable = self.flush();
    }
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).and_then(
        |file| {
            // One that was there may be open to others.
            use std::os::unix::fs::PermissionsExt;
            if file.metadata()?.is_file() {
                file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            }
            Ok(file)
        },
    )
}

/// A mistyped `-o` is not to cost a file: only recordings and empty files are replaced.
fn refuse_others(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() > 0 && !crate::Reader::is_recording(path) => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there, and is no recording"))
        }
        Ok(meta) if !meta.is_file() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "a recording must be a regular file"))
        }
        _ => Ok(()),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".thinned");
    name.into()
}
