//! Sockets: what the kernel tells of them, by inode, of every network namespace that can be looked into.
//!
//! [`SocketBook`] is the whole of it. It asks sock_diag(7) once per namespace, reads /proc/PID/net where that does not
//! answer, and asks a socket itself, through a copy of its descriptor, if no table lists it. What each of these does is
//! in a file of its own; the parsers among them (`message`, `inet_diag`, `unix_diag`, `others_diag`, `text`) are pure.

mod book;
mod dump;
mod ends;
mod inet_diag;
mod keepers;
pub mod link_message;
pub mod links;
mod loan;
mod message;
mod others_diag;
mod row;
mod sources;
mod space;
mod survey;
mod text;
mod unix_diag;

pub use book::SocketBook;
pub use ends::Holders;
pub use sources::parse_every_way;
pub use survey::{Owners, Survey, Surveyed};

/// How much is asked of each socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// Ends, states, queues, timers, owner.
    #[default]
    Ends,
    /// Memory, retransmissions, times of the last segments, cgroup too: three times the bytes.
    Everything,
}
