//! Whose packet it is: from a packet's ends to a socket, from that to who holds it.
//!
//! The sockets of all network namespaces and all descriptor tables are surveyed; the answer is kept by the packet's
//! ends, so that a packet of a known connection costs one look-up. A packet of an unknown one asks for a new survey, but
//! surveys take no more than a tenth of the time. What was not found is told as unknown.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use fdscope_model::inventory::End;
use fdscope_model::{Address, Socket};
use fdscope_packet::ends::{Ends, Transport};
use fdscope_proc::ProcRoot;
use fdscope_proc::net::{self, Detail, Survey};
use fdscope_sys::clock;

use super::expression::Process;

/// Surveys take this share of the time at most.
const SHARE: u64 = 10;
/// Nor do they come more often.
const SHORTEST_NS: u64 = 50_000_000;
/// A known owner is looked up again after this: descriptors are passed on and inherited.
const FRESH_NS: u64 = 1_000_000_000;
/// More connections are not remembered.
const MOST: usize = 1 << 18;

/// Who has a socket.
#[derive(Clone, Debug)]
pub struct Owner {
    holders: Vec<End>,
    state: Option<&'static str>,
    cgroup: Option<String>,
    first_seen_ns: u64,
    /// What is written behind a packet.
    pub text: String,
}

impl Owner {
    /// Whether a word about the process holds.
    pub fn is(&self, process: &Process) -> bool {
        let any = |is: &dyn Fn(&End) -> bool| self.holders.iter().any(is);
        match process {
            Process::Pid(pid) => any(&|end| end.pid.0 == *pid),
            Process::Fd(fd) => any(&|end| end.fd.0 == *fd),
            Process::Name(name) => any(&|end| end.comm.bytes() == name.as_bytes()),
            Process::State(state) => self.state.unwrap_or("unknown") == state,
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

/// Which way a packet went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// It came.
    In,
    /// It went.
    Out,
    /// It did not leave the machine.
    Within,
}

type Key = (Transport, SocketAddr, SocketAddr);

/// All that is known.
pub struct Owners {
    root: ProcRoot,
    /// By own end and peer; unbound peers are 0.0.0.0:0.
    known: HashMap<Key, Rc<Owner>>,
    /// By the packet's ends as they stand there: found, or looked for in vain in the survey of that number.
    cache: HashMap<Ends, (Option<Rc<Owner>>, u64)>,
    surveys: u64,
    surveyed_ns: u64,
    cost_ns: u64,
    cgroups: bool,
}

impl Owners {
    /// Nothing known yet.
    pub fn new(root: ProcRoot, cgroups: bool) -> Self {
        Owners {
            root,
            known: HashMap::new(),
            cache: HashMap::new(),
            surveys: 0,
            surveyed_ns: 0,
            cost_ns: 0,
            cgroups,
        }
    }

    /// Looks again if that is due, so that what was passed on and inherited is seen. Once in a while, not per packet.
    pub fn refresh(&mut self) {
        if self.surveys == 0 || self.may_survey(FRESH_NS) {
            self.survey();
        }
    }

    /// Whose a packet between these ends is.
    pub fn of(&mut self, ends: Ends, way: Way) -> Option<Rc<Owner>> {
        if let Some((found, survey)) = self.cache.get(&ends)
            && (found.is_some() || (*survey == self.surveys && !self.may_survey(SHORTEST_NS)))
        {
            return found.clone();
        }
        let mut found = self.find(ends, way);
        if found.is_none() && self.may_survey(SHORTEST_NS) {
            self.survey();
            found = self.find(ends, way);
        }
        if self.cache.len() >= MOST {
            self.cache.clear();
        }
        self.cache.insert(ends, (found.clone(), self.surveys));
        found
    }

    fn may_survey(&self, shortest_ns: u64) -> bool {
        let passed = clock::monotonic_now().0.saturating_sub(self.surveyed_ns);
        self.surveys == 0 || passed >= shortest_ns.max(self.cost_ns * SHARE)
    }

    /// The socket that sent or gets a packet: a connected one of either side first, the sender's before; then one that
    /// is bound or listens, on a side that is this machine's.
    fn find(&self, ends: Ends, way: Way) -> Option<Rc<Owner>> {
        let Ends { transport, source, destination } = ends;
        let connected = |own, peer| self.known.get(&(transport, own, peer));
        // A socket of an address is of that machine or container; one of any address is only if the side is ours.
        let bound = |own: SocketAddr, ours: bool| {
            let any: IpAddr = match own.ip() {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let both = Ipv6Addr::UNSPECIFIED.into();
            let places = [own.ip(), any, both];
            let count = if ours { places.len() } else { 1 };
            let mut places = places.into_iter().take(count);
            places.find_map(|ip| connected(SocketAddr::new(ip, own.port()), NOBODY))
        };
        connected(source, destination)
            .or_else(|| connected(destination, source))
            .or_else(|| bound(source, way != Way::In))
            .or_else(|| bound(destination, way != Way::Out))
            .cloned()
    }

    /// Looks at every socket and who holds it. Sockets that are gone stay known as they were: their last packets come
    /// late.
    fn survey(&mut self) {
        let began = clock::monotonic_now().0;
        if let Ok(survey) = Survey::take(&self.root, Detail::Ends, net::Owners::All) {
            if self.known.len() >= MOST {
                self.known.clear();
            }
            for surveyed in survey.sockets() {
                self.learn(&surveyed.socket, surveyed.owners, began);
            }
        }
        let now = clock::monotonic_now().0;
        self.cache.clear();
        self.surveys += 1;
        self.surveyed_ns = now;
        self.cost_ns = now.saturating_sub(began);
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
        let cgroup = if self.cgroups { cgroup(holders) } else { None };
        let state = socket.state.map(|state| state.word());
        let mut owner = Owner {
            text: text(holders),
            holders: holders.to_vec(),
            state,
            cgroup,
            first_seen_ns: now_ns,
        };
        match self.known.entry(key) {
            Entry::Vacant(place) => {
                place.insert(Rc::new(owner));
            }
            Entry::Occupied(mut place) => {
                owner.first_seen_ns = place.get().first_seen_ns;
                place.insert(Rc::new(owner));
            }
        }
    }
}

/// The peer of a socket that has none.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// IPv4 in IPv6 sockets is IPv4 on the wire.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// `nginx[812] fd 9`, and how many more hold it.
fn text(holders: &[End]) -> String {
    let mut text = String::new();
    if let Some(first) = holders.first() {
        let _infallible = write!(text, "{}[{}] fd {}", first.comm, first.pid, first.fd);
    }
    if holders.len() > 1 {
        let _infallible = write!(text, " and {} more", holders.len() - 1);
    }
    text
}

fn cgroup(holders: &[End]) -> Option<String> {
    let pid = holders.first()?.pid;
    let bytes = std::fs::read(format!("/proc/{pid}/cgroup")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
