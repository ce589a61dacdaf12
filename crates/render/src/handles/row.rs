//! One row: a handle, and the process that holds it.

use std::rc::Rc;

use fdscope_model::inventory::End;
use fdscope_model::socket::Address;
use fdscope_model::{Association, Entry, Facts, Name, Pid, Process, Socket};

use crate::column::Value;

/// The process that rows belong to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holder {
    /// Who it is.
    pub process: Process,
    /// Its process group.
    pub group: Pid,
    /// The name of its effective user, where known and asked for.
    pub user: Option<Name>,
}

/// How a handle came to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Birth {
    /// How long ago.
    pub age_ns: u64,
    /// The function and line that made it, escaped.
    pub site: Option<String>,
}

/// A handle with its holder.
#[derive(Clone, PartialEq, Debug)]
pub struct HandleRow {
    /// Who holds it; shared by all rows of a process.
    pub holder: Rc<Holder>,
    /// The handle.
    pub entry: Entry,
    /// Its name with numbers as `*`, where asked for.
    pub pattern: Option<Name>,
    /// Its birth, where somebody saw it.
    pub birth: Option<Birth>,
}

impl HandleRow {
    /// What is known of the socket, if it is one.
    pub fn socket(&self) -> Option<&Socket> {
        match &self.entry.facts {
            Facts::Socket(socket) => Some(socket),
            _ => None,
        }
    }

    /// The value that `get` finds in the socket.
    pub(super) fn of_socket<'a>(&'a self, get: fn(&'a Socket) -> Value<'a>) -> Value<'a> {
        Value::known(self.socket(), get)
    }

    /// The ports of the socket: its own, and its peer's.
    pub(super) fn ports(&self) -> [Option<u16>; 2] {
        let port = |address: Option<&Address>| match address {
            Some(Address::Inet(address)) => Some(address.port()),
            _ => None,
        };
        let socket = self.socket();
        [
            port(socket.and_then(|socket| socket.local.as_ref())),
            port(socket.and_then(|socket| socket.peer.as_ref())),
        ]
    }

    /// The descriptor's number, or that of the ring or socket by which it is held.
    pub(super) fn number(&self) -> Option<u32> {
        match self.entry.handle.via {
            Association::Fd(fd) | Association::RingSlot(fd, _) | Association::InFlight(fd) => {
                Some(fd.0)
            }
            _ => None,
        }
    }

    pub(super) fn of_end<'a>(&'a self, get: fn(&'a End) -> Value<'a>) -> Value<'a> {
        Value::List(self.entry.ends().iter().map(get).collect())
    }
}
