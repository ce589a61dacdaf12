//! Stacks that people believe: unwound from copied stack memory while the target runs, named afterwards.
//!
//! [`Stacks::intern`] is the hot path: it turns registers and stack bytes (or return addresses) into a
//! [`StackId`](fdscope_model::StackId), by the target's own unwind information and without asking the target
//! anything. [`Symbolizer::symbolize`](fdscope_model::Symbolizer) makes frames of it for people, and says which one
//! is the site: the first above `plumbing`.
//!
//! The way through: `maps` and `space` know where code is, `module` and `elf` the files it comes from, `cfi` and
//! `rule` how to leave a frame, `unwind` does it, with `epilogue` and `callee` where
//! nothing says how; `roster` reads libc's own list of threads; `reads` and `memos` tell a source how to know stacks again; `table` keeps the stacks; `debug_file`, `perf_map`,
//! `go_table` and `symbols` find names. `arch` is all that is known about processors. `python` names the frames of
//! CPython that a source walked over. Other interpreters' frames (Ruby, Perl) are not read: where a program has only
//! those, the native frame next to the interpreter is shown, unless the interpreter writes a perf map.
#![forbid(unsafe_code)]

mod arch;
mod budget;
mod callee;
mod cfi;
mod debug_file;
mod elf;
mod epilogue;
mod error;
mod go_table;
mod maps;
mod memos;
mod module;
mod open;
mod options;
mod perf_map;
mod plumbing;
mod python;
mod reads;
mod roster;
mod rule;
mod site;
mod space;
mod stacks;
mod swift;
mod symbols;
mod table;
mod unwind;
mod wanted;

pub use error::StackError;
pub use options::StackOptions;
pub use plumbing::{Class, PLUMBING, Row};
pub use python::Walker;
pub use roster::Listed;
pub use stacks::{Counters, Stacks};
pub use wanted::WantedDebugFile;
