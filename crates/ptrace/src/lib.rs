//! The event source for machines without eBPF: the same events, by ptrace(2) stops.
//!
//! [`PtraceSource`] is the way in. A thread of its own (ptrace binds tracees to a thread) seizes the targets and turns
//! stops into events; the caller polls a [queue]. The order of events is exact, and nothing is missed but what
//! [`Sight`](fdscope_model::Sight) names.
//!
//! # Why no seccomp filter unless it is asked for
//! A filter with `SECCOMP_RET_TRACE` would stop the target at the calls of the table only, and save two stops on every
//! other call. But the kernel has no way to take a filter out again, and answers a `RET_TRACE` call without a tracer
//! with ENOSYS: if fdscope were killed, or merely done, the program it started (and all it started in turn) could not
//! open a file any more. Without privilege the filter would also demand `no_new_privs`, which breaks sudo and setuid
//! programs. So targets are stopped at every call, as strace does by default; [`filter`] is for those who ask for it.
//!
//! # What is left behind
//! Nothing. Targets are seized, never attached by signal. When fdscope stops watching, or is killed, the kernel lets
//! them go without interrupting what they do.
#![forbid(unsafe_code)]

pub mod call_source;
pub mod error;
pub mod filter;
pub mod glance;
pub mod options;
pub mod queue;
pub mod source;

mod attach;
mod births;
mod calls;
mod launch;
mod leave;
mod look;
mod mappings;
mod restart;
mod sight;
mod stack;
mod tasks;
mod told;
mod tracer;
mod witness;

pub use call_source::{CallOptions, CallTracer};
pub use error::Error;
pub use options::{CloseStacks, Follow, Options};
pub use source::{Ending, PtraceSource, TableOf};
pub use witness::{Unwind, Wanted};
