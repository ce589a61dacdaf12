//! The interfaces of the caller's network namespace by rtnetlink(7), and changing them.
//!
//! Drivers come from /sys where it shows the same interfaces. Owners of tun devices are found by their descriptors'
//! fdinfo, in every process that may be looked into.

use std::os::fd::AsFd;
use std::path::Path;

use fdscope_model::link::{Link, Offloads, PathMtu, TunOwner};
use fdscope_model::{FdNumber, Pid};
use fdscope_sys::net::ethtool_value;
use rustix::io::Errno;

use super::dump::Diag;
use super::link_message::{
    LinkChange, change_request, parse_address, parse_link, parse_route, route_request,
};
use super::message::DUMP;
use crate::error::ProcError;
use crate::parse::{FdInfoLine, decimal, parse_fdinfo_line};
use crate::root::ProcRoot;

const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
/// AF_INET, AF_INET6.
const FAMILIES: [u8; 2] = [2, 10];
/// Bounds that are kept: a busy server learns of one for each of many clients.
const MOST_PATHS: usize = 1_000;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const ACKNOWLEDGE: u16 = 0x1 | 0x4;
/// A dump that changed under way is begun again so often.
const ATTEMPTS: usize = 5;

/// The interfaces with their addresses, in order of number.
///
/// # Errors
/// If rtnetlink does not answer.
pub fn read_links() -> Result<Vec<Link>, Errno> {
    let mut attempts = 0;
    loop {
        match dump_links() {
            Err(Errno::AGAIN) if attempts < ATTEMPTS => attempts += 1,
            done => return done,
        }
    }
}

fn dump_links() -> Result<Vec<Link>, Errno> {
    let mut links = Vec::new();
    Diag::route(GET_LINK, DUMP, &[0; 16], NEW_LINK, &mut |row| links.extend(parse_link(row)))?;
    let mut address = |row: &[u8]| {
        let Some((index, address)) = parse_address(row) else { return };
        let link = links.iter_mut().find(|link: &&mut Link| link.index == index);
        link.into_iter().for_each(|link| link.addresses.push(address));
    };
    Diag::route(GET_ADDRESS, DUMP, &[0; 8], NEW_ADDRESS, &mut address)?;
    links.sort_by_key(|link| link.index);
    Ok(links)
}

/// Destinations to which packets have a bound of their own: routes that were set up so, and what routers told. At most a
/// thousand.
///
/// # Errors
/// If rtnetlink does not answer.
pub fn read_path_mtus() -> Result<Vec<PathMtu>, Errno> {
    let mut paths: Vec<PathMtu> = Vec::new();
    for (family, learnt) in FAMILIES.iter().flat_map(|family| [(*family, false), (*family, true)]) {
        let request = route_request(family, learnt);
        let mut take = |row: &[u8]| {
            let found = parse_route(row).filter(|path| path.learnt == learnt);
            let found = found.filter(|path| paths.len() < MOST_PATHS && !paths.contains(path));
            paths.extend(found);
        };
        match Diag::route(GET_ROUTE, DUMP, &request, NEW_ROUTE, &mut take) {
            // What changed meanwhile was not for long; a kernel without IPv6 has no routes of it.
            Ok(()) | Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::AFNOSUPPORT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(paths)
}

/// Makes a change, as ip-link(8) `set` does.
///
/// # Errors
/// The kernel's: `PERM` without CAP_NET_ADMIN, `INVAL` for an MTU out of range, `NODEV`.
pub fn change_link(index: u32, change: LinkChange) -> Result<(), Errno> {
    Diag::route(NEW_LINK, ACKNOWLEDGE, &change_request(index, change), NEW_LINK, &mut |_| ())
}

/// `ETHTOOL_G…` (include/uapi/linux/ethtool.h): everybody may ask these.
const RX_CHECKSUM: u32 = 0x14;
const TX_CHECKSUM: u32 = 0x16;
const TSO: u32 = 0x1e;
const GSO: u32 = 0x23;
const FLAGS: u32 = 0x25;
const GRO: u32 = 0x2b;
/// `ETH_FLAG_LRO`, in the answer to `FLAGS`.
const FLAG_LRO: u32 = 1 << 15;

/// Fills in what drivers do to packets, where they tell.
pub fn read_offloads(links: &mut [Link]) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let made = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    let Ok(socket) = made else { return };
    for link in links {
        let ask = |command| ethtool_value(socket.as_fd(), link.name.bytes(), command);
        let is_on = |command| ask(command).is_ok_and(|answer| answer != 0);
        // What one command is refused for, all are.
        let Ok(gso) = ask(GSO) else { continue };
        link.offloads = Some(Offloads {
            tso: is_on(TSO),
            gso: gso != 0,
            gro: is_on(GRO),
            lro: ask(FLAGS).is_ok_and(|flags| flags & FLAG_LRO != 0),
            rx_checksum: is_on(RX_CHECKSUM),
            tx_checksum: is_on(TX_CHECKSUM),
        });
    }
}

impl ProcRoot {
    /// Fills in drivers where /sys shows these interfaces, and not those of another namespace.
    pub fn read_drivers(&self, links: &mut [Link]) {
        for link in links {
            let Ok(name) = std::str::from_utf8(link.name.bytes()) else { continue };
            let folder = Path::new("/sys/class/net").join(name);
            let index = self.read_outside(&folder.join("ifindex")).unwrap_or_default();
            if decimal(index.trim_ascii()) != Some(link.index.into()) {
                continue;
            }
            // A link of sysfs, answered from memory.
            let driver = std::fs::read_link(folder.join("device/driver")).ok();
            let word = driver.as_deref().and_then(Path::file_name);
            link.driver = word.map(|word| word.as_encoded_bytes().into());
        }
    }

    /// Finds who holds the descriptors of tun and tap devices. Answers how many processes could not be looked into.
    ///
    /// # Errors
    /// If /proc cannot be listed.
    pub fn read_tun_owners(&self, links: &mut [Link]) -> Result<u64, ProcError> {
        let is_tun = |link: &Link| link.kind.as_ref().is_some_and(|kind| kind.bytes() == b"tun");
        if !links.iter().any(is_tun) {
            return Ok(0);
        }
        let own = std::fs::read_link("/proc/thread-self/ns/net").ok();
        let mut hidden = 0;
        for pid in self.pids()? {
            match self.tun_descriptors(pid, own.as_deref()) {
                Ok(found) => {
                    for (interface, owner) in found {
                        let named =
                            links.iter_mut().find(|l| is_tun(l) && l.name.bytes() == interface);
                        named.into_iter().for_each(|link| link.owners.push(owner.clone()));
                    }
                }
                Err(error) => hidden += u64::from(error.is_not_permitted()),
            }
        }
        Ok(hidden)
    }

    fn tun_descriptors(
        &self,
        pid: Pid,
        own: Option<&Path>,
    ) -> Result<Vec<(Vec<u8>, TunOwner)>, ProcError> {
        let dir = self.pid_dir(pid)?;
        let mut found = Vec::new();
        for fd in dir.list("fd", "list descriptors")? {
            let link = dir.read_link(&format!("fd/{fd}"), "read link");
            if !link.is_ok_and(|link| link.bytes().ends_with(b"/net/tun")) {
                continue;
            }
            let mut interface = Vec::new();
            let read = dir.read_lines(&format!("fdinfo/{fd}"), "read fdinfo", &mut |line| {
                if let FdInfoLine::Interface(name) = parse_fdinfo_line(line) {
                    interface = name.to_vec();
                }
            });
            if read.is_ok() && !interface.is_empty() {
                let comm = dir.process_stat()?.comm;
                let theirs = dir.read_link("ns/net", "read link ns/net").ok();
                let elsewhere = theirs.is_some_and(|theirs| {
                    own.is_some_and(|own| own.as_os_str().as_encoded_bytes() != theirs.bytes())
                });
                found.push((interface, TunOwner { pid, comm, fd: FdNumber(fd), elsewhere }));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_among_the_links() {
        let links = read_links().expect("rtnetlink answers everybody");
        let loopback = links.iter().find(|link| link.name.bytes() == b"lo").expect("lo");
        assert!(loopback.index > 0 && loopback.mtu > 0);
    }

    #[test]
    fn a_change_of_no_link_is_refused() {
        let change = LinkChange { mtu: Some(1400), up: None };
        let error = change_link(u32::MAX >> 1, change).expect_err("no such link");
        assert!(matches!(error, Errno::NODEV | Errno::PERM | Errno::INVAL), "{error}");
    }
}
