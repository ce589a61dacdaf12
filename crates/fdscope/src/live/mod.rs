//! From a source of events to a report: source + fold + judge.
//!
//! [`source`] opens what the machine permits; [`watch`] runs the loop; [`launch`] starts a command under it;
//! [`interpreters`] finds what runs scripts;
//! [`names`] asks the kernel what living handles are called; [`report`] puts everything that is known together.
//! [`happenings`] is what came and went lately, for the live screen.
//! [`sockets`] asks, for a recording, what is at their ends; [`moment`] is what is held at one moment.
//! [`books`] is the ledger with the recording that is made of it; [`replay`] makes the same report of a recording.

pub mod books;
pub mod happenings;
pub mod interpreters;
pub mod launch;
pub mod moment;
pub mod names;
pub mod replay;
pub mod report;
pub mod sockets;
pub mod source;
pub mod watch;
