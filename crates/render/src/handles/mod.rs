//! Handles as rows: the table of columns of `fdscope ls`, what is needed for each, and which are shown at first.
//!
//! What only one kind of handle tells is put into words by `words`, and into JSON by `json`; `object` is the whole of
//! `--json`, `tree` that of `--tree`.

pub(crate) mod json;
mod masks;
pub mod object;
mod row;
mod table;
pub mod tree;
pub(crate) mod vocabulary;
pub(crate) mod words;

pub use row::{Birth, HandleRow, Holder};
pub use table::{HANDLES, in_json, initial};

use crate::column::Needs;

/// What has to be read of a handle or its process beyond its link, as bits of [`Needs`].
pub mod needs {
    use super::Needs;

    /// Command line and executable of the process.
    pub const COMMAND: Needs = Needs(1);
    /// The name of the process's user.
    pub const USER: Needs = Needs(1 << 1);
    /// The kind of files whose name does not tell it.
    pub const KINDS: Needs = Needs(1 << 2);
    /// Reading or writing.
    pub const ACCESS: Needs = Needs(1 << 3);
    /// What the file system says of the file.
    pub const STATUS: Needs = Needs(1 << 4);
    /// The fdinfo of every descriptor.
    pub const FDINFO: Needs = Needs(1 << 5);
    /// What only this kind of handle has to tell.
    pub const FACTS: Needs = Needs(1 << 6);
    /// Locks and leases.
    pub const LOCKS: Needs = Needs(1 << 7);
    /// State, addresses and queues of sockets.
    pub const SOCKETS: Needs = Needs(1 << 8);
    /// Who else holds it: the links of every process.
    pub const ENDS: Needs = Needs(1 << 9);
    /// What names that differ in numbers have in common.
    pub const PATTERN: Needs = Needs(1 << 10);
    /// When and by which code it was made: recordings have that.
    pub const BIRTH: Needs = Needs(1 << 11);
}
