//! What /proc knows about processes and their handles: text to values (`parse`), and the one reader (the rest).
//!
//! Nothing here opens, stats or touches the files that a process holds, so nothing hangs on a dead mount and no
//! target notices. What that costs in knowledge is said at [`descriptors::Detail`].
#![forbid(unsafe_code)]

mod accounts;
mod card;
mod cgroup;
pub mod descriptors;
pub mod error;
pub mod find;
pub mod inventory;
pub mod limits;
mod mounts;
pub mod net;
pub mod parse;
pub mod pattern;
pub mod poll;
pub mod process;
pub mod radar;
pub mod root;
pub mod sample;
pub mod section;
pub mod sockets;
pub mod squeeze;
mod status;
mod table;
pub mod threads;
mod users;

pub use card::card_groups;
pub use descriptors::{DescriptorSource, Detail};
pub use error::ProcError;
pub use inventory::{InventorySource, Wanted};
pub use limits::Reach;
pub use net::SocketBook;
pub use pattern::pattern;
pub use poll::{Follow, PollSource};
pub use process::{Child, Thread};
pub use radar::Radar;
pub use root::{PidDir, ProcRoot};
pub use sample::{Sampler, UnjoinedThreads};
pub use threads::{CallFacts, ThreadReader, ThreadReading};
