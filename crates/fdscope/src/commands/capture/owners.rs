//! Whose packet it is: from a packet's ends to a socket, from that to who holds it, as the [`super::surveyor`] found.
//!
//! The answer is kept by the packet's ends, so that a packet of a known connection costs one look-up. A packet of an
//! unknown one asks for a new survey; until that is there the answer is [`Answer::Later`]. What was not found is told as
//! unknown.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use fdscope_packet::ends::{Ends, Transport};
use fdscope_proc::ProcRoot;
use fdscope_sys::clock;

use super::surveyor::{Asked, Found, Key, NOBODY, Owner, Surveyor};

/// For unknown packets, the next survey begins when so many times its duration have passed, and no sooner than this.
const REST: u64 = 4;
const SHORTEST_NS: u64 = 30_000_000;
/// Without unknown ones it begins after this: descriptors are passed on and inherited.
const FRESH_REST: u64 = 10;
const FRESH_NS: u64 = 1_000_000_000;
/// So often in a row a survey is made for the packets of one connection that none finds.
const TRIES: u8 = 3;
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

/// What is known of a packet's owner.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It has one.
    Known(Arc<Owner>),
    /// It was looked for and not found.
    Unknown,
    /// It was not looked for since the packet came.
    Later,
}

/// The last answer about a packet's ends, and by which survey.
struct Cached {
    found: Option<Arc<Owner>>,
    survey: u64,
    tries: u8,
}

/// All that is known.
pub struct Owners {
    surveyor: Surveyor,
    found: Arc<Found>,
    /// By the packet's ends as they stand there.
    cache: HashMap<Ends, Cached, BuildHasherDefault<Mixer>>,
}

impl Owners {
    /// Nothing known yet, and a first survey under way.
    ///
    /// # Errors
    /// If there can be no thread for it.
    pub fn new(root: ProcRoot, asked: Asked) -> Result<Self> {
        let mut surveyor = Surveyor::start(root, asked)?;
        surveyor.ask();
        Ok(Owners { surveyor, found: Arc::default(), cache: HashMap::default() })
    }

    /// Hears of the last survey, and asks for the next if that is due, so that what was passed on and inherited is seen.
    /// Once in a while, not per packet.
    pub fn refresh(&mut self, now_ns: u64) {
        if let Some(found) = self.surveyor.answer() {
            self.found = found;
        }
        self.ask_after(now_ns, FRESH_NS, FRESH_REST);
    }

    /// Surveys now, and waits for it.
    pub fn survey_now(&mut self) {
        if let Some(found) = self.surveyor.wait() {
            self.found = found;
        }
        self.surveyor.ask();
        if let Some(found) = self.surveyor.wait() {
            self.found = found;
        }
    }

    fn ask_after(&mut self, now_ns: u64, shortest_ns: u64, rest: u64) {
        let cost_ns = self.found.ended_ns.saturating_sub(self.found.began_ns);
        let rested_ns = now_ns.saturating_sub(self.found.ended_ns);
        if !self.surveyor.is_under_way() && rested_ns >= shortest_ns.max(cost_ns * rest) {
            self.surveyor.ask();
        }
    }

    /// Whose a packet between these ends is, that came at `came_ns`.
    pub fn of(&mut self, ends: Ends, way: Way, came_ns: u64) -> Answer {
        let cached = self.cache.get(&ends);
        let mut tries = cached.map_or(0, |cached| cached.tries);
        if let Some(cached) = cached.filter(|cached| cached.survey == self.found.number) {
            return cached.found.clone().map_or(Answer::Unknown, Answer::Known);
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
        self.cache.insert(ends, Cached { found: found.clone(), survey: self.found.number, tries });
        found.map_or(Answer::Unknown, Answer::Known)
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
    fn find(&self, ends: Ends, way: Way) -> (Option<Arc<Owner>>, bool) {
        let Ends { transport, source, destination } = ends;
        let connected = |own, peer| self.found.sockets.get(&(transport, own, peer));
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
            (connected(source, destination), true),
            (connected(destination, source), way == Way::In),
            (bound(source, way != Way::In), is_udp && way != Way::In),
            (bound(destination, way != Way::Out), is_udp && way == Way::In),
        ];
        let found = ways.into_iter().find_map(|(found, sure)| Some((found?, sure)));
        found.map_or((None, false), |(owner, sure)| (Some(Arc::clone(owner)), sure))
    }
}

/// A quick hash of addresses. Colliding on purpose slows the capture, no more.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_ne_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
