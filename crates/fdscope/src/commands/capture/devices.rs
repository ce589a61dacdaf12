//! Interfaces that can be listened to: by name or number, how their packets begin, and the list of `-D`.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use anyhow::{Result, anyhow};
use fdscope_model::Name;
use fdscope_model::link::Link;
use fdscope_packet::link::LinkType;
use fdscope_proc::net::links;
use fdscope_sys::net;
use fdscope_sys::packet_ring::Layer;
use rustix::fd::AsFd;
use rustix::net::{AddressFamily, SocketType};

/// `ARPHRD_…` of Ethernet and of the loopback, whose packets begin with Ethernet headers.
const ETHERNET: u16 = 1;
/// The loopback's.
pub const LOOPBACK: u16 = 772;
/// Those without a link header: tunnels, tun, raw IP.
const BARE: [u16; 6] = [65534, 768, 769, 776, 519, 823];

const UP: u32 = 1;
const IS_LOOPBACK: u32 = 8;
const RUNNING: u32 = 64;

/// What to listen to.
#[derive(Clone, Debug)]
pub struct Device {
    pub name: Name,
    /// 0 is every interface.
    pub index: u32,
    pub link: LinkType,
    pub layer: Layer,
}

impl Device {
    /// The interface of a name or of a number in the list; without one, the first that is up.
    pub fn find(wanted: Option<&OsStr>) -> Result<Self> {
        let list = listed()?;
        let any = Device {
            name: Name::from("any"),
            index: 0,
            link: LinkType::LINUX_SLL2,
            layer: Layer::Network,
        };
        let Some(wanted) = wanted else {
            return match list.first().and_then(|row| row.as_ref()) {
                Some(link) => Self::of(link),
                None => Ok(any),
            };
        };
        if wanted == "any" {
            return Ok(any);
        }
        let named = list.iter().flatten().find(|link| link.name.bytes() == wanted.as_bytes());
        let number = || wanted.to_str().and_then(|text| text.parse::<usize>().ok());
        match (named, number()) {
            (Some(link), _) => Self::of(link),
            (None, Some(number)) => match number.checked_sub(1).and_then(|at| list.get(at)) {
                Some(Some(link)) => Self::of(link),
                Some(None) => Ok(any),
                None => Err(anyhow!("Invalid adapter index")),
            },
            (None, None) => {
                let name = Name::from(wanted.as_bytes());
                Err(anyhow!("{name}: No such device exists\n(No such device exists)"))
            }
        }
    }

    fn of(link: &Link) -> Result<Self> {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
        let hardware = net::hardware_type(socket.as_fd(), link.name.bytes())
            .map_err(|error| anyhow!("{}: {error}", link.name))?;
        let (kind, layer) = match hardware {
            ETHERNET | LOOPBACK => (LinkType::ETHERNET, Layer::Link),
            hardware if BARE.contains(&hardware) => (LinkType::RAW, Layer::Link),
            _ => (LinkType::LINUX_SLL2, Layer::Network),
        };
        Ok(Device { name: link.name.clone(), index: link.index, link: kind, layer })
    }
}

/// Names of interfaces by index.
pub fn names() -> Vec<(u32, Vec<u8>)> {
    let links = links::read_links().unwrap_or_default();
    links.into_iter().map(|link| (link.index, link.name.bytes().to_vec())).collect()
}

/// Interfaces in the order of the list; `None` is `any`. Those that run come first, the loopback behind them.
fn listed() -> Result<Vec<Option<Link>>> {
    let links =
        links::read_links().map_err(|error| anyhow!("failed to list interfaces: {error}"))?;
    let rank = |link: &Option<Link>| match link {
        None => (1, 0),
        Some(link) if link.flags & IS_LOOPBACK != 0 => (2, link.index),
        Some(link) if link.flags & (UP | RUNNING) == UP | RUNNING => (0, link.index),
        Some(link) if link.flags & UP != 0 => (3, link.index),
        Some(link) => (4, link.index),
    };
    let mut list: Vec<Option<Link>> = links.into_iter().map(Some).chain([None]).collect();
    list.sort_by_key(rank);
    Ok(list)
}

/// Prints the list.
pub fn list() -> Result<()> {
    let mut out = std::io::stdout().lock();
    for (index, row) in listed()?.iter().enumerate() {
        let number = index + 1;
        match row {
            None => writeln!(
                out,
                "{number}.any (Pseudo-device that captures on all interfaces) [Up, Running]"
            )?,
            Some(link) => writeln!(out, "{number}.{} [{}]", link.name, words(link.flags))?,
        }
    }
    Ok(())
}

fn words(flags: u32) -> String {
    let mut words = Vec::new();
    if flags & UP != 0 {
        words.push("Up");
    }
    if flags & RUNNING != 0 {
        words.push("Running");
    }
    match flags & IS_LOOPBACK {
        0 if words.is_empty() => words.push("none"),
        0 if flags & RUNNING != 0 => words.push("Connected"),
        0 => words.push("Disconnected"),
        _ => words.push("Loopback"),
    }
    words.join(", ")
}
