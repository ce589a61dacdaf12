//! strace's options, selection, lines and tables, over what an engine tells of system calls.
//!
//! Pure: what engines told in, bytes out; no I/O, no clock. Decoding of arguments is in `fdscope-syscall`. Start at
//! [`options::Options`], [`read::read`] and [`Writer`].
#![forbid(unsafe_code)]

pub mod getopt;
pub mod json;
pub mod options;
pub mod read;
pub mod set;
pub mod signal;
pub mod summary;

mod beyond;
mod dump;
mod glob;
mod line;
mod secrets;
mod time;
mod writer;

pub use options::Options;
pub use read::{Refusal, read};
pub use writer::{Host, Writer};
