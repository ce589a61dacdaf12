//! Every socket of the network namespaces that were asked for, by inode.

use std::sync::OnceLock;

use fdscope_model::hash::FastMap;
use fdscope_model::{Family, Fault, FdNumber, Pid, Socket, SocketClass};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;

use super::Detail;
use super::dump::Diag;
use super::ends::Pairs;
use super::loan::Lender;
use super::row::Row;
use super::sources::Reader;
use super::space::{Space, mounted, open_mounted, socket_inside};
use crate::error::ProcError;
use crate::root::{PidDir, ProcRoot};

/// The sockets of the machine, as far as they were asked for. A picture of one moment: make a new one to look again.
///
/// ```no_run
/// use fdscope_model::{FdNumber, Pid};
/// use fdscope_proc::{ProcRoot, net::SocketBook};
/// let mut book = SocketBook::new(ProcRoot::open()?);
/// let faults = book.learn(Pid(4123));
/// println!("{:?} {faults:?}", book.socket(Pid(4123), FdNumber(7), 552));
/// # Ok::<(), fdscope_proc::ProcError>(())
/// ```
#[derive(Debug)]
pub struct SocketBook {
    root: ProcRoot,
    detail: Detail,
    pub(super) rows: Vec<Row>,
    pub(super) pairs: OnceLock<Pairs>,
    /// From inodes to rows.
    listed: FastMap<u64, u32>,
    spaces: Vec<Space>,
    /// The namespace that fdscope lives in; looked up once.
    own: Option<Space>,
    lender: Lender,
    /// What could not be read while single sockets were asked for.
    faults: Vec<Fault>,
}

impl SocketBook {
    /// An empty book, which will know ends, states, queues and owners.
    pub fn new(root: ProcRoot) -> Self {
        Self::with_detail(root, Detail::default())
    }

    /// An empty book, which will know as much as said.
    pub fn with_detail(root: ProcRoot, detail: Detail) -> Self {
        SocketBook {
            root,
            detail,
            rows: Vec::new(),
            pairs: OnceLock::new(),
            listed: FastMap::default(),
            spaces: Vec::new(),
            own: None,
            lender: Lender::default(),
            faults: Vec::new(),
        }
    }

    /// Makes the sockets of a process's network namespace known, unless they are. What could not be read is told; a
    /// process that is gone has nothing to tell.
    ///
    /// Another namespace is entered by a thread made for that (needs CAP_SYS_ADMIN over it); without, its
    /// /proc/PID/net is read, which tells less.
    pub fn learn(&mut self, pid: Pid) -> Vec<Fault> {
        match self.try_learn(pid) {
            Ok(faults) => faults,
            Err(error) if error.is_gone() => Vec::new(),
            Err(error) => vec![fault(Some(pid), "list sockets", &error.to_string())],
        }
    }

    fn try_learn(&mut self, pid: Pid) -> Result<Vec<Fault>, ProcError> {
        let dir = self.root.pid_dir(pid)?;
        let (place, space) = match Space::of(&dir, "") {
            Err(error) if error.is_gone() => {
                let place = dir.living_place()?;
                let space = Space::of(&dir, &place)?;
                (place, space)
            }
            space => (String::new(), space?),
        };
        if self.spaces.iter().any(|known| known.is(&space)) {
            return Ok(Vec::new());
        }
        let space = space.with_files(&dir, &place);
        if let Some(known) = self.spaces.iter_mut().find(|known| known.is(&space)) {
            // Known by its files alone until now.
            known.inode = known.inode.or(space.inode);
            return Ok(Vec::new());
        }
        let diag = self.diag_of(&space, &dir, &place);
        if let Err(Errno::NOENT | Errno::SRCH) = diag
            && self.root.is_live()
        {
            // It ended meanwhile, and whoever else is in its namespace is asked too.
            return Ok(Vec::new());
        }
        let mut faults = Vec::new();
        if let Err(cause) = &diag
            && self.root.is_live()
        {
            let cause = format!("{cause}; /proc/{pid}/net is read instead, which tells less");
            faults.push(fault(Some(pid), "enter the network namespace", &cause));
        }
        let reader = Reader { diag, process: Some((&dir, &place)), detail: self.detail };
        self.read(space, reader, Some(pid), &mut faults);
        Ok(faults)
    }

    /// A diagnosis socket in a process's namespace.
    fn diag_of(&mut self, space: &Space, dir: &PidDir, place: &str) -> Result<Diag, Errno> {
        if !self.root.is_live() {
            return Err(Errno::NOENT);
        }
        if self.own_space().is_some_and(|own| own.is(space)) {
            return Diag::open();
        }
        let link = dir.open_file(&format!("{place}ns/net"))?;
        socket_inside(link.as_fd()).map(Diag::over)
    }

    fn own_space(&mut self) -> Option<Space> {
        if self.own.is_none() {
            let dir = self.root.pid_dir(Pid(std::process::id())).ok().filter(PidDir::is_own)?;
            // This thread's: others may have left.
            let place = format!("task/{}/", rustix::thread::gettid().as_raw_nonzero());
            self.own = Space::of(&dir, &place).ok().map(|space| space.with_files(&dir, &place));
        }
        self.own
    }

    fn read(
        &mut self,
        space: Space,
        mut reader: Reader<'_>,
        pid: Option<Pid>,
        faults: &mut Vec<Fault>,
    ) {
        self.pairs = OnceLock::new();
        let begin = self.rows.len();
        let missing = reader.read(&mut self.rows);
        faults.extend(missing.into_iter().map(|m| fault(pid, m.operation, &m.cause)));
        let namespace = self.spaces.len() as u32;
        self.spaces.push(space);
        for (index, row) in self.rows.iter_mut().enumerate().skip(begin) {
            row.namespace = namespace;
            if row.inode != 0 {
                self.listed.insert(row.inode, index as u32);
            }
        }
    }

    /// What a descriptor's socket is. If no table that was read lists the inode, the descriptor is asked.
    ///
    /// A socket of a namespace not learnt yet makes that namespace known, where it may be entered. Never waits for
    /// anybody. What cannot be found out is `None` in the answer.
    pub fn socket(&mut self, pid: Pid, fd: FdNumber, inode: u64) -> Socket {
        self.listed(inode).unwrap_or_else(|| self.unlisted(pid, fd, inode))
    }

    /// True if a table lists the inode.
    pub fn is_listed(&self, inode: u64) -> bool {
        self.listed.contains_key(&inode)
    }

    /// The socket of an inode that a table lists.
    pub fn listed(&self, inode: u64) -> Option<Socket> {
        let row = self.rows.get(*self.listed.get(&inode)? as usize)?;
        Some(self.made(row))
    }

    pub(super) fn made(&self, row: &Row) -> Socket {
        row.socket(self.namespace_of(row))
    }

    /// The inode of a row's namespace.
    pub(super) fn namespace_of(&self, row: &Row) -> Option<u64> {
        self.spaces.get(row.namespace as usize).and_then(|space| space.inode)
    }

    fn unlisted(&mut self, pid: Pid, fd: FdNumber, inode: u64) -> Socket {
        let loan = self.lender.borrow(&self.root, pid, fd, inode);
        let described = loan.as_ref().and_then(|loan| Some((loan.describe(inode)?, loan.space())));
        drop(loan);
        let Some((row, space)) = described else { return self.named(pid, fd, inode) };
        let namespace = space.and_then(|space| self.learn_space(space));
        self.listed(inode).unwrap_or_else(|| row.socket(namespace))
    }

    /// Makes the namespaces known that are mounted somewhere, as ip-netns(8) and container engines do it, so that they
    /// live without a process. One that may not be opened or entered is told.
    pub fn learn_mounted(&mut self) -> Vec<Fault> {
        if !self.root.is_live() {
            return Vec::new();
        }
        let mut faults = Vec::new();
        for (inode, path) in mounted(&self.root) {
            let known = Space { inode: Some(inode), files: None };
            if self.spaces.iter().any(|space| space.is(&known)) {
                continue;
            }
            match open_mounted(&path, inode) {
                Ok(Some(space)) => drop(self.learn_space(space)),
                // Unmounted meanwhile, or something else is mounted above it.
                Ok(None) | Err(Errno::NOENT) => {}
                Err(cause) => {
                    let what = fdscope_model::name::escape(path.bytes());
                    let cause = format!("{what}: {cause}; its sockets are not shown");
                    faults.push(fault(None, "enter the network namespace", &cause));
                }
            }
        }
        faults.append(&mut self.faults);
        faults
    }

    /// Makes a network namespace known that a process has a descriptor of: it may live by that alone. One that is gone
    /// by now has nothing to tell; one that may not be opened or entered is told.
    pub fn learn_held(&mut self, pid: Pid, fd: FdNumber, inode: u64) -> Vec<Fault> {
        let known = Space { inode: Some(inode), files: None };
        if !self.root.is_own() || self.spaces.iter().any(|space| space.is(&known)) {
            return Vec::new();
        }
        match self.lender.borrow_space(pid, fd, inode) {
            Ok(None) => {}
            Ok(Some(space)) => drop(self.learn_space(space)),
            Err(cause) => {
                let cause = format!("{cause}; sockets of net:[{inode}] are not shown");
                self.faults.push(fault(Some(pid), "copy a descriptor of the namespace", &cause));
                // Said once.
                self.spaces.push(known);
            }
        }
        self.take_faults()
    }

    /// Makes a namespace known by a descriptor of it, and gives its inode.
    fn learn_space(&mut self, space: OwnedFd) -> Option<u64> {
        let inode = Some(rustix::fs::fstat(&space).ok()?.st_ino);
        let found = Space { inode, files: None };
        if self.spaces.iter().any(|known| known.is(&found)) {
            return inode;
        }
        let diag = match self.own_space() {
            Some(own) if own.is(&found) => Diag::open(),
            _ => socket_inside(space.as_fd()).map(Diag::over),
        };
        let mut faults = Vec::new();
        if let Err(cause) = &diag {
            let cause = format!("{cause}; sockets of net:[{}] are not shown", found.inode?);
            self.faults.push(fault(None, "enter the network namespace", &cause));
            self.spaces.push(found);
            return inode;
        }
        let reader = Reader { diag, process: None, detail: self.detail };
        self.read(found, reader, None, &mut faults);
        self.faults.extend(faults.into_iter().take(1));
        inode
    }

    /// The last resort: the protocol's name, which sockfs gives as an extended attribute.
    fn named(&self, pid: Pid, fd: FdNumber, inode: u64) -> Socket {
        let mut socket = Socket::unknown(inode);
        if let Some(protocol) = self.root.socket_protocol(pid, fd) {
            (socket.family, socket.class) = kind_of_name(protocol.bytes());
            socket.protocol = protocol;
        }
        socket
    }

    /// Every socket that the tables list, those without a descriptor included (their inode is 0).
    pub fn all(&self) -> impl Iterator<Item = Socket> {
        self.rows.iter().map(|row| self.made(row))
    }

    /// What could not be read while single sockets were asked for.
    pub fn take_faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }
}

fn fault(pid: Option<Pid>, operation: &'static str, cause: &str) -> Fault {
    Fault { pid, fd: None, operation, cause: cause.to_owned() }
}

/// What a protocol's name in the kernel says of family and class.
fn kind_of_name(name: &[u8]) -> (Family, SocketClass) {
    use SocketClass::{Datagram, Raw, Stream, Unknown};
    match name {
        b"TCP" | b"MPTCP" => (Family::Inet, Stream),
        b"TCPv6" | b"MPTCPv6" => (Family::Inet6, Stream),
        b"UDP" | b"UDP-Lite" | b"PING" => (Family::Inet, Datagram),
        b"UDPv6" | b"UDPLITEv6" | b"PINGv6" => (Family::Inet6, Datagram),
        b"RAW" => (Family::Inet, Raw),
        b"RAWv6" => (Family::Inet6, Raw),
        b"UNIX-STREAM" => (Family::Unix, Stream),
        b"UNIX" => (Family::Unix, Unknown),
        b"NETLINK" => (Family::Netlink, Unknown),
        b"PACKET" => (Family::Packet, Unknown),
        b"AF_VSOCK" => (Family::Vsock, Unknown),
        _ => (Family::Other(0), Unknown),
    }
}
