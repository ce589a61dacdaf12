//! Every socket of the machine with who holds it: the book of all namespaces, joined with all descriptor tables.

use fdscope_model::inventory::End;
use fdscope_model::{Family, Fault, FdNumber, Name, Pid, Socket, SocketState, Unheld};
use rustix::fd::AsFd;

use super::row::{Ends, Point, Row};
use super::{Detail, Holders, SocketBook};
use crate::error::ProcError;
use crate::parse::{Link, parse_link};
use crate::root::{ProcRoot, numbers_in, read_fd_link};

/// A survey of all sockets at one moment.
#[derive(Debug)]
pub struct Survey {
    book: SocketBook,
    holders: Holders,
    /// Sockets that no table lists, asked through their descriptors.
    unlisted: Vec<Socket>,
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// Processes whose descriptors may not be read: sockets of theirs look unheld.
    pub unreadable: u64,
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
    pub fn take(root: &ProcRoot, detail: Detail) -> Result<Self, ProcError> {
        let mut survey = Survey {
            book: SocketBook::with_detail(root.clone(), detail),
            holders: Holders::default(),
            unlisted: Vec::new(),
            faults: Vec::new(),
            unreadable: 0,
        };
        let mut held = Vec::new();
        for pid in root.pids()? {
            survey.faults.extend(survey.book.learn(pid));
            match survey.walk(root, pid, &mut held) {
                Err(error) if error.is_not_permitted() => survey.unreadable += 1,
                // Gone meanwhile, or a zombie.
                _ => {}
            }
        }
        survey.ask_unlisted(&held);
        Ok(survey)
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
            let Link::Socket(inode) = parse_link(link) else { return };
            let named = || dir.process_stat().map(|stat| stat.comm).unwrap_or_default();
            let comm = comm.get_or_insert_with(named).clone();
            self.holders.insert(inode, End { pid, comm, fd, access: None });
            held.push(Held { pid, fd, inode });
        });
        read.map_err(|cause| ProcError::of(pid, "list descriptors", cause))
    }

    /// Asks the sockets that no table lists, once each; that may make more namespaces known.
    fn ask_unlisted(&mut self, held: &[Held]) {
        let mut asked = std::collections::HashSet::new();
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
    pub fn sockets(&self) -> impl Iterator<Item = (Socket, &[End], Option<Unheld>)> {
        let listeners = Listeners::new(&self.book.rows);
        let listed = self.book.rows.iter().map(move |row| {
            let mut socket = self.book.made(row);
            self.book.find_ends(&mut socket, &self.holders);
            let owners = self.holders.of(row.inode);
            let unheld = owners.is_empty().then(|| unheld(row, &listeners));
            (socket, owners, unheld)
        });
        let unlisted = self.unlisted.iter();
        listed.chain(unlisted.map(|socket| (socket.clone(), self.holders.of(socket.inode), None)))
    }

    /// Who holds a socket, by inode.
    pub fn owners(&self, inode: u64) -> &[End] {
        self.holders.of(inode)
    }

    /// How many sockets no table lists: never bound nor connected, or of a family without a table.
    pub fn unlisted(&self) -> usize {
        self.unlisted.len()
    }
}

fn unheld(row: &Row, listeners: &Listeners) -> Unheld {
    use SocketState::{CloseWait, Established, NewSynReceived, SynReceived, TimeWait};
    match (row.state, row.inode) {
        (_, inode) if inode != 0 => Unheld::NotSeen,
        _ if matches!(row.ends, Ends::Netlink { local: 0, .. }) => Unheld::Kernel,
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

fn is_inet(row: &Row) -> bool {
    matches!(row.family, Family::Inet | Family::Inet6)
}

/// Listening Internet sockets, by namespace and address.
struct Listeners(std::collections::HashMap<(u32, Point), u64>);

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
