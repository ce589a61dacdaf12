//! What system calls do to handles: tables, and decoders of their arguments.
//!
//! Pure: numbers and bytes in, values out. Nothing here reads another process; the tracers (`fdscope-bpf`,
//! `fdscope-ptrace`) fetch the bytes. Start at [`handles`], the one table that drives both.
#![forbid(unsafe_code)]

pub mod arch;
pub mod capture;
pub mod class;
pub mod decode;
pub mod effect;
pub mod errno;
pub mod handles;
pub mod ioctls;
pub mod memory;
pub mod message;
pub mod names;
pub mod options;
pub mod outcome;
pub mod ring;
pub mod traced;
pub mod uses;

pub use arch::Arch;
pub use effect::{Cloexec, Effect, When};
pub use handles::HandleCall;
pub use memory::Memory;
pub use outcome::{Invocation, Outcome};
