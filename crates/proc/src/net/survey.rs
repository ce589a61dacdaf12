//! Every socket of the machine with who holds it: the book of all namespaces, joined with all descriptor tables.

use fdscope_model::inventory::End;
use std::collections::{BTreeSet, HashMap, HashSet};

use fdscope_model::port::{Inventories, Lead};
use fdscope_model::{
    Association, Family, Fault, FdNumber, Keeper, Name, Pid, Socket, SocketState, Unheld,
};
use rustix::fd::AsFd;

use super::row::{Ends, Point, Row};
use super::{Detail, Holders, SocketBook};
use crate::error::ProcError;
use crate::parse::{Link, parse_link};
use crate::root::{ProcRoot, numbers_in, read_fd_link};

/// A survey of all sockets at one moment.
#[derive(Debug)]
pub struct Survey {
    pub(super) book: SocketBook,
    pub(super) holders: Holders,
    owners: Owners,
    /// Processes with an io_uring.
    pub(super) rings: BTreeSet<Pid>,
    /// Descriptors of network namespaces, with the inodes of these.
    spaces: Vec<(Pid, FdNumber, u64)>,
    /// Who keeps sockets by other means than descriptors, by inode.
    pub(super) keepers: HashMap<u64, Vec<Keeper>>,
    /// Where descriptors wait to be received.
    pub(super) receivers: Vec<Keeper>,
    /// Sockets that no table lists, asked through their descriptors.
    unlisted: Vec<Socket>,
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// Processes whose descriptors may not be read: sockets of theirs look unheld.
    pub unreadable: u64,
}

/// Whether it is asked who holds the sockets: it costs a look at every descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owners {
    /// Nobody asks: no socket has owners, or a reason why it has none.
    Unasked,
    /// Those who hold descriptors; why others have none is a guess then.
    Descriptors,
    /// All of them.
    All,
    /// All of them, and of each socket who holds the other end.
    Both,
}

/// Who can read many tables of descriptors at once.
pub type Tables<'a> = Option<&'a mut dyn Inventories<Error = ProcError>>;

/// A socket, and who has to do with it.
#[derive(Clone, PartialEq, Debug)]
pub struct Surveyed<'a> {
    /// The socket.
    pub socket: Socket,
    /// Every descriptor that is it.
    pub owners: &'a [End],
    /// Why there is none; `None` too if nobody asked.
    pub unheld: Option<Unheld>,
    /// Who listens, whose ring or mapping it is, or where it may wait to be received.
    pub keepers: Vec<Keeper>,
}

/// A socket that a process holds.
struct Held {
    pid: Pid,
    fd: FdNumber,
    inode: u64,
}

impl Survey {
    /// Looks at every process and every network namespace that a process or a descriptor leads to.
    ///
    /// # Errors
    /// If /proc cannot be listed. A process that cannot be read is counted, one that ends meanwhile is passed over.
    pub fn take(root: &ProcRoot, detail: Detail, owners: Owners) -> Result<Self, ProcError> {
        Self::take_with(root, detail, owners, None)
    }

    /// The same; owners are found by `tables` where that is cheaper than to read the link of each descriptor.
    ///
    /// # Errors
    /// As [`Survey::take`].
    pub fn take_with(
        root: &ProcRoot,
        detail: Detail,
        owners: Owners,
        tables: Tables<'_>,
    ) -> Result<Self, ProcError> {
        let mut survey = Survey {
            book: SocketBook::with_detail(root.clone(), detail),
            holders: Holders::default(),
            owners,
            rings: BTreeSet::new(),
            spaces: Vec::new(),
            keepers: HashMap::new(),
            receivers: Vec::new(),
            unlisted: Vec::new(),
            faults: Vec::new(),
            unreadable: 0,
        };
        let pids = root.pids()?;
        for &pid in &pids {
            survey.faults.extend(survey.book.learn(pid));
        }
        let mut held = Vec::new();
        if owners != Owners::Unasked {
            survey.look_into(root, &pids, tables, &mut held);
        }
        survey.faults.extend(survey.book.learn_mounted());
        for (pid, fd, inode) in std::mem::take(&mut survey.spaces) {
            survey.faults.extend(survey.book.learn_held(pid, fd, inode));
        }
        survey.ask_unlisted(&held);
        if owners != Owners::Unasked {
            survey.find_keepers(root, &pids);
        }
        Ok(survey)
    }

    /// Finds the holders of all sockets.
    fn look_into(
        &mut self,
        root: &ProcRoot,
        pids: &[Pid],
        tables: Tables<'_>,
        held: &mut Vec<Held>,
    ) {
        let mut names = Names::default();
        let left = match tables {
            None => pids.to_vec(),
            Some(tables) => tables.leads(pids, &mut |pid, fd, lead| {
                self.note(pid, fd, lead, &mut || names.of(root, pid), held);
            }),
        };
        for pid in left {
            match self.walk(root, pid, held) {
                Err(error) if error.is_not_permitted() => self.unreadable += 1,
                // Gone meanwhile, or a zombie.
                _ => {}
            }
        }
    }

    fn note(
        &mut self,
        pid: Pid,
        fd: FdNumber,
        lead: Lead,
        name: &mut dyn FnMut() -> Name,
        held: &mut Vec<Held>,
    ) {
        match lead {
            Lead::Socket(inode) => {
                self.holders.insert(inode, End { pid, comm: name(), fd, access: None });
                held.push(Held { pid, fd, inode });
            }
            Lead::Ring => drop(self.rings.insert(pid)),
            Lead::Namespace(inode) => self.spaces.push((pid, fd, inode)),
        }
    }

    fn walk(&mut self, root: &ProcRoot, pid: Pid, held: &mut Vec<Held>) -> Result<(), ProcError> {
        let dir = root.pid_dir(pid)?;
        let place = dir.living_place()?;
        let links = dir.open_dir(&format!("{place}fd"), "list descriptors")?;
        let mut comm: Option<Name> = None;
        let mut buffer = [0; 64];
        let read = numbers_in(links.as_fd(), |number| {
            let fd = FdNumber(number);
            let Ok(link) = read_fd_link(links.as_fd(), fd, &mut buffer) else { return };
            let Some(lead) = lead_of(link) else { return };
            let named = || dir.process_stat().map(|stat| stat.comm).unwrap_or_default();
            let mut name = || comm.get_or_insert_with(named).clone();
            self.note(pid, fd, lead, &mut name, held);
        });
        read.map_err(|cause| ProcError::of(pid, "list descriptors", cause))
    }

    /// Asks the sockets that no table lists, once each; that may make more namespaces known.
    fn ask_unlisted(&mut self, held: &[Held]) {
        let mut asked = HashSet::new();
        for Held { pid, fd, inode } in held {
            if self.book.is_listed(*inode) || !asked.insert(*inode) {
                continue;
            }
            let socket = self.book.socket(*pid, *fd, *inode);
            if !self.book.is_listed(*inode) {
                self.unlisted.push(socket);
            }
        }
        self.faults.extend(self.book.take_faults());
    }

    /// Every socket, those that no table lists at the end, with who holds it and, if nobody, why.
    pub fn sockets(&self) -> impl Iterator<Item = Surveyed<'_>> {
        let listeners = Listeners::new(&self.book.rows);
        let listed = self.book.rows.iter().map(move |row| {
            let mut socket = self.book.made(row);
            if self.owners == Owners::Unasked {
                return Surveyed { socket, owners: &[], unheld: None, keepers: Vec::new() };
            }
            if self.owners == Owners::Both {
                self.book.find_ends(&mut socket, &self.holders);
            }
            let owners = self.holders.of(row.inode);
            let unheld = owners.is_empty().then(|| self.unheld(row, &listeners));
            let keepers = unheld.map_or_else(Vec::new, |why| self.keepers_of(row, why));
            Surveyed { socket, owners, unheld, keepers }
        });
        let unlisted = self.unlisted.iter().map(|socket| Surveyed {
            socket: socket.clone(),
            owners: self.holders.of(socket.inode),
            unheld: None,
            keepers: Vec::new(),
        });
        listed.chain(unlisted)
    }

    fn keepers_of(&self, row: &Row, why: Unheld) -> Vec<Keeper> {
        match why {
            Unheld::AcceptQueue(inode) if inode != 0 => {
                let keeper = |end: &End| Keeper {
                    pid: end.pid,
                    comm: end.comm.clone(),
                    via: Association::Fd(end.fd),
                };
                self.holders.of(inode).iter().map(keeper).collect()
            }
            Unheld::Ring | Unheld::Mapped => {
                self.keepers.get(&row.inode).cloned().unwrap_or_default()
            }
            Unheld::InFlight => self.receivers.clone(),
            _ => Vec::new(),
        }
    }

    /// Why nobody holds a socket that has an inode.
    fn why_not_seen(&self, inode: u64) -> Unheld {
        let keepers = self.keepers.get(&inode).map_or(&[][..], Vec::as_slice);
        match keepers.first().map(|keeper| keeper.via) {
            Some(Association::RingSlot(..)) => Unheld::Ring,
            Some(_) => Unheld::Mapped,
            None if self.unreadable == 0 && !self.receivers.is_empty() => Unheld::InFlight,
            None => Unheld::NotSeen,
        }
    }

    fn unheld(&self, row: &Row, listeners: &Listeners) -> Unheld {
        use SocketState::{CloseWait, Established, NewSynReceived, SynReceived, TimeWait};
        match (row.state, row.inode) {
            // Only the kernel's netlink sockets have port 0, and they have inodes.
            _ if matches!(row.ends, Ends::Netlink { local: 0, .. }) => Unheld::Kernel,
            (_, inode) if inode != 0 => self.why_not_seen(inode),
            (Some(TimeWait), _) => Unheld::TimeWait,
            (Some(NewSynReceived | SynReceived), _) => Unheld::HalfOpen,
            // close(2) leads out of these states at once: it was never accepted.
            (Some(Established | CloseWait), _) if is_inet(row) => {
                Unheld::AcceptQueue(listeners.of(row).unwrap_or(0))
            }
            _ if is_inet(row) => Unheld::Orphan,
            _ => Unheld::Kernel,
        }
    }

    /// Who holds a socket, by inode.
    pub fn owners(&self, inode: u64) -> &[End] {
        self.holders.of(inode)
    }

    /// TCP sockets that processes hold, of every namespace.
    pub fn held_tcp(&self) -> u64 {
        let listed = self.book.rows.iter().filter(|row| is_tcp(row.protocol.as_bytes()));
        let held = listed.filter(|row| !self.holders.of(row.inode).is_empty()).count();
        held as u64 + self.unlisted_tcp()
    }

    /// TCP sockets that no table lists: never bound nor connected, or of a namespace that may not be read.
    pub fn unlisted_tcp(&self) -> u64 {
        self.unlisted.iter().filter(|socket| is_tcp(socket.protocol.bytes())).count() as u64
    }
}

/// Names of processes, each read once; one process's descriptors come together.
#[derive(Default)]
struct Names {
    last: Option<(Pid, Name)>,
}

impl Names {
    fn of(&mut self, root: &ProcRoot, pid: Pid) -> Name {
        match &self.last {
            Some((known, name)) if *known == pid => name.clone(),
            _ => {
                let stat = root.pid_dir(pid).and_then(|dir| dir.process_stat());
                let name = stat.map(|stat| stat.comm).unwrap_or_default();
                self.last = Some((pid, name.clone()));
                name
            }
        }
    }
}

/// Whether a descriptor's link is a socket's, or leads to some.
fn lead_of(link: &[u8]) -> Option<Lead> {
    match parse_link(link) {
        Link::Socket(inode) => Some(Lead::Socket(inode)),
        Link::Anonymous(b"io_uring") => Some(Lead::Ring),
        Link::Numbered(b"net", inode) => Some(Lead::Namespace(inode)),
        _ => None,
    }
}

fn is_tcp(protocol: &[u8]) -> bool {
    matches!(protocol, b"TCP" | b"TCPv6")
}

fn is_inet(row: &Row) -> bool {
    matches!(row.family, Family::Inet | Family::Inet6)
}

/// Listening Internet sockets, by namespace and address.
struct Listeners(HashMap<(u32, Point), u64>);

impl Listeners {
    fn new(rows: &[Row]) -> Self {
        let listening = rows.iter().filter(|row| row.state == Some(SocketState::Listen));
        let found = listening.filter_map(|row| match row.ends {
            Ends::Inet { local, .. } => Some(((row.namespace, local.canonical()), row.inode)),
            _ => None,
        });
        Listeners(found.collect())
    }

    /// The inode of the listener that a connection came to: of its own address, or of any.
    fn of(&self, row: &Row) -> Option<u64> {
        let Ends::Inet { local, .. } = row.ends else { return None };
        let local = local.canonical();
        let any4 = Point { ip: std::net::Ipv4Addr::UNSPECIFIED.into(), ..local };
        let any6 = Point { ip: std::net::Ipv6Addr::UNSPECIFIED.into(), ..local };
        let mut places = [local, any4, any6].into_iter();
        places.find_map(|place| self.0.get(&(row.namespace, place)).copied())
    }
}
