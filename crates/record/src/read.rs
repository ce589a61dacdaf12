//! Reading a recording, record by record, up to the last whole one.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::bytes::{Get, In};
use crate::error::Error;
use crate::frame::{self, Found, HEAD, MAGIC, VERSION};
use crate::record::Record;

/// How a recording ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// As its writer ended it.
    Whole,
    /// Without its closing record: the writer still writes, or was killed between two frames.
    Open,
    /// Within a frame: the writer was killed, or the file was cut, after this many whole bytes.
    Cut {
        /// Bytes that could be read.
        at: u64,
    },
    /// With bytes that are no frame: a checksum is wrong, or its records are not those of this version.
    Damaged {
        /// Bytes that could be read.
        at: u64,
        /// What is wrong.
        why: String,
    },
}

impl Ending {
    /// The ending in a sentence; `None` for the proper one.
    pub fn sentence(&self) -> Option<String> {
        match self {
            Ending::Whole => None,
            Ending::Open => {
                Some("the recording has no end: its writer still runs or was killed".to_owned())
            }
            Ending::Cut { at } => {
                Some(format!("the recording is cut off behind byte {at}: what follows is missing"))
            }
            Ending::Damaged { at, why } => Some(format!(
                "the recording is damaged behind byte {at} ({why}): what follows was not read"
            )),
        }
    }
}

/// A frame as it was found.
pub(crate) struct Whole {
    /// Its records, unpacked.
    pub(crate) records: Vec<u8>,
    /// Its bytes in the file.
    pub(crate) bytes: Vec<u8>,
    /// True if detail was left out already.
    pub(crate) thinned: bool,
}

/// A recording being read.
#[derive(Debug)]
pub struct Reader<R = BufReader<File>> {
    from: R,
    path: PathBuf,
    at: u64,
    closed: bool,
    ending: Option<Ending>,
}

impl Reader {
    /// Opens a recording.
    ///
    /// # Errors
    /// If it cannot be read, is no recording, or is of a later version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { operation: "open", path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err(Error::NotARecording(path.to_owned()));
        }
        Reader::new(BufReader::with_capacity(1 << 18, file), path)
    }

    /// True if the file begins as a recording does. Reads nothing but regular files.
    pub fn is_recording(path: &Path) -> bool {
        let regular = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
        let mut head = [0; MAGIC.len()];
        regular
            && File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
            && head == MAGIC
    }
}

impl<R: Read> Reader<R> {
    /// Reads a recording from anywhere; `path` is what errors call it.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn new(mut from: R, path: &Path) -> Result<Self, Error> {
        let mut head = Vec::new();
        let failed = |source| Error::File { operation: "read", path: path.to_owned(), source };
        from.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(failed)?;
        let version = head.strip_prefix(&MAGIC).and_then(|rest| rest.first_chunk());
        let Some(version) = version.map(|bytes| u16::from_le_bytes(*bytes)) else {
            return Err(Error::NotARecording(path.to_owned()));
        };
        match version {
            0 => Err(Error::NotARecording(path.to_owned())),
            version if version > VERSION => Err(Error::TooNew { path: path.to_owned(), version }),
            _ => Ok(Reader {
                from,
                path: path.to_owned(),
                at: HEAD as u64,
                closed: false,
                ending: None,
            }),
        }
    }

    /// Hands every record to `sink` until it answers false, or to the end.
    ///
    /// # Errors
    /// If the file cannot be read. That it is cut or damaged is no error: [`Reader::ending`] tells.
    pub fn read_all(&mut self, sink: &mut dyn FnMut(Record<'static>) -> bool) -> Result<(), Error> {
        while let Some(Whole { records, .. }) = self.next_frame()? {
            let mut from = In::new(&records);
            while !from.bytes.is_empty() {
                match Record::get(&mut from) {
                    Ok(record) => {
                        self.closed = matches!(record, Record::Closing(_));
                        if !sink(record) {
                            return Ok(());
                        }
                    }
                    Err(why) => {
                        self.ending = Some(Ending::Damaged { at: self.at, why: why.to_string() });
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// How the recording ends, as far as it was read.
    pub fn ending(&self) -> Ending {
        match &self.ending {
            Some(ending) => ending.clone(),
            None if self.closed => Ending::Whole,
            None => Ending::Open,
        }
    }

    /// The next frame; none at the end, the proper one or not.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Whole>, Error> {
        if self.ending.is_some() {
            return Ok(None);
        }
        let failed = |source| Error::File { operation: "read", path: self.path.clone(), source };
        match frame::read(&mut self.from).map_err(failed)? {
            Found::Frame(records, bytes, thinned) => {
                self.at += bytes.len() as u64;
                return Ok(Some(Whole { records, bytes, thinned }));
            }
            Found::End => {}
            Found::Cut => self.ending = Some(Ending::Cut { at: self.at }),
            Found::Damaged => {
                let why = "a checksum does not fit".to_owned();
                self.ending = Some(Ending::Damaged { at: self.at, why });
            }
        }
        Ok(None)
    }
}
