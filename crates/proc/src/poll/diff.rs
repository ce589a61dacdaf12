//! The difference between two looks at one table, as births and deaths.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use fdscope_model::event::Slot;
use fdscope_model::handle::O_CLOEXEC;
use fdscope_model::{
    Acquire, AcquireCause, Body, Event, FdNumber, Handle, HandleKey, Monotonic, Release,
    ReleaseCause, Tid, Trace,
};
use fdscope_sys::clock::monotonic_now;
use rustix::io::Errno;

use super::target::Target;
use crate::descriptors::DescriptorSource;
use crate::error::ProcError;
use crate::parse::{Endpoint, Link, parse_link};
use crate::root::ProcRoot;
use crate::table::OpenTable;

/// What stood in a slot: 16 bytes, for tables of many thousands.
#[derive(Clone, Copy, Debug)]
struct Print {
    /// A hash of the link's text. Sockets and pipes have their inode in it, files their path.
    link: u64,
    cloexec: Option<bool>,
}

/// What a table held at the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    slots: BTreeMap<FdNumber, Print>,
    /// True once it was looked at, or copied from a table that was.
    seen: bool,
}

impl Known {
    /// Forgets what exec closed.
    pub fn sweep(&mut self) {
        self.slots.retain(|_, print| print.cloexec != Some(true));
    }
}

/// Looks at a target's table and tells what changed: deaths first, since their numbers may have been taken again.
pub(super) fn look(
    root: &ProcRoot,
    source: &mut DescriptorSource,
    target: &Target,
    known: &mut Known,
    sink: &mut dyn FnMut(&Event<'_>),
) -> Result<(), ProcError> {
    let mut table = source.open_table(target.id.pid)?;
    let cause = if known.seen { AcquireCause::Found } else { AcquireCause::Existing };
    let (gone, new) = compare(&mut table, known)?;
    let mut births = Vec::with_capacity(new.len());
    births.extend(new.into_iter().filter_map(|fd| Birth::read(source, &mut table, fd)));
    name_sockets(root, target, &mut births);
    known.seen = true;

    let teller = Teller { target, at: monotonic_now() };
    for fd in gone {
        known.slots.remove(&fd);
        teller.release(fd, sink);
    }
    for birth in births {
        known.slots.insert(birth.fd, birth.print);
        teller.acquire(birth, cause, sink);
    }
    Ok(())
}

/// A descriptor that was not there at the last look.
#[derive(Debug)]
struct Birth {
    fd: FdNumber,
    handle: Handle,
    print: Print,
}

impl Birth {
    fn read(source: &mut DescriptorSource, table: &mut OpenTable, fd: FdNumber) -> Option<Self> {
        let handle = source.read_one(table, fd)?;
        let cloexec = handle.flags.map(|flags| flags & O_CLOEXEC != 0);
        let print = Print { link: hash(handle.name.bytes()), cloexec };
        Some(Birth { fd, handle, print })
    }

    fn socket_inode(&self) -> Option<u64> {
        match parse_link(self.handle.name.bytes()) {
            Link::Socket(inode) => Some(inode),
            _ => None,
        }
    }
}

/// The numbers that went or hold something else, and those that are new or hold something else.
fn compare(
    table: &mut OpenTable,
    known: &Known,
) -> Result<(Vec<FdNumber>, Vec<FdNumber>), ProcError> {
    let numbers = table.numbers()?;
    let mut now = BTreeSet::new();
    let mut changed = Vec::new();
    let mut new = Vec::new();
    for fd in numbers {
        let link = match table.link(fd) {
            Ok(text) => Some(hash(text)),
            Err(Errno::NOENT) => continue,
            Err(_) => None,
        };
        now.insert(fd);
        match (known.slots.get(&fd), link) {
            (Some(_), None) => {}
            (Some(print), Some(link)) if print.link == link => {}
            (Some(_), Some(_)) => {
                changed.push(fd);
                new.push(fd);
            }
            (None, _) => new.push(fd),
        }
    }
    let mut gone: Vec<FdNumber> =
        known.slots.keys().filter(|fd| !now.contains(fd)).copied().collect();
    gone.extend(changed);
    Ok((gone, new))
}

/// Puts what is at its ends in place of a socket's link, which says nothing.
fn name_sockets(root: &ProcRoot, target: &Target, births: &mut [Birth]) {
    let wanted: BTreeSet<u64> = births.iter().filter_map(Birth::socket_inode).collect();
    if wanted.is_empty() {
        return;
    }
    let pid = target.id.pid;
    let found = root.endpoints(pid, &wanted).unwrap_or_default();
    for birth in births {
        let Some(inode) = birth.socket_inode() else { continue };
        let name = found.get(&inode).map(Endpoint::name);
        let name = name.or_else(|| root.unlisted_socket(pid, birth.fd));
        if let Some(name) = name {
            birth.handle.name = name;
        }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Tells what became of descriptors of one table at one moment.
struct Teller<'a> {
    target: &'a Target,
    at: Monotonic,
}

impl Teller<'_> {
    fn key(&self, fd: FdNumber) -> HandleKey {
        HandleKey::Descriptor(self.target.table, fd)
    }

    fn tell(&self, body: Body<'_>, sink: &mut dyn FnMut(&Event<'_>)) {
        sink(&Event { at: self.at, pid: self.target.id.pid, tid: Tid(0), body });
    }

    fn release(&self, fd: FdNumber, sink: &mut dyn FnMut(&Event<'_>)) {
        let (key, cause) = (self.key(fd), ReleaseCause::Vanished);
        let release = Release { key, cause, slot: Slot::NotRead, trace: Trace::None };
        self.tell(Body::Release(release), sink);
    }

    fn acquire(&self, birth: Birth, cause: AcquireCause, sink: &mut dyn FnMut(&Event<'_>)) {
        let Birth { fd, handle, print } = birth;
        let acquire = Acquire {
            key: self.key(fd),
            kind: handle.kind,
            file: None,
            inode: handle.inode,
            cloexec: print.cloexec,
            cause,
            name: Some(handle.name).filter(|name| !name.is_empty()),
            trace: Trace::None,
        };
        self.tell(Body::Acquire(acquire), sink);
    }
}
