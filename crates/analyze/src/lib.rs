//! The ledger of handles, and the verdict on each site: pure folds over `model::Event`.
//!
//! [`Ledger`] pairs births with deaths and holds its books against the kernel's table; [`Ledger::judge`] says which
//! sites leak and why a sceptic should believe it. Nothing here reads the kernel, a file or the clock: time comes from
//! events and from `now` arguments, and the same input gives the same bytes. Where events come from is the matter of
//! the sources (`fdscope-bpf`, `fdscope-ptrace`, `fdscope-proc`), how verdicts are printed that of `fdscope-render`.
//!
//! Every rule of the verdict is described in docs/verdicts.md.
#![forbid(unsafe_code)]

mod advice;
mod bench;
mod bins;
mod birth;
mod case;
mod closing;
mod counted;
mod court;
mod death;
mod diff;
mod ended;
mod entry;
mod evidence;
mod fold;
mod folded;
mod forecast;
mod group;
mod hash;
mod judge;
mod ledger;
mod lifetime;
mod lineage;
mod links;
mod misuse;
mod name;
mod place;
mod prose;
mod reconcile;
mod rules;
mod shape;
pub mod signs;
mod site;
mod sockets;
mod summary;
mod survival;
mod swing;
mod table;
mod threads;
mod trend;
mod watched;

pub use diff::diff;
pub use judge::{Judgement, Names};
pub use ledger::{Footprint, Ledger, LedgerOptions, LiveHandle, LiveOther};
pub use links::{link_notes, offload_notes, path_notes};
pub use reconcile::Reconciled;
pub use sockets::{Seen, SocketLimits, SocketTally};
pub use summary::{Growing, Summary};
pub use threads::{group_threads, thread_limits, unjoined_bytes, word as doing_word};
