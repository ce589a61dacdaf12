//! A socket as the book keeps it: small, for there may be 100,000; made a `Socket` when asked for.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use fdscope_model::{
    Address, Family, InodeId, Name, Socket, SocketClass, SocketDetail, SocketState, SocketTimer,
};

/// One socket.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Row {
    /// Inode in sockfs; 0 for a socket without a descriptor.
    pub inode: u64,
    /// The kernel's number of it; 0 where the source does not tell.
    pub cookie: u64,
    pub family: Family,
    pub class: SocketClass,
    /// The protocol's name in the kernel's words.
    pub protocol: &'static str,
    pub state: Option<SocketState>,
    pub uid: Option<u32>,
    pub receive_queue: Option<u32>,
    pub send_queue: Option<u32>,
    pub timer: Option<SocketTimer>,
    pub ends: Ends,
    /// Which of the book's namespaces.
    pub namespace: u32,
    /// What was asked for beyond, or what few sockets have.
    pub detail: Option<Box<SocketDetail>>,
}

/// The two ends, as far as the family has such.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Ends {
    /// Nothing known.
    Unknown,
    Inet {
        local: Point,
        peer: Point,
        /// Interface that the socket is bound to, and that IPv6 addresses are scoped to; 0 for none.
        interface: u32,
    },
    Unix {
        name: Option<Box<[u8]>>,
        /// The peer's inode: 0 for one without a descriptor (not accepted yet, or closed).
        peer: Option<u32>,
    },
    Netlink {
        local: u32,
        peer: u32,
    },
    Packet {
        ethertype: u16,
        interface: u32,
    },
    Vsock {
        local: (u32, u32),
        peer: (u32, u32),
    },
}

/// An Internet address and port, without what `SocketAddr` adds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Point {
    pub ip: IpAddr,
    pub port: u16,
}

impl Point {
    /// True for one that names nobody: no address, no port.
    pub fn is_nobody(self) -> bool {
        self.port == 0 && self.ip.is_unspecified()
    }

    /// The same as a key for comparing: an IPv4 address within IPv6 is the IPv4 address.
    pub fn canonical(self) -> Point {
        Point { ip: self.ip.to_canonical(), port: self.port }
    }

    fn address(self, interface: u32) -> Option<Address> {
        let whole = match self.ip {
            _ if self.is_nobody() => return None,
            IpAddr::V4(ip) => SocketAddr::V4(SocketAddrV4::new(ip, self.port)),
            IpAddr::V6(ip) => {
                let scope = if ip.is_unicast_link_local() { interface } else { 0 };
                SocketAddr::V6(SocketAddrV6::new(ip, self.port, 0, scope))
            }
        };
        Some(Address::Inet(whole))
    }
}

impl From<SocketAddr> for Point {
    fn from(address: SocketAddr) -> Self {
        Point { ip: address.ip(), port: address.port() }
    }
}

impl Row {
    /// A row of which little is known yet.
    pub fn new(inode: u64, family: Family, class: SocketClass, protocol: &'static str) -> Row {
        Row {
            inode,
            cookie: 0,
            family,
            class,
            protocol,
            state: None,
            uid: None,
            receive_queue: None,
            send_queue: None,
            timer: None,
            ends: Ends::Unknown,
            namespace: 0,
            detail: None,
        }
    }

    /// What few rows have.
    pub fn detail_mut(&mut self) -> &mut SocketDetail {
        self.detail.get_or_insert_default()
    }

    /// The model's form, in the namespace with that inode.
    pub fn socket(&self, namespace: Option<u64>) -> Socket {
        let (local, peer) = self.ends.addresses();
        let detail = self.detail.as_deref();
        Socket {
            family: self.family,
            class: self.class,
            protocol: Name::from(self.protocol),
            state: self.state,
            local,
            peer,
            peer_inode: self.ends.peer_inode(),
            receive_queue: self.receive_queue.map(u64::from),
            send_queue: self.send_queue.map(u64::from),
            namespace,
            uid: self.uid,
            cookie: (self.cookie != 0).then_some(self.cookie),
            timer: self.timer,
            last_sent_ns: detail.and_then(|d| d.last_sent_ns),
            last_received_ns: detail.and_then(|d| d.last_received_ns),
            detail: self.detail.clone(),
            ..Socket::unknown(self.inode)
        }
    }
}

impl Ends {
    /// The peer's inode, of a UNIX socket whose peer has one.
    pub fn peer_inode(&self) -> Option<u64> {
        match self {
            Ends::Unix { peer: Some(peer), .. } if *peer != 0 => Some(u64::from(*peer)),
            _ => None,
        }
    }

    fn addresses(&self) -> (Option<Address>, Option<Address>) {
        match self {
            Ends::Unknown => (None, None),
            Ends::Inet { local, peer, interface } => {
                (local.address(*interface), peer.address(*interface))
            }
            Ends::Unix { name, .. } => {
                (name.as_ref().map(|name| Address::Unix(Name::from(&**name))), None)
            }
            Ends::Netlink { local, peer } => {
                (Some(Address::Netlink(*local)), Some(Address::Netlink(*peer)))
            }
            Ends::Packet { ethertype, interface } => {
                (Some(Address::Packet(*ethertype, *interface)), None)
            }
            Ends::Vsock { local, peer } => (vsock(*local), vsock(*peer)),
        }
    }
}

/// `VMADDR_CID_ANY` and `VMADDR_PORT_ANY` stand for nobody.
fn vsock((context, port): (u32, u32)) -> Option<Address> {
    (port != u32::MAX).then_some(Address::Vsock(context, port))
}

/// The file that a UNIX socket is bound to.
pub(crate) fn bound_file(inode: u32, device: u32) -> InodeId {
    InodeId { device: fdscope_model::DeviceId(device), inode: u64::from(inode) }
}
