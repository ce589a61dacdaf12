//! What the targets of `ls` mean: processes to read, and places that rows must be at.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use anyhow::Result;
use fdscope_model::socket::Address;
use fdscope_model::{DeviceId, InodeId, Name, Pid, Socket};
use fdscope_proc::ProcRoot;
use fdscope_render::column::Needs;
use fdscope_render::handles::{HandleRow, needs};

use crate::args::Ls;
use crate::ending::{Ending, Failure};
use crate::mounts::{Mounts, absolute, bytes, is_below};
use crate::past::Past;
use crate::target;

/// What was selected.
pub struct Selection {
    /// The processes to read.
    pub pids: Vec<Pid>,
    /// The targets that name processes, as typed.
    named: Vec<String>,
    places: Vec<Place>,
}

/// Where a row must be.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    /// A file: of this name, or this inode where that could be asked for.
    File(Vec<u8>, Option<InodeId>),
    /// Anything in this directory or below.
    Below(Vec<u8>),
    /// Anything of the file system mounted there.
    Mount(Vec<u8>, DeviceId),
    /// A socket with this port at either end.
    Port(u16),
    /// A socket with one of these addresses at either end.
    Ends(Vec<SocketAddr>),
}

impl Selection {
    /// Understands the targets.
    ///
    /// # Errors
    /// With the exit code for it, if a target names nothing.
    pub fn of(proc: &ProcRoot, ls: &Ls) -> Result<Self> {
        let (mut named, mut places) = (Vec::new(), Vec::new());
        let mounts = Mounts::Now;
        for text in &ls.targets {
            match place(&mounts, text)? {
                Some(place) => places.push(place),
                None => named.push(text.clone()),
            }
        }
        places.extend(ls.below.iter().map(|folder| Place::Below(bytes(&absolute(folder)))));
        places.extend(ls.mounts.iter().filter_map(|path| above(&mounts, path)));
        let pids = match named.as_slice() {
            [] => others(proc)?,
            named => target::find(proc, named)?.iter().map(|process| process.id.pid).collect(),
        };
        Ok(Selection { pids, named, places })
    }

    /// The same of a recording: nothing is asked of this machine's file systems.
    ///
    /// # Errors
    /// If a target names nothing in it.
    pub fn in_past(past: &Past, targets: &[String], below: &[PathBuf]) -> Result<Self> {
        let (mut named, mut places) = (Vec::new(), Vec::new());
        for text in targets {
            match place(&Mounts::none(), text)? {
                Some(Place::File(..)) => {
                    places.push(Place::File(bytes(&absolute(Path::new(text))), None))
                }
                Some(place) => places.push(place),
                None => named.push(text.clone()),
            }
        }
        places.extend(below.iter().map(|folder| Place::Below(bytes(&absolute(folder)))));
        Ok(Selection { pids: past.find(&named)?, named, places })
    }

    /// The process target, if there is one only.
    pub fn named(&self) -> Option<&str> {
        match self.named.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// True if processes were asked for by number or name.
    pub fn is_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// What has to be read to ask whether a row is at a place.
    pub fn needs(&self) -> Needs {
        self.places.iter().fold(Needs::NONE, |needs, place| {
            needs.and(match place {
                Place::File(_, None) | Place::Below(_) => Needs::NONE,
                Place::File(_, Some(_)) => needs::STATUS,
                // The status of a file on a dead mount is not told, but fdinfo has its mount.
                Place::Mount(..) => needs::STATUS.and(needs::FDINFO),
                Place::Port(_) | Place::Ends(_) => needs::SOCKETS,
            })
        })
    }

    /// True if a file is looked for, which may be held by other ways than descriptors.
    pub fn looks_everywhere(&self) -> bool {
        let is_file = |place: &Place| !matches!(place, Place::Port(_) | Place::Ends(_));
        self.places.iter().any(is_file)
    }

    /// True if only sockets are looked for, by their ends.
    pub fn is_of_sockets(&self) -> bool {
        !self.places.is_empty() && !self.looks_everywhere()
    }

    /// True if a socket has one of the ends that are looked for.
    pub fn matches_socket(&self, socket: &Socket) -> bool {
        self.places.iter().any(|place| place.has_end(socket))
    }

    /// True if a row is at one of the places, or none was asked for.
    pub fn matches(&self, row: &HandleRow) -> bool {
        self.places.is_empty() || self.places.iter().any(|place| place.has(row))
    }
}

impl Place {
    fn has(&self, row: &HandleRow) -> bool {
        let name = row.entry.handle.name.bytes();
        match self {
            Place::File(path, id) => {
                let same = |own: InodeId| inodes(row).any(|found| found == own);
                name == path || id.is_some_and(same)
            }
            Place::Below(folder) => is_below(name, folder),
            Place::Mount(_, device) => inodes(row).any(|found| found.device == *device),
            Place::Port(_) | Place::Ends(_) => {
                row.socket().is_some_and(|socket| self.has_end(socket))
            }
        }
    }

    fn has_end(&self, socket: &Socket) -> bool {
        match self {
            Place::Port(port) => ends(socket).any(|end| end.port() == *port),
            Place::Ends(wanted) => ends(socket).any(|end| {
                let same = |own: &SocketAddr| {
                    own.port() == end.port() && own.ip().to_canonical() == end.ip().to_canonical()
                };
                wanted.iter().any(same)
            }),
            _ => false,
        }
    }
}

/// The inode by the status and by fdinfo, whose devices differ on btrfs.
fn inodes(row: &HandleRow) -> impl Iterator<Item = InodeId> {
    let status = row.entry.status.as_ref().map(|status| status.inode);
    row.entry.handle.inode.into_iter().chain(status)
}

fn ends(socket: &Socket) -> impl Iterator<Item = SocketAddr> {
    let addresses = [&socket.local, &socket.peer].into_iter();
    addresses.flatten().filter_map(|address| match address {
        Address::Inet(address) => Some(*address),
        _ => None,
    })
}

/// Every process but this one.
fn others(proc: &ProcRoot) -> Result<Vec<Pid>> {
    let own = proc.is_own().then_some(Pid(std::process::id()));
    let mut pids = proc.pids()?;
    pids.retain(|pid| Some(*pid) != own);
    Ok(pids)
}

/// The place that a target names; `None` for a process.
fn place(mounts: &Mounts, text: &str) -> Result<Option<Place>, Failure> {
    if text.contains('/') || text == "." || text == ".." {
        return Ok(Some(file(mounts, Path::new(text))));
    }
    let Some((host, port)) = text.rsplit_once(':') else { return Ok(None) };
    let Ok(port) = port.parse::<u16>() else { return Ok(None) };
    if host.is_empty() || host == "*" {
        return Ok(Some(Place::Port(port)));
    }
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(Some(Place::Ends(vec![SocketAddr::new(ip, port)])));
    }
    let found = (host, port).to_socket_addrs().map_err(|error| {
        let host = Name::from(host);
        Failure::new(Ending::Failed, format!("failed to find the address of {host}: {error}"))
            .cure("give the address itself, or only the port: :8080")
    })?;
    Ok(Some(Place::Ends(found.collect())))
}

/// A path as a place: a mount if it is where one is, else a file. Nothing is asked of a file system that may wait.
fn file(mounts: &Mounts, typed: &Path) -> Place {
    let path = absolute(typed);
    if let Some(place) = mounted(mounts, &path) {
        return place;
    }
    if mounts.may_wait(&path) {
        return Place::File(bytes(&path), None);
    }
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    if let Some(place) = mounted(mounts, &path) {
        return place;
    }
    let id = Some(()).filter(|()| !mounts.may_wait(&path)).and_then(|()| inode_of(&path));
    Place::File(bytes(&path), id)
}

/// The file system that a path is on.
fn above(mounts: &Mounts, typed: &Path) -> Option<Place> {
    let path = absolute(typed);
    // Links lead elsewhere; a server that may not answer is not asked for them.
    let resolved = match mounts.may_wait(&path) {
        true => path,
        false => std::fs::canonicalize(&path).unwrap_or(path),
    };
    let found = mounts.nearest(&bytes(&resolved))?;
    Some(Place::Mount(found.point.bytes().to_vec(), found.device))
}

/// The file system mounted there, if one is.
fn mounted(mounts: &Mounts, path: &Path) -> Option<Place> {
    let path = bytes(path);
    // Everything is below the root: who names it means the directory.
    let found = mounts.at(&path).filter(|_| path != b"/")?;
    Some(Place::Mount(path, found.device))
}

fn inode_of(path: &Path) -> Option<InodeId> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).ok()?;
    let device = found.dev();
    let device = DeviceId::new(rustix::fs::major(device), rustix::fs::minor(device));
    Some(InodeId { device, inode: found.ino() })
}

#[cfg(test)]
mod tests {
    use fdscope_proc::parse::parse_mountinfo;

    use super::*;

    #[test]
    fn targets_are_told_by_their_looks() {
        let check = |text: &str, expected: Option<Place>| {
            assert_eq!(place(&Mounts::none(), text).expect("a target"), expected, "{text}");
        };
        check("4123", None);
        check("nginx", None);
        check("postgres: writer", None);
        check(":8080", Some(Place::Port(8_080)));
        check("*:8080", Some(Place::Port(8_080)));
        check(":99999", None);
        let end = |text: &str| Place::Ends(vec![text.parse().expect("an address")]);
        check("10.0.0.7:443", Some(end("10.0.0.7:443")));
        check("[::1]:443", Some(end("[::1]:443")));
        check("/no/such/file", Some(Place::File(b"/no/such/file".to_vec(), None)));
    }

    #[test]
    fn a_mount_point_is_a_mount_and_a_server_is_not_asked() {
        let mut mounts = Vec::new();
        let lines = b"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:9 / /mnt rw - fuse.sshfs x rw\n";
        parse_mountinfo(lines, |mount| mounts.push(mount));
        let mounts = Mounts::Given(mounts);
        let check = |path: &str, expected| assert_eq!(file(&mounts, Path::new(path)), expected);
        check("/mnt", Place::Mount(b"/mnt".to_vec(), DeviceId::new(0, 9)));
        check("/mnt/./x/../y", Place::File(b"/mnt/y".to_vec(), None));
        assert!(matches!(file(&mounts, Path::new("/")), Place::File(..)));
        let above = |path: &str| above(&mounts, Path::new(path));
        assert_eq!(above("/mnt/x/y"), Some(Place::Mount(b"/mnt".to_vec(), DeviceId::new(0, 9))));
        assert_eq!(above("/mntx"), Some(Place::Mount(b"/".to_vec(), DeviceId::new(8, 1))));
    }

    #[test]
    fn a_tree_holds_its_folder_and_all_below() {
        let check = |name: &[u8], folder: &[u8], expected| {
            assert_eq!(is_below(name, folder), expected);
        };
        check(b"/a/b", b"/a", true);
        check(b"/a", b"/a", true);
        check(b"/ab", b"/a", false);
        check(b"/a/b", b"/", true);
        check(b"socket:[1]", b"/", false);
    }
}
