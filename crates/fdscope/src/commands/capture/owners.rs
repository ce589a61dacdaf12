//! Whose packet it is: from a packet's ends to a socket, from that to who holds it, as the [`super::surveyor`] found, or
//! as eBPF told when the connection was begun or ended: by then its process may be gone.
//!
//! The answer is kept by the packet's ends, so that a packet of a known connection costs one look-up. A packet of an
//! unknown one asks for a new survey; until that is there the answer is [`Answer::Later`]. What was not found is told as
//! unknown.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use fdscope_bpf::SocketStates;
use fdscope_bpf::states::Change;
use fdscope_model::hash::FastMap;
use fdscope_packet::ends::{Ends, Transport};
use fdscope_proc::ProcRoot;
use fdscope_sys::clock;

use super::surveyor::{Asked, Found, Key, NOBODY, Owner, Surveyor};
use super::threads::{Thread, Threads};

/// For unknown packets, the next survey begins when so many times its duration have passed, and no sooner than this.
const REST: u64 = 4;
const SHORTEST_NS: u64 = 30_000_000;
/// Without unknown ones it begins after this: descriptors are passed on and inherited.
const FRESH_REST: u64 = 10;
const FRESH_NS: u64 = 1_000_000_000;
/// So often in a row a survey is made for the packets of one connection that none finds.
const TRIES: u8 = 3;
/// What a process did stays known for so long before a survey: its socket may have been gone by then.
const LINGER_NS: u64 = 5_000_000_000;
/// More connections are not remembered.
const MOST: usize = 1 << 18;

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

/// Whose a packet is.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who has the socket.
    pub owner: Arc<Owner>,
    /// By that socket it was sent, and not received.
    pub is_sent: bool,
    /// Which thread sent it, where that is known.
    pub thread: Option<Arc<Thread>>,
    /// When its connection was begun or came, on the monotonic clock, if that was seen.
    pub born_ns: Option<u64>,
}

/// The socket of a packet.
#[derive(Clone)]
struct Seen {
    owner: Arc<Owner>,
    is_sent: bool,
    born_ns: Option<u64>,
}

/// What is known of a packet's owner.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It has one.
    Known(Known),
    /// It was looked for and not found.
    Unknown,
    /// It was not looked for since the packet came.
    Later,
}

/// The last answer about a packet's ends, and by which survey.
struct Cached {
    found: Option<Seen>,
    /// It needs not be looked for again before the next survey; else not before more is known.
    sure: bool,
    survey: u64,
    edition: u64,
    tries: u8,
}

/// All that is known.
pub struct Owners {
    surveyor: Surveyor,
    found: Arc<Found>,
    states: Option<SocketStates>,
    /// What processes did since the last survey or just before: later ones know no more of it.
    recent: HashMap<Key, Arc<Owner>>,
    /// When connections were begun or came.
    births: FastMap<Key, u64>,
    /// Who sent by which socket.
    threads: Threads,
    /// Changes of states that are to be told; none if nobody wants to know.
    changes: Option<VecDeque<Change>>,
    /// Changes with every survey and everything heard.
    edition: u64,
    /// By the packet's ends as they stand there.
    cache: FastMap<Ends, Cached>,
}

impl Owners {
    /// Nothing known yet, and a first survey under way.
    ///
    /// # Errors
    /// If there can be no thread for it.
    pub fn new(root: ProcRoot, asked: Asked, states: Option<SocketStates>) -> Result<Self> {
        let mut surveyor = Surveyor::start(root, asked)?;
        surveyor.ask();
        Ok(Owners {
            surveyor,
            found: Arc::default(),
            states,
            recent: HashMap::new(),
            births: FastMap::default(),
            threads: Threads::default(),
            changes: None,
            edition: 0,
            cache: FastMap::default(),
        })
    }

    /// Keeps changes of states to be told.
    pub fn keep_changes(&mut self) {
        self.changes = self.states.is_some().then(VecDeque::new);
    }

    /// The oldest change of a state that came before a moment.
    pub fn change_before(&mut self, ns: u64) -> Option<Change> {
        let changes = self.changes.as_mut()?;
        if changes.front()?.at.0 < ns { changes.pop_front() } else { None }
    }

    /// Who has the socket of this own end and this peer, or had it.
    pub fn of_change(&self, change: &Change) -> Option<&Arc<Owner>> {
        self.at(&Owner::key(change))
    }

    /// Hears what processes did with sockets since the last call.
    fn hear(&mut self) {
        let Owners { states: Some(states), recent, edition, threads, changes, births, .. } = self
        else {
            return;
        };
        states.poll(&mut |change| {
            if let Some(changes) = changes.as_mut().filter(|_| change.state.is_some())
                && changes.len() < MOST
            {
                changes.push_back(change.clone());
            }
            if let Some(born) = change.born() {
                if births.len() >= MOST {
                    births.clear();
                }
                births.insert(Owner::key(&change), born.0);
            }
            // Done by no process.
            if change.pid.0 == 0 {
                return;
            }
            threads.learn(&change);
            let (key, owner) = Owner::of(&change);
            // A process that ends closes without saying by which descriptor: it said that before.
            let is_less = |known: &Arc<Owner>| {
                change.fd.is_none() && known.holders().iter().any(|end| end.pid == change.pid)
            };
            if recent.len() < MOST && !recent.get(&key).is_some_and(is_less) {
                recent.insert(key, Arc::new(owner));
            }
            *edition += 1;
        });
    }

    fn learn(&mut self, found: Arc<Found>) {
        self.edition += 1;
        let old_ns = found.began_ns.saturating_sub(LINGER_NS);
        self.recent.retain(|_, owner| owner.seen_ns() > old_ns);
        self.found = found;
    }

    /// The socket with this own end and peer. If a process did something with another one there since the last survey,
    /// it is that; else the survey knows more.
    fn at(&self, key: &Key) -> Option<&Arc<Owner>> {
        let (found, recent) = (self.found.sockets.get(key), self.recent.get(key));
        match (found, recent) {
            (Some(found), Some(recent)) => {
                let other = recent.inode() != found.inode() && recent.inode() != 0;
                Some(if other && recent.seen_ns() > self.found.began_ns { recent } else { found })
            }
            (found, recent) => found.or(recent),
        }
    }

    /// Hears of the last survey, and asks for the next if that is due, so that what was passed on and inherited is seen.
    /// Once in a while, not per packet.
    pub fn refresh(&mut self, now_ns: u64) {
        self.hear();
        if let Some(found) = self.surveyor.answer() {
            self.learn(found);
        }
        self.ask_after(now_ns, FRESH_NS, FRESH_REST);
    }

    /// Surveys now, and waits for it.
    pub fn survey_now(&mut self) {
        if let Some(found) = self.surveyor.wait() {
            self.learn(found);
        }
        self.surveyor.ask();
        if let Some(found) = self.surveyor.wait() {
            self.learn(found);
        }
        self.hear();
    }

    fn ask_after(&mut self, now_ns: u64, shortest_ns: u64, rest: u64) {
        let cost_ns = self.found.ended_ns.saturating_sub(self.found.began_ns);
        let rested_ns = now_ns.saturating_sub(self.found.ended_ns);
        if !self.surveyor.is_under_way() && rested_ns >= shortest_ns.max(cost_ns * rest) {
            self.surveyor.ask();
        }
    }

    fn answer(&self, found: Option<&Seen>, sent_ns: u64) -> Answer {
        let Some(Seen { owner, is_sent, born_ns }) = found else { return Answer::Unknown };
        let (owner, is_sent, born_ns) = (Arc::clone(owner), *is_sent, *born_ns);
        // What the kernel sends before a connection is there, no thread does.
        let by_thread = is_sent && born_ns.is_none_or(|born_ns| sent_ns >= born_ns);
        let thread = if by_thread { self.threads.of(owner.inode(), sent_ns) } else { None };
        Answer::Known(Known { owner, is_sent, thread, born_ns })
    }

    /// Whose a packet between these ends is, that was sent at `sent_ns` and taken out of the ring at `came_ns`.
    pub fn of(&mut self, ends: Ends, way: Way, sent_ns: u64, came_ns: u64) -> Answer {
        let cached = self.cache.get(&ends);
        let mut tries = cached.map_or(0, |cached| cached.tries);
        let is_fresh = |cached: &&Cached| {
            cached.edition == self.edition || cached.sure && cached.survey == self.found.number
        };
        if let Some(cached) = cached.filter(is_fresh) {
            return self.answer(cached.found.as_ref(), sent_ns);
        }
        let (found, sure) = self.find(ends, way);
        if sure {
            tries = 0;
        } else {
            if tries < TRIES {
                self.ask_after(clock::monotonic_now().0, SHORTEST_NS, REST);
            }
            if tries == 0 && self.found.began_ns <= came_ns {
                return Answer::Later;
            }
            tries = tries.saturating_add(1);
        }
        if self.cache.len() >= MOST {
            self.cache.clear();
        }
        let (survey, edition) = (self.found.number, self.edition);
        let answer = self.answer(found.as_ref(), sent_ns);
        self.cache.insert(ends, Cached { found, sure, survey, edition, tries });
        answer
    }

    /// The socket with this own end and this peer, if its peer has ended the connection and somebody holds it.
    pub fn half_closed_at(&self, own: SocketAddr, peer: SocketAddr) -> Option<&Arc<Owner>> {
        let found = self.found.sockets.get(&(Transport::Tcp, own, peer));
        found.filter(|owner| self.found.is_half_closed(owner))
    }

    /// Sockets whose peers have ended the connection and that somebody holds: own end, peer, owner.
    pub fn half_closed(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr, &Owner)> {
        let half = |(_, owner): &(&Key, &Arc<Owner>)| self.found.is_half_closed(owner);
        let sockets = self.found.sockets.iter().filter(half);
        sockets.map(|((_, own, peer), owner)| (*own, *peer, &**owner))
    }

    /// The socket that sent or gets a packet: a connected one of either side first, the sender's before; then one that
    /// is bound or listens, on a side that is this machine's. And whether no better one can come to be known: a
    /// connection that was begun just now is known by its listener only, or by its other side.
    fn find(&self, ends: Ends, way: Way) -> (Option<Seen>, bool) {
        let Ends { transport, source, destination } = ends;
        let connected = |own, peer| {
            let key = (transport, own, peer);
            self.at(&key).map(|owner| (owner, self.births.get(&key).copied()))
        };
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
        let is_udp = transport == Transport::Udp;
        let ways = [
            (connected(source, destination), true, true),
            (connected(destination, source), false, way == Way::In),
            (bound(source, way != Way::In), true, is_udp && way != Way::In),
            (bound(destination, way != Way::Out), false, is_udp && way == Way::In),
        ];
        let found = ways.into_iter().find_map(|(found, sent, sure)| Some((found?, sent, sure)));
        found.map_or((None, false), |((owner, born_ns), is_sent, sure)| {
            (Some(Seen { owner: Arc::clone(owner), is_sent, born_ns }), sure)
        })
    }
}
