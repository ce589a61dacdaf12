//! Who else holds what: every process's pipes, fifos, eventfds, terminals and sockets, by what they have in common.

use std::collections::HashMap;

use fdscope_model::inventory::End;
use fdscope_model::kind::classify;
use fdscope_model::{
    Access, Association, Facts, Fault, FdNumber, HandleKind, InodeId, Inventory, Pid, ProcessId,
};

use super::parallel::in_order;
use super::process::{Reader, Trust, access_of_link};
use crate::descriptors::Detail;
use crate::net::{Holders, SocketBook};
use crate::parse::{FdInfoLine, Link, parse_fdinfo_line, parse_link};
use crate::table::{OpenTable, needs_type};

/// Ends that one row names at most: a pipe that a thousand processes inherited would be a million.
const MOST_ENDS: usize = 64;

const S_IFMT: u32 = 0o170_000;
const S_IFIFO: u32 = 0o010_000;

/// What handles with a common end have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Thing {
    Pipe(u64),
    Fifo(InodeId),
    EventFd(u64),
    Master(u32),
    Slave(u32),
    Socket(u64),
}

/// Everybody who holds something that has another end.
#[derive(Debug, Default)]
pub(super) struct Index {
    things: HashMap<Thing, Vec<End>>,
    sockets: Holders,
}

impl Index {
    /// Looks at every descriptor of every process that may be read.
    pub fn read(reader: &Reader) -> Self {
        let mut index = Index::default();
        let pids = reader.root.pids().unwrap_or_default();
        let make = || {
            let mut reader = reader.again();
            move |pid| held_by(&mut reader, pid)
        };
        in_order(&pids, make, Vec::len, &mut |_, held| {
            for (thing, end) in held {
                match thing {
                    Thing::Socket(inode) => index.sockets.insert(inode, end),
                    thing => index.things.entry(thing).or_default().push(end),
                }
            }
        });
        index
    }

    /// Adds the ends of every row of an inventory.
    pub fn complete(&self, inventory: &mut Inventory, book: Option<&SocketBook>) {
        let owner = inventory.process.id.pid;
        let mut cut = false;
        for entry in &mut inventory.entries {
            let Association::Fd(fd) = entry.handle.via else { continue };
            let inode = entry.handle.inode;
            let name = entry.handle.name.bytes();
            let (thing, ends) = match &mut entry.facts {
                Facts::Socket(socket) => {
                    if let Some(book) = book {
                        book.find_ends(socket, &self.sockets);
                    }
                    continue;
                }
                Facts::Pipe { ends } => match parse_link(name) {
                    Link::Pipe(inode) => (Some(Thing::Pipe(inode)), ends),
                    _ => (inode.map(Thing::Fifo), ends),
                },
                Facts::EventFd { id, ends, .. } => (id.map(Thing::EventFd), ends),
                Facts::Terminal { index: Some(index), ends } => (Some(Thing::Slave(*index)), ends),
                Facts::Terminal { index: None, ends } => (number_of(name).map(Thing::Master), ends),
                _ => continue,
            };
            let Some(held) = thing.and_then(|thing| self.things.get(&thing)) else { continue };
            let others = held.iter().filter(|end| (end.pid, end.fd) != (owner, fd));
            ends.extend(others.take(MOST_ENDS).cloned());
            cut |= held.len() > MOST_ENDS + 1;
        }
        if cut {
            let cause = format!("more than {MOST_ENDS} hold the same; the first are named");
            let operation = "name every other end";
            inventory.faults.push(Fault { pid: Some(owner), fd: None, operation, cause });
        }
    }
}

/// The number of a pseudo-terminal's slave side, by its path.
fn number_of(name: &[u8]) -> Option<u32> {
    let number = crate::parse::decimal(name.strip_prefix(b"/dev/pts/")?)?;
    number.try_into().ok()
}

/// What one process holds that may have another end. Nothing of a process that is gone or may not be read.
fn held_by(reader: &mut Reader, pid: Pid) -> Vec<(Thing, End)> {
    let mut held = Vec::new();
    let Ok(dir) = reader.root.pid_dir(pid) else { return held };
    let Ok(stat) = dir.process_stat() else { return held };
    let Ok(place) = dir.living_place_of(&stat) else { return held };
    let owner = ProcessId { pid, start_ticks: stat.start_ticks };
    let mounts = reader.mounts.clone();
    let opened = OpenTable::of(&reader.root, dir, owner, &place, Detail::Full, mounts);
    let Ok(mut table) = opened else { return held };
    for fd in table.numbers().unwrap_or_default() {
        if let Some((thing, access)) = thing_of(reader, &mut table, fd) {
            held.push((thing, End { pid, comm: stat.comm.clone(), fd, access }));
        }
    }
    held
}

fn thing_of(
    reader: &Reader,
    table: &mut OpenTable,
    fd: FdNumber,
) -> Option<(Thing, Option<Access>)> {
    let text = table.link(fd).ok()?;
    let both = Some(Access::Both);
    match (parse_link(text), classify(0, text)) {
        (Link::Socket(inode), _) => Some((Thing::Socket(inode), both)),
        (Link::Pipe(inode), _) => Some((Thing::Pipe(inode), access_of(table, fd))),
        (_, HandleKind::EventFd) => Some((Thing::EventFd(table.info(fd).ok()?.event_id?), both)),
        (_, HandleKind::Terminal) => match number_of(text) {
            Some(number) => Some((Thing::Slave(number), access_of(table, fd))),
            None if text.ends_with(b"/ptmx") => Some((Thing::Master(master(table, fd)?), both)),
            None => None,
        },
        (Link::Path { .. }, _) if needs_type(text) && reader.trust == Trust::Every => {
            let found = table.ask(fd)?;
            let is_fifo = u32::from(found.stx_mode) & S_IFMT == S_IFIFO;
            let device = crate::table::device_of(found);
            let thing = Thing::Fifo(InodeId { device, inode: found.stx_ino });
            is_fifo.then(|| (thing, access_of(table, fd)))
        }
        _ => None,
    }
}

fn access_of(table: &OpenTable, fd: FdNumber) -> Option<Access> {
    table.link_mode(fd).ok().map(access_of_link)
}

fn master(table: &mut OpenTable, fd: FdNumber) -> Option<u32> {
    let mut number = None;
    let take = &mut |line: &[u8]| {
        if let FdInfoLine::TerminalIndex(index) = parse_fdinfo_line(line) {
            number = Some(index);
        }
    };
    table.info_lines(fd, take).ok()?;
    number
}
