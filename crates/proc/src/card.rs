//! Reads the card of a process: its identity, its descriptors in groups, its limits.
//!
//! Descriptors that may not be listed are a fault, and what every user may know stands all the same.

use std::collections::{HashMap, HashSet};

use fdscope_model::card::{Card, CardGroup, CardHandle, Inherited};
use fdscope_model::handle::O_CLOEXEC;
use fdscope_model::process::Process;
use fdscope_model::{
    Address, Association, Entry, Facts, Family, Fault, FdNumber, HandleKind, Name, NamespaceClass,
    Pid, Socket, SocketClass, SocketState,
};

use crate::descriptors::Detail;
use crate::error::ProcError;
use crate::inventory::{InventorySource, Wanted};
use crate::net::SocketBook;
use crate::parse::{Link, container_of, decimal, parse_cgroup, parse_link, unit_of};
use crate::pattern::pattern;
use crate::root::{PidDir, ProcRoot};
use crate::table::OpenTable;

/// The oldest and newest that are told.
const SHOWN: usize = 3;

/// Descriptors of which the flags are read at most.
const MOST_FLAGS: usize = 256;

impl ProcRoot {
    /// The card of a process.
    ///
    /// # Errors
    /// If the process is gone, or hidden.
    pub fn card(&self, pid: Pid) -> Result<Card, ProcError> {
        let dir = self.pid_dir(pid)?;
        let stat = dir.process_stat()?;
        let process = dir.process()?;
        let parent = self.pid_dir(process.parent).and_then(|dir| dir.process_stat());
        let mut card = Card {
            parent_comm: parent.map(|stat| stat.comm).unwrap_or_default(),
            state: stat.state.0,
            age_ns: self.age_ns(stat.start_ticks),
            namespaces: self.namespaces_apart(&dir),
            descriptors: match stat.state.is_zombie() && stat.threads < 2 {
                true => Some(0),
                false => self.count_descriptors(pid).ok(),
            },
            threads: stat.threads,
            limits: self.limits(pid)?,
            ..Card::default()
        };
        add_cgroup(&dir, &mut card);
        self.add_groups(&process, &mut card)?;
        match self.sample(pid) {
            Ok(sample) => card.others = sample.groups,
            Err(error) if error.is_gone() => return Err(error),
            Err(_) => {}
        }
        card.process = process;
        Ok(card)
    }

    /// The sockets among a process's descriptors, by state and ends, the largest group first. No file is asked for.
    ///
    /// # Errors
    /// If the process is gone, or its descriptors may not be listed.
    pub fn socket_groups(&self, pid: Pid) -> Result<Vec<CardGroup>, ProcError> {
        let inventory = InventorySource::new(self.clone(), Wanted::default()).read(pid)?;
        let is_socket = |entry: &&Entry| entry.handle.kind == HandleKind::Socket;
        let sockets: Vec<&Entry> = inventory.entries.iter().filter(is_socket).collect();
        let mut book = SocketBook::new(self.clone());
        if !sockets.is_empty() {
            // What cannot be listed is asked for one by one.
            let _faults = book.learn(pid);
        }
        let mut groups = Groups::default();
        for entry in sockets {
            let Association::Fd(fd) = entry.handle.via else { continue };
            let (state, pattern) = describe(entry, &mut book, pid, fd);
            groups.add(entry, fd, state, pattern);
        }
        Ok(groups.sorted())
    }

    /// Since a moment told in clock ticks since boot.
    fn age_ns(&self, start_ticks: u64) -> Option<u64> {
        let bytes = self.read("uptime").ok()?;
        let mut parts = bytes.split(|&b| b == b'.' || b == b' ');
        let (seconds, hundredths) = (decimal(parts.next()?)?, decimal(parts.next()?)?);
        let now_ns = seconds.checked_mul(1_000_000_000)?.checked_add(hundredths * 10_000_000)?;
        let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
        Some(now_ns.saturating_sub(start_ticks.saturating_mul(tick_ns)))
    }

    /// Classes of namespaces that the process does not share with the reader.
    fn namespaces_apart(&self, dir: &PidDir) -> Vec<NamespaceClass> {
        let Ok(own) = self.pid_dir(Pid(std::process::id())) else { return Vec::new() };
        let link = |dir: &PidDir, class: NamespaceClass| {
            dir.read_link(&format!("ns/{}", class.word()), "read link of a namespace").ok()
        };
        let differs = |class: &NamespaceClass| {
            let (theirs, ours) = (link(dir, *class), link(&own, *class));
            theirs.is_some() && ours.is_some() && theirs != ours
        };
        NamespaceClass::ALL.into_iter().filter(differs).collect()
    }

    fn add_groups(&self, process: &Process, card: &mut Card) -> Result<(), ProcError> {
        let wanted = Wanted { kinds: true, status: true, ..Wanted::default() };
        let pid = process.id.pid;
        let inventory = match InventorySource::new(self.clone(), wanted).read(pid) {
            Err(error) if error.is_gone() => return Err(error),
            Err(error) => {
                card.faults.push(fault(pid, &error));
                return Ok(());
            }
            Ok(inventory) => inventory,
        };
        card.faults.extend(inventory.faults);
        let is_socket = |entry: &Entry| entry.handle.kind == HandleKind::Socket;
        let mut book = SocketBook::new(self.clone());
        if inventory.entries.iter().any(is_socket) {
            card.faults.extend(book.learn(pid));
        }
        let mut groups = Groups::default();
        let mut ends = Ends::of(&inventory.entries);
        for entry in &inventory.entries {
            let Association::Fd(fd) = entry.handle.via else { continue };
            card.faults.extend(entry.handle.fault.as_deref().cloned());
            let kind = entry.handle.kind;
            let (state, name) = describe(entry, &mut book, pid, fd);
            groups.add(entry, fd, state, pattern(kind, &name));
            ends.add(CardHandle { fd, kind, state, name });
        }
        card.faults.extend(book.take_faults());
        card.groups = groups.sorted();
        (card.oldest, card.newest) = (ends.oldest, ends.newest);
        card.inherited = self.inherited(pid, &inventory.entries);
        Ok(())
    }

    /// How many descriptors lack close-on-exec, of all or of a part evenly chosen.
    fn inherited(&self, pid: Pid, entries: &[Entry]) -> Option<Inherited> {
        let fds: Vec<FdNumber> = above_standard(entries).collect();
        let step = fds.len().div_ceil(MOST_FLAGS).max(1);
        let mut table = OpenTable::open(self, pid, Detail::Full).ok()?;
        let told = fds.into_iter().step_by(step).filter_map(|fd| table.info(fd).ok()?.flags);
        let mut counted = Inherited { looked_at: 0, inherited: 0 };
        for flags in told {
            counted.looked_at += 1;
            counted.inherited += u64::from(flags & O_CLOEXEC == 0);
        }
        (counted.looked_at > 0).then_some(counted)
    }
}

fn fault(pid: Pid, error: &ProcError) -> Fault {
    let cause = match error.is_not_permitted() {
        true => "permission denied".to_owned(),
        false => error.to_string(),
    };
    Fault { pid: Some(pid), fd: None, operation: "list descriptors", cause }
}

fn add_cgroup(dir: &PidDir, card: &mut Card) {
    let bytes = dir.read("cgroup", "read cgroup").unwrap_or_default();
    let entries = parse_cgroup(&bytes);
    let named = entries.iter().find(|entry| entry.controllers == b"name=systemd");
    let unified = entries.iter().find(|entry| entry.is_unified() && entry.path != b"/");
    let entry = unified.or(named).or(entries.first());
    card.cgroup = entry.map_or(&[][..], |entry| entry.path).into();
    card.unit = entries.iter().find_map(|entry| unit_of(entry.path)).map(Name::from);
    card.container = entries.iter().find_map(|entry| container_of(entry.path)).map(Name::from);
}

/// Descriptors other than the standard three.
fn above_standard(entries: &[Entry]) -> impl Iterator<Item = FdNumber> {
    let numbers = entries.iter().filter_map(|entry| match entry.handle.via {
        Association::Fd(fd) => Some(fd),
        _ => None,
    });
    numbers.filter(|fd| fd.0 > 2)
}

/// The first and the last of many descriptors.
struct Ends {
    /// Numbers up to here are the oldest.
    low: FdNumber,
    /// Numbers from here on are the newest.
    high: FdNumber,
    oldest: Vec<CardHandle>,
    newest: Vec<CardHandle>,
}

impl Ends {
    /// Where the ends begin; nowhere if all would be in them.
    fn of(entries: &[Entry]) -> Self {
        let fds: Vec<FdNumber> = above_standard(entries).collect();
        let many = fds.len() > 2 * SHOWN;
        let at = |index: usize| fds.get(index).filter(|_| many).copied();
        let low = at(SHOWN - 1).unwrap_or(FdNumber(0));
        let high = at(fds.len().wrapping_sub(SHOWN)).unwrap_or(FdNumber(u32::MAX));
        Ends { low, high, oldest: Vec::new(), newest: Vec::new() }
    }

    fn add(&mut self, handle: CardHandle) {
        if handle.fd.0 > 2 && handle.fd <= self.low {
            self.oldest.push(handle);
        } else if handle.fd >= self.high {
            self.newest.push(handle);
        }
    }
}

/// Descriptors in groups, the largest first, by what their rows tell.
pub fn card_groups(entries: &[Entry]) -> Vec<CardGroup> {
    let mut groups = Groups::default();
    for entry in entries {
        let Association::Fd(fd) = entry.handle.via else { continue };
        let (state, name) = match &entry.facts {
            Facts::Socket(socket) => (socket.state, ends_of(socket)),
            _ => (None, entry.handle.name.clone()),
        };
        groups.add(entry, fd, state, pattern(entry.handle.kind, &name));
    }
    groups.sorted()
}

/// State and name of a descriptor: of a socket its ends.
fn describe(
    entry: &Entry,
    book: &mut SocketBook,
    pid: Pid,
    fd: FdNumber,
) -> (Option<SocketState>, Name) {
    let handle = &entry.handle;
    let told = match (&entry.facts, parse_link(handle.name.bytes())) {
        (Facts::Socket(socket), _) if !socket.protocol.is_empty() => Some(socket.as_ref().clone()),
        (_, Link::Socket(inode)) => Some(book.socket(pid, fd, inode)),
        _ => None,
    };
    match told {
        None => (None, handle.name.clone()),
        Some(socket) => (socket.state, ends_of(&socket)),
    }
}

/// A socket's ends as the text that patterns are made from: `tcp 10.0.0.1:80->10.0.0.2:4242`.
fn ends_of(socket: &Socket) -> Name {
    let class = match socket.class {
        SocketClass::Stream => " stream",
        SocketClass::Datagram => " datagram",
        SocketClass::SeqPacket => " seqpacket",
        _ => "",
    };
    let word = match socket.family {
        Family::Unix => format!("unix{class}"),
        _ if socket.protocol.is_empty() => return "socket of unknown protocol".into(),
        _ => socket.protocol.to_string().to_lowercase(),
    };
    let text = |address: &Address| match address {
        Address::Inet(address) => Some(address.to_string().into_bytes()),
        Address::Unix(name) => match name.bytes() {
            [0, rest @ ..] => Some([b"@", rest].concat()),
            path => Some(path.to_vec()).filter(|path| !path.is_empty()),
        },
        _ => None,
    };
    let local = socket.local.as_ref().and_then(text);
    let peer = socket.peer.as_ref().and_then(text);
    let mut name = word.into_bytes();
    match (local, peer) {
        (Some(local), Some(peer)) => name.extend([b" ", &local[..], b"->", &peer].concat()),
        (Some(end), None) | (None, Some(end)) => name.extend([b" ", &end[..]].concat()),
        (None, None) if socket.peer_inode.is_some_and(|inode| inode > 0) => {
            name.extend_from_slice(b", unnamed, connected");
        }
        (None, None) => name.extend_from_slice(b", unnamed"),
    }
    name.into()
}

type Key = (HandleKind, Option<SocketState>, Name);

/// Groups while they are counted.
#[derive(Default)]
struct Groups {
    groups: HashMap<Key, CardGroup>,
    /// Deleted files whose bytes are counted.
    counted: HashSet<fdscope_model::InodeId>,
}

impl Groups {
    fn add(&mut self, entry: &Entry, fd: FdNumber, state: Option<SocketState>, pattern: Name) {
        let kind = entry.handle.kind;
        // Memory files never had a name on a disk.
        let deleted = entry.is_deleted() && kind == HandleKind::File;
        let held = match &entry.status {
            Some(status) if deleted && self.counted.insert(status.inode) => status.allocated,
            _ => 0,
        };
        let new = || CardGroup {
            kind,
            state,
            pattern: pattern.clone(),
            count: 0,
            lowest: fd,
            highest: fd,
            deleted,
            held_bytes: 0,
        };
        let group = self.groups.entry((kind, state, pattern.clone())).or_insert_with(new);
        group.count += 1;
        group.held_bytes += held;
        (group.lowest, group.highest) = (group.lowest.min(fd), group.highest.max(fd));
    }

    fn sorted(self) -> Vec<CardGroup> {
        let mut groups: Vec<CardGroup> = self.groups.into_values().collect();
        groups.sort_by_key(|group| (std::cmp::Reverse(group.count), group.lowest));
        groups
    }
}
