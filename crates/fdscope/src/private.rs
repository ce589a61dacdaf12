//! Files that fdscope writes: what stands in them is for their owner only.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Makes a file, or empties one that is there.
///
/// # Errors
/// Those of open(2).
pub fn create(path: impl AsRef<Path>) -> io::Result<File> {
    made().write(true).truncate(true).open(path)
}

/// Makes a file, or goes on at the end of one that is there.
///
/// # Errors
/// Those of open(2).
pub fn append(path: impl AsRef<Path>) -> io::Result<File> {
    made().append(true).open(path)
}

fn made() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}
