//! eBPF: the cheapest source of events, and the kernel's own table of descriptors.
//!
//! The programs are C in `bpf/`, committed as objects in `obj/` and embedded, so that building needs no clang. Policy
//! is here: [`attach`] fills the programs' tables from `fdscope-syscall`, [`decode`] makes events of their records.
//! [`load`] is the one file that names the loader.
#![forbid(unsafe_code)]

pub mod attach;
pub mod decode;
pub mod error;
pub mod inventory;
pub mod iterator;
pub mod load;
mod memory;
pub mod object;
pub mod operation;
pub mod pace;
pub mod processes;
pub mod snapshot;
pub mod source;
pub mod states;
pub mod support;
pub mod trace;
pub mod tracefs;
pub mod trim;
pub mod wire;

pub use error::BpfError;
pub use inventory::BpfInventories;
pub use processes::BpfProcesses;
pub use snapshot::TableReader;
pub use source::{BpfSource, Options, Stacks};
pub use states::SocketStates;
pub use support::Support;
pub use trace::{BpfCalls, CallOptions};
