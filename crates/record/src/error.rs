//! Why a recording cannot be read or written.

use std::io;
use std::path::PathBuf;

/// Why a recording cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or made.
    #[error("failed to {operation} {}", path.display())]
    File {
        /// What was tried: "open", "create", "read", "write", "thin".
        operation: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file does not begin as a recording does.
    #[error("{} is not a recording of fdscope", .0.display())]
    NotARecording(PathBuf),
    /// Made by a later fdscope.
    #[error("{} is a recording of version {version}; this fdscope reads up to {}", path.display(), crate::VERSION)]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// Its version.
        version: u16,
    },
}

/// Bytes that no writer of this version makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// They end within a value.
    #[error("a value is cut off")]
    Short,
    /// A number is too large for what it counts.
    #[error("a number is out of range")]
    Range,
    /// A kind of record, key or cause that this version does not have.
    #[error("unknown {0}")]
    Unknown(&'static str),
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    Text,
}
