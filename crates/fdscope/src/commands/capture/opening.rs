//! What stands before the first packet: the ring, the privileges given up, the words about both.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use anyhow::{Result, anyhow};
use fdscope_model::Name;
use fdscope_packet::link::LinkType;
use fdscope_packet::print::{Dump, MOST_BYTES};
use fdscope_sys::packet_ring::{Layer, PacketRing};
use fdscope_sys::privileges;
use rustix::io::Errno;

use super::devices::Device;
use super::options::{Guise, Options};
use super::{link_words, say};

/// Bytes kept of a packet by `fdscope capture`: all headers that are dissected, and DNS.
const HEADERS: u32 = 256;
/// The ring, if `-B` does not say. tcpdump's 2 MiB lose packets that 32 MiB do not.
const RING_KIB: u64 = 32 * 1024;
const BLOCK: u32 = 1 << 20;

/// The interface, and how its packets are to begin.
///
/// # Errors
/// If there is none, or its packets cannot begin so.
pub fn device(options: &Options) -> Result<Device> {
    let device = Device::find(options.interface.as_deref())?;
    let Some(link) = options.link.filter(|link| *link != device.link) else { return Ok(device) };
    anyhow::ensure!(
        link == LinkType::LINUX_SLL2,
        "{} is not one of the DLTs supported by this device",
        link.name().map_or_else(|| link.dlt().to_string(), |(name, _)| name.to_owned())
    );
    Ok(Device { link, layer: Layer::Network, ..device })
}

/// How much is kept: what was asked for, else all for tcpdump and who wants to see bytes, else the headers.
pub fn snap_length(options: &Options, guise: Guise) -> u32 {
    let shows_bytes = options.dump().0 != Dump::Nothing;
    match options.snap_length {
        Some(0) => MOST_BYTES,
        Some(length) => length,
        None if guise == Guise::Tcpdump || shows_bytes => MOST_BYTES,
        None => HEADERS,
    }
}

/// A ring that hears nothing yet.
///
/// # Errors
/// If it may not be had, or there is no memory for it.
pub fn open_ring(options: &Options, device: &Device, timeout_ms: u32) -> Result<PacketRing> {
    let kib = options.buffer_kib.unwrap_or(RING_KIB);
    let blocks = u32::try_from((kib * 1024).div_ceil(BLOCK.into())).unwrap_or(u32::MAX).max(2);
    PacketRing::new(device.layer, BLOCK, blocks, timeout_ms)
        .map_err(|error| opening(&device.name, &error))
}

/// Why an interface cannot be listened to.
pub fn opening(name: &Name, error: &io::Error) -> anyhow::Error {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::PERM | Errno::ACCESS) => anyhow!(
            "{name}: You don't have permission to perform this capture on that device\n(socket: Operation not permitted)\n  \
             run it with sudo, or give the program what it needs: setcap cap_net_raw,cap_sys_ptrace+ep FDSCOPE; \
             -r reads files without either"
        ),
        Some(Errno::NETDOWN) => anyhow!("{name}: That device is not up"),
        Some(Errno::NOMEM) => anyhow!("{name}: no memory for the ring; a smaller one is -B 4096"),
        _ => anyhow!("{name}: {error}"),
    }
}

/// Becomes the user of `-Z`, all being open.
///
/// # Errors
/// If there is no such user.
pub fn drop_privileges(user: &OsStr) -> Result<()> {
    // Root keeps them, as with Debian's tcpdump.
    if user == "root" {
        return Ok(());
    }
    let name = Name::from(user.as_bytes());
    let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
    let found = passwd.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        if fields.next() != Some(user.as_bytes()) {
            return None;
        }
        let number = |field: Option<&[u8]>| std::str::from_utf8(field?).ok()?.parse().ok();
        Some((number(fields.nth(1))?, number(fields.next())?))
    });
    let (uid, gid) = found.ok_or_else(|| anyhow!("Couldn't find user '{name}'"))?;
    privileges::become_user(uid, gid)
        .map_err(|error| anyhow!("Couldn't change to '{name}' uid={uid} gid={gid}: {error}"))?;
    say(&format!("dropped privs to {name}"));
    Ok(())
}

/// Says what is listened to.
pub fn announce(options: &Options, guise: Guise, device: &Device, snap_length: u32) {
    let program = guise.program();
    if device.link == LinkType::LINUX_SLL2 {
        say(&format!("{program}: data link type LINUX_SLL2"));
    }
    let begin = if options.verbose == 0 && options.write.is_none() {
        say(&format!(
            "{program}: verbose output suppressed, use -v[v]... for full protocol decode"
        ));
        String::new()
    } else {
        format!("{program}: ")
    };
    let link = link_words(device.link);
    let whole = if snap_length < MOST_BYTES && options.snap_length.is_none() {
        " (headers; -s 0 keeps all)"
    } else {
        ""
    };
    say(&format!(
        "{begin}listening on {}, link-type {link}, snapshot length {snap_length} bytes{whole}",
        device.name
    ));
}
