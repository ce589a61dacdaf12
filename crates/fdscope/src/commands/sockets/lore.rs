//! What is known of sockets from elsewhere: names of hosts and services, paths of cgroups, and since when looks saw them.
//!
//! Names are asked of the C library, and so of name servers, in threads of their own; what is not answered within two
//! seconds stays a number, and the threads are left behind.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fdscope_model::{Address, Monotonic, Name, Socket};
use fdscope_proc::ProcRoot;
use fdscope_proc::net::{Survey, Surveyed};
use fdscope_render::column::Needs;
use fdscope_render::sockets::{CGROUPS, NAMES, Names};
use fdscope_render::units::count_of;
use fdscope_sys::clock::monotonic_now;

/// Name servers are waited for so long, all together.
const PATIENCE: Duration = Duration::from_secs(2);
/// Questions under way at once.
const ASKERS: usize = 16;
/// Addresses of which names are asked for.
const MOST: usize = 4_096;

/// What is known from elsewhere, for as many looks as there are.
#[derive(Default)]
pub struct Lore {
    /// Hosts and services, if they were asked for.
    pub names: Option<Rc<Names>>,
    /// Paths of cgroups by number, if they were asked for.
    pub cgroups: HashMap<u64, Rc<Name>>,
    /// Addresses that were asked for, answered or not.
    asked: HashSet<IpAddr>,
    /// Since when each socket was seen, by look after look.
    seen: HashMap<Identity, Monotonic>,
    /// The last look.
    now: Monotonic,
}

/// What makes a socket the same as before.
pub type Identity = (u8, u64);

/// The kernel's own number of a socket where it tells; else its inode; else its ends.
pub fn identity(socket: &Socket) -> Identity {
    match (socket.cookie, socket.inode) {
        (Some(cookie), _) => (0, cookie),
        (None, 0) => {
            let mut hasher = DefaultHasher::new();
            (&socket.protocol, &socket.local, &socket.peer, socket.namespace).hash(&mut hasher);
            (2, hasher.finish())
        }
        (None, inode) => (1, inode),
    }
}

impl Lore {
    /// Remembers since when these sockets are there, and forgets those that are gone.
    pub fn keep_ages(&mut self, survey: &Survey) {
        self.now = monotonic_now();
        let before = std::mem::take(&mut self.seen);
        let since = |surveyed: Surveyed<'_>| {
            let identity = identity(&surveyed.socket);
            (identity, before.get(&identity).copied().unwrap_or(self.now))
        };
        self.seen = survey.sockets().map(since).collect();
    }

    /// How long ago a look saw a socket first; `None` if there was no other look before.
    pub fn seen_ns(&self, socket: &Socket) -> Option<u64> {
        if self.seen.is_empty() {
            return None;
        }
        let ns = self.now.since_ns(*self.seen.get(&identity(socket))?);
        Some(ns).filter(|&ns| ns > 0)
    }

    /// Finds out what these needs ask for and is not known yet.
    pub fn learn(&mut self, root: &ProcRoot, needs: Needs, survey: &Survey) {
        if needs.has(CGROUPS) {
            let paths = root.cgroup_paths().into_iter();
            self.cgroups = paths.map(|(id, path)| (id, Rc::new(path))).collect();
        }
        if !needs.has(NAMES) {
            return;
        }
        let mut names = self.names.take().map_or_else(first_names, Rc::unwrap_or_clone);
        let left = self.new_addresses(survey);
        let wanted = left.len();
        let answers = ask(left);
        let mut answered = 0;
        let begun = monotonic_now();
        while answered < wanted {
            let passed = Duration::from_nanos(monotonic_now().since_ns(begun));
            let Ok((address, name)) = answers.recv_timeout(PATIENCE.saturating_sub(passed)) else {
                break;
            };
            answered += 1;
            names.hosts.extend(name.map(|name| (address, Name::from(name))));
        }
        if answered < wanted {
            let left = count_of((wanted - answered) as u64, "address", "addresses");
            eprintln!(
                "fdscope: name servers did not answer for {left} within 2 s; these stay numbers"
            );
        }
        self.names = Some(Rc::new(names));
    }

    /// The addresses not asked for yet; those of most sockets first.
    fn new_addresses(&mut self, survey: &Survey) -> Vec<IpAddr> {
        let mut counts: HashMap<IpAddr, u64> = HashMap::new();
        for surveyed in survey.sockets() {
            for end in [&surveyed.socket.local, &surveyed.socket.peer] {
                if let Some(Address::Inet(end)) = end
                    && !end.ip().is_unspecified()
                {
                    *counts.entry(end.ip().to_canonical()).or_default() += 1;
                }
            }
        }
        counts.retain(|address, _| !self.asked.contains(address));
        let mut list: Vec<(IpAddr, u64)> = counts.into_iter().collect();
        list.sort_unstable_by_key(|(address, count)| (std::cmp::Reverse(*count), *address));
        list.truncate(MOST.saturating_sub(self.asked.len()));
        let list: Vec<IpAddr> = list.into_iter().map(|(address, _)| address).collect();
        self.asked.extend(&list);
        list
    }
}

type Answer = (IpAddr, Option<Vec<u8>>);

/// Asks for each address's name, many at a time.
fn ask(addresses: Vec<IpAddr>) -> Receiver<Answer> {
    let (sender, answers) = channel();
    let askers = ASKERS.min(addresses.len());
    let left = Arc::new(Mutex::new(addresses.into_iter()));
    for _ in 0..askers {
        let (left, sender) = (Arc::clone(&left), sender.clone());
        let asker = std::thread::Builder::new().name("fdscope-names".to_owned());
        // Without a thread, what is not answered stays a number.
        let _ = asker.spawn(move || {
            while let Some(address) = left.lock().ok().and_then(|mut left| left.next()) {
                if sender.send((address, fdscope_sys::names::host(address))).is_err() {
                    break;
                }
            }
        });
    }
    answers
}

/// Services, as /etc/services has them: services(5).
fn first_names() -> Names {
    let text = std::fs::read("/etc/services").unwrap_or_default();
    let mut names = Names::default();
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (Some(name), Some(place)) = (words.next(), words.next()) else { continue };
        let place = std::str::from_utf8(place).ok().and_then(|place| place.split_once('/'));
        let is_udp = match place {
            Some((_, "tcp")) => false,
            Some((_, "udp")) => true,
            _ => continue,
        };
        if let Some(Ok(port)) = place.map(|(port, _)| port.parse()) {
            names.services.entry((port, is_udp)).or_insert_with(|| Name::from(name));
        }
    }
    names
}
