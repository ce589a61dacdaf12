//! Who holds which socket: surveyed by a thread of its own, so that no packet waits for it.
//!
//! The sockets of all network namespaces and all descriptor tables are looked at, whenever that is asked for: by the
//! kernel's own iterator where that pays, which goes on when `-Z` gives the privileges up.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::Result;
use fdscope_bpf::states::Change;
use fdscope_model::inventory::End;
use fdscope_model::{Address, FdNumber, Socket, SocketState};
use fdscope_packet::ends::Transport;
use fdscope_proc::ProcRoot;
use fdscope_proc::net::{self, Detail};
use fdscope_sys::clock;

use super::expression::Process;
use crate::inventories;

/// A socket that is gone is remembered for so long: its last packets come late. Not longer, for its addresses may be
/// another's by then.
const LINGER_NS: u64 = 5_000_000_000;
/// More connections are not remembered.
const MOST: usize = 1 << 18;
/// So many holders are named where all are wanted.
const NAMED: usize = 8;
/// At the end nobody waits longer for a survey.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who has a socket.
#[derive(Clone, Debug)]
pub struct Owner {
    inode: u64,
    holders: Vec<End>,
    state: Option<SocketState>,
    cgroup: Option<String>,
    first_seen_ns: u64,
    /// It was there when it was seen for the first time, nobody knows for how long.
    is_older: bool,
    seen_ns: u64,
    /// How long nothing had been heard from the peer when it was last seen.
    silent_ns: Option<u64>,
    /// What is written behind a packet.
    pub text: String,
}

impl Owner {
    /// The socket's inode.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Who holds it.
    pub fn holders(&self) -> &[End] {
        &self.holders
    }

    /// How old it was at a moment, and whether it was older than that.
    pub fn age(&self, at_ns: u64) -> (u64, bool) {
        (at_ns.saturating_sub(self.first_seen_ns), self.is_older)
    }

    /// How long nothing has been heard from the peer, where the kernel told it.
    pub fn silent_ns(&self, now_ns: u64) -> Option<u64> {
        Some(self.silent_ns? + now_ns.saturating_sub(self.seen_ns))
    }

    /// Whether a word about the process holds.
    pub fn is(&self, process: &Process) -> bool {
        let any = |is: &dyn Fn(&End) -> bool| self.holders.iter().any(is);
        match process {
            Process::Pid(pid) => any(&|end| end.pid.0 == *pid),
            Process::Fd(fd) => any(&|end| end.fd.0 == *fd),
            Process::Name(name) => any(&|end| end.comm.bytes() == name.as_bytes()),
            Process::State(state) => self.state.map_or("unknown", SocketState::word) == state,
            Process::Cgroup(part) => {
                self.cgroup.as_ref().is_some_and(|path| path.contains(part.as_str()))
            }
            Process::Age { over, ns } => {
                let age = clock::monotonic_now().0.saturating_sub(self.first_seen_ns);
                (age > *ns) == *over
            }
        }
    }
}

/// What is asked for, beside whose a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// The cgroup.
    pub cgroups: bool,
    /// Every holder by name, not only the first.
    pub holders: bool,
    /// Since when nothing was heard from the peer.
    pub silence: bool,
}

/// A protocol, the own end and the peer.
pub type Key = (Transport, SocketAddr, SocketAddr);

/// The number of a descriptor that is not known.
const NO_FD: FdNumber = FdNumber(u32::MAX);

impl Owner {
    /// Of which socket a change is told.
    pub fn key(change: &Change) -> Key {
        let transport = if change.is_udp { Transport::Udp } else { Transport::Tcp };
        (transport, canonical(change.local), change.peer.map_or(NOBODY, canonical))
    }

    /// Who did something with a socket just now, as the kernel told it.
    pub fn of(change: &Change) -> (Key, Self) {
        let (pid, comm) = (change.pid, change.comm.clone());
        let holders = vec![End { pid, comm, fd: change.fd.unwrap_or(NO_FD), access: None }];
        let owner = Owner {
            inode: change.inode,
            text: text(&holders, 1),
            holders,
            state: change.state,
            cgroup: None,
            first_seen_ns: change.at.0,
            is_older: true,
            seen_ns: change.at.0,
            silent_ns: None,
        };
        (Self::key(change), owner)
    }

    /// When it was seen to be so.
    pub fn seen_ns(&self) -> u64 {
        self.seen_ns
    }
}

/// What a survey found, and what earlier ones found that is gone since not long.
#[derive(Clone, Default, Debug)]
pub struct Found {
    /// By own end and peer; unbound peers are [`NOBODY`].
    pub sockets: HashMap<Key, Arc<Owner>>,
    /// How many surveys there were.
    pub number: u64,
    /// When it began and ended, on the monotonic clock.
    pub began_ns: u64,
    /// See `began_ns`.
    pub ended_ns: u64,
}

impl Found {
    /// Whether the survey saw a socket of which the peer has ended the connection.
    pub fn is_half_closed(&self, owner: &Owner) -> bool {
        owner.seen_ns == self.began_ns && owner.state == Some(SocketState::CloseWait)
    }
}

/// The thread, seen from those who ask.
pub struct Surveyor {
    requests: Sender<()>,
    answers: Receiver<Arc<Found>>,
    under_way: bool,
}

impl Surveyor {
    /// Starts the thread, which waits to be asked. It ends with this value.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn start(root: ProcRoot, asked: Asked) -> Result<Self> {
        let (requests, requested) = channel();
        let (answer, answers) = channel();
        std::thread::Builder::new().name("surveyor".to_owned()).spawn(move || {
            let surveyor = inventories::Surveyor::new(root);
            let mut surveys = Surveys { surveyor, asked, found: Found::default() };
            while requested.recv().is_ok() {
                if answer.send(surveys.next()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Surveyor { requests, answers, under_way: false })
    }

    /// Asks for a survey, unless one is under way.
    pub fn ask(&mut self) {
        if !self.under_way {
            self.under_way = self.requests.send(()).is_ok();
        }
    }

    /// True while a survey is under way.
    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// The survey that was asked for, if it is done.
    pub fn answer(&mut self) -> Option<Arc<Found>> {
        let found = self.answers.try_recv().ok()?;
        self.under_way = false;
        Some(found)
    }

    /// Waits for the survey under way.
    pub fn wait(&mut self) -> Option<Arc<Found>> {
        if !self.under_way {
            return None;
        }
        let found = self.answers.recv_timeout(PATIENCE).ok()?;
        self.under_way = false;
        Some(found)
    }
}

/// What the thread has.
struct Surveys {
    surveyor: inventories::Surveyor,
    asked: Asked,
    found: Found,
}

impl Surveys {
    fn next(&mut self) -> Arc<Found> {
        let began = clock::monotonic_now().0;
        let detail = if self.asked.silence { Detail::Everything } else { Detail::Ends };
        if let Ok(survey) = self.surveyor.take(detail, net::Owners::Descriptors) {
            let sockets = &mut self.found.sockets;
            sockets.retain(|_, owner| began.saturating_sub(owner.seen_ns) < LINGER_NS);
            if sockets.len() >= MOST {
                sockets.clear();
            }
            for surveyed in survey.sockets() {
                self.learn(&surveyed.socket, surveyed.owners, began);
            }
        }
        self.found.began_ns = began;
        self.found.ended_ns = clock::monotonic_now().0;
        self.found.number += 1;
        Arc::new(self.found.clone())
    }

    fn learn(&mut self, socket: &Socket, holders: &[End], now_ns: u64) {
        let Some(Address::Inet(own)) = socket.local else { return };
        let transport = match socket.protocol.bytes() {
            [b'T', b'C', b'P', ..] | [b'M', b'P', b'T', b'C', b'P', ..] => Transport::Tcp,
            [b'U', b'D', b'P', ..] => Transport::Udp,
            _ => return,
        };
        if holders.is_empty() {
            return;
        }
        let peer = match socket.peer {
            Some(Address::Inet(peer)) => canonical(peer),
            _ => NOBODY,
        };
        let key = (transport, canonical(own), peer);
        let before = self.found.sockets.get(&key).filter(|before| before.inode == socket.inode);
        let detail = socket.detail.as_ref();
        let owner = Owner {
            inode: socket.inode,
            text: text(holders, if self.asked.holders { NAMED } else { 1 }),
            holders: holders.to_vec(),
            state: socket.state,
            cgroup: if self.asked.cgroups { cgroup(holders) } else { None },
            first_seen_ns: before.map_or(now_ns, |before| before.first_seen_ns),
            is_older: before.map_or(self.found.number == 0, |before| before.is_older),
            seen_ns: now_ns,
            silent_ns: detail.and_then(|detail| detail.last_acknowledged_ns),
        };
        self.found.sockets.insert(key, Arc::new(owner));
    }
}

/// The peer of a socket that has none.
pub const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// IPv4 in IPv6 sockets is IPv4 on the wire.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// `nginx[812] fd 9`, and how many more hold it, or who.
fn text(holders: &[End], named: usize) -> String {
    let mut text = String::new();
    for end in holders.iter().take(named) {
        let comma = if text.is_empty() { "" } else { ", " };
        let _infallible = write!(text, "{comma}{}[{}]", end.comm, end.pid);
        if end.fd != NO_FD {
            let _infallible = write!(text, " fd {}", end.fd);
        }
    }
    if holders.len() > named {
        let _infallible = write!(text, " and {} more", holders.len() - named);
    }
    text
}

fn cgroup(holders: &[End]) -> Option<String> {
    let pid = holders.first()?.pid;
    let bytes = std::fs::read(format!("/proc/{pid}/cgroup")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
