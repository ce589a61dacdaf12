//! Who holds the other end: of UNIX sockets by the peer's inode, of Internet connections within the machine by the
//! row whose ends are the same, swapped.

use std::collections::HashMap;

use fdscope_model::hash::FastMap;
use fdscope_model::inventory::End;
use fdscope_model::{Address, Socket};

use super::SocketBook;
use super::row::{Ends, Point, Row};

/// Who holds which socket, by inode: as told by whoever walked the descriptors.
#[derive(Debug, Default)]
pub struct Holders {
    by_inode: FastMap<u64, Vec<End>>,
}

impl Holders {
    /// Notes that a descriptor is the socket with that inode.
    pub fn insert(&mut self, inode: u64, end: End) {
        // Nearly every socket has one holder.
        self.by_inode.entry(inode).or_insert_with(|| Vec::with_capacity(1)).push(end);
    }

    /// Everybody who holds the socket, in the order of insertion.
    pub fn of(&self, inode: u64) -> &[End] {
        self.by_inode.get(&inode).map_or(&[], Vec::as_slice)
    }
}

/// Rows by what their peers would look for. Built when first needed.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Connected Internet sockets by their own end and their peer.
    connected: HashMap<(Point, Point), Vec<u32>>,
    /// Clients not accepted yet, by inode: the rows of the UNIX listeners where they wait.
    waiting: HashMap<u64, u32>,
}

impl Pairs {
    pub fn new(rows: &[Row]) -> Self {
        let mut pairs = Pairs::default();
        for (index, row) in rows.iter().enumerate() {
            let index = index as u32;
            if let Ends::Inet { local, peer, .. } = row.ends
                && !peer.is_nobody()
            {
                let key = (local.canonical(), peer.canonical());
                pairs.connected.entry(key).or_default().push(index);
            }
            let clients = row.detail.iter().flat_map(|detail| &detail.waiting);
            pairs.waiting.extend(clients.filter(|inode| **inode != 0).map(|inode| (*inode, index)));
        }
        pairs
    }
}

impl SocketBook {
    /// The inode of the socket at the other end, if that is on this machine and known: 0 for one that nobody holds,
    /// because it was closed or waits to be accepted.
    ///
    /// Two namespaces may use the same addresses: a peer in the same namespace is preferred, one of another is taken
    /// only if there is one alone, and never for loopback addresses.
    pub fn peer_inode(&self, socket: &Socket) -> Option<u64> {
        if let Some(inode) = socket.peer_inode {
            return Some(inode);
        }
        let pairs = self.pairs.get_or_init(|| Pairs::new(&self.rows));
        if let Some(listener) = pairs.waiting.get(&socket.inode) {
            return self.rows.get(*listener as usize).map(|row| row.inode);
        }
        let (Some(Address::Inet(local)), Some(Address::Inet(peer))) = (&socket.local, &socket.peer)
        else {
            return None;
        };
        let (local, peer) = (Point::from(*local).canonical(), Point::from(*peer).canonical());
        let found = pairs.connected.get(&(peer, local))?;
        let rows = || found.iter().filter_map(|index| self.rows.get(*index as usize));
        let alike = |row: &&Row| row.class == socket.class && !is_same(row, socket);
        let here = |row: &&Row| self.namespace_of(row) == socket.namespace;
        if let Some(row) = rows().filter(alike).find(here) {
            return Some(row.inode);
        }
        let mut elsewhere = rows().filter(alike);
        let only =
            elsewhere.next().filter(|_| elsewhere.next().is_none() && !local.ip.is_loopback());
        only.map(|row| row.inode)
    }

    /// Fills [`Socket::ends`].
    pub fn find_ends(&self, socket: &mut Socket, holders: &Holders) {
        let peer = self.peer_inode(socket).filter(|inode| *inode != 0);
        socket.ends = peer.map_or_else(Vec::new, |inode| holders.of(inode).to_vec());
    }
}

/// True for the row of the socket itself: a connection to itself has equal ends.
fn is_same(row: &Row, socket: &Socket) -> bool {
    let Ends::Inet { local, peer, .. } = row.ends else { return false };
    local.canonical() != peer.canonical() && row.inode == socket.inode && row.inode != 0
}
