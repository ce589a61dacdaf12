//! Recordings: a versioned, append-only, compressed file of what a watch was told, and its reader.
//!
//! A recording is the journal of a ledger: [`Writer`] takes every [`Record`] in the order in which the ledger took it,
//! [`Reader`] gives them back in that order, and the same fold then comes to the same verdicts. Knows the serialized form
//! (docs/recording.md) and nothing else: it decides nothing about leaks, and reads no clock.
#![forbid(unsafe_code)]

mod bytes;
mod error;
mod events;
mod folder;
mod folds;
mod frame;
mod nouns;
mod owned;
mod read;
mod record;
mod sieve;
mod thin;
mod words;
mod write;

pub use error::{Error, Malformed};
pub use folder::Folder;
pub use frame::{VERSION, framed};
pub use owned::owned;
pub use read::{Ending, Reader};
pub use record::{Closing, Net, Opening, Record, Thinned};
pub use write::{Bounds, Writer};
