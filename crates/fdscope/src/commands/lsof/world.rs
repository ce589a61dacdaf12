//! The machine's answers to lsof's questions: users, services, hosts, files, mounts.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use fdscope_lsof::{FileIdentity, Listed, MountPoint, NO_ANSWER, Protocol, World};
use fdscope_model::{DeviceId, Pid};
use fdscope_proc::ProcRoot;
use fdscope_proc::parse::{parse_mount, unescape_octal};
use fdscope_sys::{names, zone};
use rustix::fs::{AtFlags, CWD, Statx, StatxFlags, statx};
use rustix::io::Errno;

use super::patience::{asks_others, within_patience};

/// From the words of a row to its inode and what lsof shows of it.
type ParseRow = fn(&[&[u8]]) -> Option<(u64, Listed)>;

/// The tables whose text lsof shows.
const TABLES: &[(&str, ParseRow)] = &[
    ("net/unix", |words| {
        let address = words.first()?.strip_suffix(b":")?;
        Some((number(words.get(6)?)?, Listed::Unix([b"0x", address].concat())))
    }),
    ("net/netlink", |words| {
        let protocol = u32::try_from(number(words.get(1)?)?).ok()?;
        Some((number(words.get(9)?)?, Listed::Netlink(protocol)))
    }),
    ("net/raw", raw_row),
    ("net/raw6", raw_row),
    ("net/icmp", raw_row),
    ("net/icmp6", raw_row),
];

fn raw_row(words: &[&[u8]]) -> Option<(u64, Listed)> {
    let shown = [words.get(1)?.to_vec(), words.get(2)?.to_vec(), words.get(3)?.to_vec()];
    Some((number(words.get(9)?)?, Listed::Raw(shown)))
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// Services by port and protocol, and back.
#[derive(Default)]
struct Services {
    names: HashMap<(u16, bool), Vec<u8>>,
    ports: HashMap<(Vec<u8>, bool), u16>,
}

/// Everything is asked once.
pub struct Machine {
    root: ProcRoot,
    logins: RefCell<HashMap<u32, Option<Vec<u8>>>>,
    hosts: RefCell<HashMap<IpAddr, Option<Vec<u8>>>>,
    services: OnceCell<Services>,
    mounts: OnceCell<Vec<MountPoint>>,
    /// Rows of the kernel's text tables of sockets, by inode.
    listed: RefCell<HashMap<u64, Listed>>,
}

impl Machine {
    pub fn new(root: ProcRoot) -> Self {
        Machine {
            root,
            logins: RefCell::default(),
            hosts: RefCell::default(),
            services: OnceCell::new(),
            mounts: OnceCell::new(),
            listed: RefCell::default(),
        }
    }

    /// Reads the text tables of the network namespace of a process.
    pub fn learn_tables(&self, pid: Pid) {
        let Ok(dir) = self.root.pid_dir(pid) else { return };
        let mut listed = self.listed.borrow_mut();
        for (path, parse) in TABLES {
            // A process that is gone by now has no sockets, and not every kernel has every table.
            let _missing = dir.read_lines(path, "read sockets", &mut |line| {
                let words: Vec<&[u8]> =
                    line.split(|&b| b == b' ').filter(|word| !word.is_empty()).collect();
                listed.extend(parse(&words));
            });
        }
    }

    /// Asks a file system, with patience if any that is mounted may have to ask somebody else.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        if !self.mounts().iter().any(|mount| asks_others(&mount.kind)) {
            return question();
        }
        within_patience(question).unwrap_or_else(|| Err(NO_ANSWER.to_owned()))
    }

    fn services(&self) -> &Services {
        self.services.get_or_init(|| {
            let text = self.root.read_outside(Path::new("/etc/services")).unwrap_or_default();
            let mut services = Services::default();
            text.split(|&b| b == b'\n').for_each(|line| services.add(line));
            services
        })
    }
}

impl Services {
    /// A line of services(5): `http 80/tcp www # comment`. The first of a port or name is the one.
    fn add(&mut self, line: &[u8]) {
        let line = line.split(|&b| b == b'#').next().unwrap_or_default();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (Some(name), Some(port)) = (words.next(), words.next()) else { return };
        let is_udp = port.ends_with(b"/udp");
        let digits = port.strip_suffix(b"/udp").or_else(|| port.strip_suffix(b"/tcp"));
        let port = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u16>().ok());
        let Some(port) = port else { return };
        self.names.entry((port, is_udp)).or_insert_with(|| name.to_vec());
        for name in std::iter::once(name).chain(words) {
            self.ports.entry((name.to_vec(), is_udp)).or_insert(port);
        }
    }
}

/// The kernel's words for a failure, as strerror(3) spells them.
fn words(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn identity(path: &[u8], flags: AtFlags) -> Result<FileIdentity, String> {
    let flags = flags | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    let found: Statx = statx(CWD, path, flags, StatxFlags::BASIC_STATS).map_err(words)?;
    Ok(FileIdentity {
        device: DeviceId::new(found.stx_dev_major, found.stx_dev_minor),
        inode: found.stx_ino,
        mode: u32::from(found.stx_mode),
        node: DeviceId::new(found.stx_rdev_major, found.stx_rdev_minor),
    })
}

fn io_words(error: &std::io::Error) -> String {
    Errno::from_io_error(error).map_or_else(|| error.to_string(), words)
}

impl World for Machine {
    fn user(&self, login: &[u8]) -> Option<u32> {
        names::user(login)
    }

    fn login(&self, user: u32) -> Option<Vec<u8>> {
        self.logins.borrow_mut().entry(user).or_insert_with(|| names::login(user)).clone()
    }

    fn port(&self, service: &[u8], protocol: Protocol) -> Option<u16> {
        let is_udp = match protocol {
            Protocol::Tcp => false,
            Protocol::Udp => true,
            Protocol::UdpLite => return None,
        };
        self.services().ports.get(&(service.to_vec(), is_udp)).copied()
    }

    fn service(&self, port: u16, protocol: Protocol) -> Option<Vec<u8>> {
        let is_udp = match protocol {
            Protocol::Tcp => false,
            Protocol::Udp => true,
            Protocol::UdpLite => return None,
        };
        self.services().names.get(&(port, is_udp)).cloned()
    }

    fn addresses(&self, host: &[u8]) -> Vec<IpAddr> {
        let Ok(host) = std::str::from_utf8(host) else { return Vec::new() };
        let Ok(found) = (host, 0).to_socket_addrs() else { return Vec::new() };
        let mut found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        found.sort_by_key(IpAddr::is_ipv4);
        found
    }

    fn host(&self, address: IpAddr) -> Option<Vec<u8>> {
        self.hosts.borrow_mut().entry(address).or_insert_with(|| names::host(address)).clone()
    }

    fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, String> {
        let path = path.to_vec();
        self.ask(move || {
            let resolved = std::fs::canonicalize(OsStr::from_bytes(&path));
            resolved.map(|path| path.into_os_string().into_vec()).map_err(|error| io_words(&error))
        })
    }

    fn stat(&self, path: &[u8]) -> Result<FileIdentity, String> {
        let path = path.to_vec();
        self.ask(move || identity(&path, AtFlags::empty()))
    }

    fn lstat(&self, path: &[u8]) -> Result<FileIdentity, String> {
        let path = path.to_vec();
        self.ask(move || identity(&path, AtFlags::SYMLINK_NOFOLLOW))
    }

    fn list(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let path = path.to_vec();
        self.ask(move || {
            let entries = std::fs::read_dir(OsStr::from_bytes(&path));
            let entries = entries.map_err(|error| io_words(&error))?;
            Ok(entries.filter_map(|entry| Some(entry.ok()?.file_name().into_vec())).collect())
        })
    }

    fn mounts(&self) -> Vec<MountPoint> {
        let read = || {
            let text = self.root.read("self/mountinfo").unwrap_or_default();
            seen(text.split(|&b| b == b'\n').filter_map(mount_point).collect())
        };
        self.mounts.get_or_init(read).clone()
    }

    fn listed(&self, inode: u64) -> Option<Listed> {
        self.listed.borrow().get(&inode).cloned()
    }

    fn time(&self, format: &[u8]) -> Option<Vec<u8>> {
        zone::local_time(format)
    }
}

/// The mounts that paths lead to: of several in one directory the last, at the place of the first.
fn seen(mounts: Vec<MountPoint>) -> Vec<MountPoint> {
    let mut seen: Vec<MountPoint> = Vec::with_capacity(mounts.len());
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    for mount in mounts {
        match places.get(&mount.directory) {
            Some(&place) => seen[place] = mount,
            None => {
                places.insert(mount.directory.clone(), seen.len());
                seen.push(mount);
            }
        }
    }
    seen
}

/// A line of mountinfo.
fn mount_point(line: &[u8]) -> Option<MountPoint> {
    let mount = parse_mount(line)?;
    let mut fields = line.split(|&b| b == b' ').skip_while(|field| *field != b"-");
    let source = unescape_octal(fields.nth(2)?);
    Some(MountPoint {
        device: mount.device,
        directory: mount.point.bytes().to_vec(),
        source: source.bytes().to_vec(),
        kind: mount.kind.bytes().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_hides_those_below_it() {
        let mount = |minor, directory: &[u8]| MountPoint {
            device: DeviceId::new(0, minor),
            directory: directory.into(),
            ..MountPoint::default()
        };
        let seen = seen(vec![mount(1, b"/a"), mount(2, b"/b"), mount(3, b"/a")]);
        assert_eq!(seen, [mount(3, b"/a"), mount(2, b"/b")]);
    }

    #[test]
    fn services_are_known_both_ways() {
        let mut services = Services::default();
        services.add(b"http\t\t80/tcp\t\twww\t# WorldWideWeb HTTP");
        services.add(b"domain 53/udp");
        services.add(b"# nothing 1/tcp");
        services.add(b"odd 7/sctp");
        assert_eq!(services.names.get(&(80, false)).map(Vec::as_slice), Some(&b"http"[..]));
        assert_eq!(services.ports.get(&(b"www".to_vec(), false)), Some(&80));
        assert_eq!(services.ports.get(&(b"domain".to_vec(), true)), Some(&53));
        assert_eq!(services.names.len(), 2);
    }

    #[test]
    fn a_mount_has_a_source() {
        let line = b"36 35 0:51 / /mnt/a\\040b rw - nfs4 server:/export rw,addr=1.2.3.4";
        let mount = mount_point(line).expect("a mount");
        assert_eq!(mount.directory, b"/mnt/a b");
        assert_eq!(mount.source, b"server:/export");
        assert!(mount.is_nfs());
    }
}
