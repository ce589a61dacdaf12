//! Where lines go: standard error, a file, a command's input, a file for every task.
//!
//! What is written stays written: bytes are handed to the kernel as soon as the engine rests, so that whatever ends
//! fdscope, the output is whole up to then. A reader who is gone or a full disk ends tracing, not the target.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fdscope_model::Tid;
use fdscope_strace::options::Output;

use crate::private;

/// Bytes that are kept at most before they are written.
const CHUNK: usize = 64 * 1024;

/// The log.
pub struct Log {
    place: Place,
    kept: Vec<u8>,
    written: u64,
    /// Begin another file after so many bytes, and keep so many.
    rotation: Option<(u64, u32)>,
    failed: Option<io::Error>,
}

enum Place {
    Stderr,
    File(File, PathBuf),
    Command(Child),
    Separate { beginning: Vec<u8>, append: bool, files: HashMap<Tid, File> },
}

impl Log {
    /// Opens the log.
    ///
    /// # Errors
    /// If the file cannot be made or the command not be run.
    pub fn open(
        output: Option<&Output>,
        append: bool,
        separately: bool,
        rotation: Option<(u64, u32)>,
    ) -> io::Result<Self> {
        let place = match output {
            None => Place::Stderr,
            Some(Output::Command(command)) => {
                let mut shell = Command::new("/bin/sh");
                shell.arg("-c").arg(OsStr::from_bytes(command)).stdin(Stdio::piped());
                Place::Command(shell.spawn()?)
            }
            Some(Output::File(name)) if separately => {
                Place::Separate { beginning: name.clone(), append, files: HashMap::new() }
            }
            Some(Output::File(name)) => {
                let path = PathBuf::from(OsStr::from_bytes(name));
                Place::File(create(&path, append)?, path)
            }
        };
        Ok(Log { place, kept: Vec::new(), written: 0, rotation, failed: None })
    }

    /// Takes a piece of a task's line.
    pub fn put(&mut self, tid: Tid, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        if let Place::Separate { beginning, append, files } = &mut self.place {
            let done =
                file_of(files, beginning, *append, tid).and_then(|file| file.write_all(bytes));
            return self.note(done);
        }
        self.kept.extend_from_slice(bytes);
        if self.kept.len() >= CHUNK {
            self.flush();
        }
    }

    /// Hands everything to the kernel.
    pub fn flush(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let kept = std::mem::take(&mut self.kept);
        let done = if self.failed.is_some() { Ok(()) } else { self.write(&kept) };
        self.note(done);
        self.kept = kept;
        self.kept.clear();
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::Stderr => io::stderr().write_all(bytes),
            Place::File(file, path) => {
                file.write_all(bytes)?;
                if let Some((most, files)) = self.rotation
                    && self.written >= most
                    && bytes.ends_with(b"\n")
                {
                    rotate(path, files)?;
                    *file = create(path, false)?;
                    self.written = 0;
                }
                Ok(())
            }
            Place::Command(child) => match &mut child.stdin {
                Some(input) => input.write_all(bytes),
                None => Ok(()),
            },
            Place::Separate { .. } => Ok(()),
        }
    }

    fn note(&mut self, done: io::Result<()>) {
        if let Err(error) = done {
            self.failed.get_or_insert(error);
        }
    }

    /// Why nothing more can be written, if so; told once.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// Bytes taken so far; with rotation, for the present file.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Ends the log, and waits for a command to have read it.
    pub fn close(mut self) {
        self.flush();
        if let Place::Command(child) = &mut self.place {
            drop(child.stdin.take());
            let _gone = child.wait();
        }
    }
}

fn create(path: &Path, append: bool) -> io::Result<File> {
    if append { private::append(path) } else { private::create(path) }
}

fn file_of<'a>(
    files: &'a mut HashMap<Tid, File>,
    beginning: &[u8],
    append: bool,
    tid: Tid,
) -> io::Result<&'a mut File> {
    match files.entry(tid) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(place) => {
            let name = [beginning, format!(".{tid}").as_bytes()].concat();
            Ok(place.insert(create(Path::new(OsStr::from_bytes(&name)), append)?))
        }
    }
}

/// `log` becomes `log.1`, that `log.2`, and so on; the oldest goes.
fn rotate(path: &Path, files: u32) -> io::Result<()> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..files).rev() {
        let from = if number == 1 { path.to_owned() } else { numbered(number - 1) };
        match std::fs::rename(&from, numbered(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
