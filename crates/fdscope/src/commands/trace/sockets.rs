//! What is said of sockets: `TCP:[127.0.0.1:80->127.0.0.1:4711]`. One dump of all is asked for, and another one only for
//! a socket that it does not list, once a call may have changed what is to be said.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use fdscope_model::{Address, Family, FdNumber, Pid, Socket, SocketState, Tid};
use fdscope_proc::ProcRoot;
use fdscope_proc::net::SocketBook;
use fdscope_syscall::decode::{Quote, escape};

/// Sockets by inode.
#[derive(Default)]
pub struct Sockets {
    /// What is known for good: a socket keeps its words, as it does with strace.
    words: RefCell<HashMap<u64, Vec<u8>>>,
    /// In vain: at which change, and how often since.
    missed: RefCell<HashMap<u64, (u64, u64)>>,
    changes: Cell<u64>,
    /// The families of netlink sockets; `None` for others.
    families: RefCell<HashMap<u64, Option<u32>>>,
}

impl Sockets {
    /// A call returned that may give sockets addresses.
    pub fn changed(&self) {
        self.changes.set(self.changes.get() + 1);
    }

    /// What is said of a socket; `None` if it has no addresses, or none that can be found out.
    pub fn words(&self, pid: Pid, inode: u64) -> Option<Vec<u8>> {
        if let Some(known) = self.words.borrow().get(&inode) {
            return Some(known.clone());
        }
        let now = self.changes.get();
        let mut missed = self.missed.borrow_mut();
        if let Some((at, times)) = missed.get_mut(&inode)
            && *at == now
        {
            *times += 1;
            // A call that is not traced may have given it addresses.
            if !times.is_power_of_two() {
                return None;
            }
        }
        self.read(pid);
        let found = self.words.borrow().get(&inode).cloned();
        match found {
            Some(_) => drop(missed.remove(&inode)),
            None => missed.entry(inode).or_default().0 = now,
        }
        found
    }

    /// The same of a socket whose ends are known as they are now.
    pub fn words_of(&self, socket: &Socket) -> Option<Vec<u8>> {
        if let Some(known) = self.words.borrow().get(&socket.inode) {
            return Some(known.clone());
        }
        let found = text(socket)?;
        self.words.borrow_mut().insert(socket.inode, found.clone());
        Some(found)
    }

    /// The family of a netlink socket; asked for once each.
    pub fn netlink(&self, (pid, tid): (Pid, Tid), fd: i32) -> Option<u32> {
        let inode = inode_of(tid, fd)?;
        if let Some(known) = self.families.borrow().get(&inode) {
            return *known;
        }
        let root = ProcRoot::open().ok()?;
        let protocol = root.socket_protocol(Pid(tid.0), FdNumber(fd as u32));
        let mut families = self.families.borrow_mut();
        if protocol.is_some_and(|name| name.bytes() == b"NETLINK") {
            let mut book = SocketBook::new(root);
            let _what_cannot_be_read_has_no_family = book.learn(pid);
            let netlink = book.all().filter(|socket| socket.family == Family::Netlink);
            families.extend(netlink.map(|socket| (socket.inode, subprotocol(&socket))));
        }
        *families.entry(inode).or_default()
    }

    fn read(&self, pid: Pid) {
        let Ok(root) = ProcRoot::open() else { return };
        let mut book = SocketBook::new(root);
        let _what_cannot_be_read_has_no_words = book.learn(pid);
        let mut words = self.words.borrow_mut();
        for socket in book.all() {
            if let Some(text) = text(&socket) {
                words.insert(socket.inode, text);
            }
        }
    }
}

fn text(socket: &Socket) -> Option<Vec<u8>> {
    let mut out = socket.protocol.bytes().to_vec();
    match (&socket.local, &socket.peer) {
        _ if socket.state == Some(SocketState::BoundInactive) => return None,
        (Some(Address::Inet(local)), peer) => {
            let peer = match peer {
                Some(Address::Inet(peer)) if peer.port() != 0 => format!("->{peer}"),
                _ => String::new(),
            };
            out.extend_from_slice(format!(":[{local}{peer}]").as_bytes());
        }
        (Some(Address::Netlink(0)), _) => return None,
        (Some(Address::Netlink(port)), _) => {
            let family = netlink_family(socket)?;
            out.extend_from_slice(format!(":[{family}:{port}]").as_bytes());
        }
        (local, _) if socket.protocol.bytes().starts_with(b"UNIX") => {
            let peer = socket.peer_inode.map(|peer| format!("->{peer}")).unwrap_or_default();
            out.extend_from_slice(format!(":[{}{peer}", socket.inode).as_bytes());
            if let Some(Address::Unix(path)) = local {
                out.extend_from_slice(if path.bytes().first() == Some(&0) {
                    b",@\""
                } else {
                    b",\""
                });
                let shown = path.bytes().strip_prefix(b"\0").unwrap_or(path.bytes());
                escape(&mut out, shown, Quote::Escapes, b"");
                out.push(b'"');
            } else if peer.is_empty() {
                return None;
            }
            out.push(b']');
        }
        _ => return None,
    }
    Some(out)
}

/// The inode of a socket, by its link in /proc.
fn inode_of(tid: Tid, fd: i32) -> Option<u64> {
    let link = rustix::fs::readlink(format!("/proc/{tid}/fd/{fd}"), Vec::new()).ok()?.into_bytes();
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// sock_diag tells the family of a netlink socket as the protocol.
fn subprotocol(socket: &Socket) -> Option<u32> {
    socket.detail.as_ref()?.subprotocol
}

fn netlink_family(socket: &Socket) -> Option<&'static str> {
    const NAMES: [&str; 23] = [
        "ROUTE",
        "UNUSED",
        "USERSOCK",
        "FIREWALL",
        "SOCK_DIAG",
        "NFLOG",
        "XFRM",
        "SELINUX",
        "ISCSI",
        "AUDIT",
        "FIB_LOOKUP",
        "CONNECTOR",
        "NETFILTER",
        "IP6_FW",
        "DNRTMSG",
        "KOBJECT_UEVENT",
        "GENERIC",
        "DM",
        "SCSITRANSPORT",
        "ECRYPTFS",
        "RDMA",
        "CRYPTO",
        "SMC",
    ];
    let number = subprotocol(socket)?;
    NAMES.get(usize::try_from(number).ok()?).copied()
}
