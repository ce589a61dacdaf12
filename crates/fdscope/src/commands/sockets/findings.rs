//! What the rules about sockets need: the kernel's settings, and each row.

use fdscope_analyze::{Seen, SocketLimits, SocketTally};
use fdscope_proc::ProcRoot;
use fdscope_render::sockets::SocketRow;

/// The kernel's settings that decide what is many, of the caller's network namespace.
pub fn limits(root: &ProcRoot) -> SocketLimits {
    let words = |path: &str| {
        let text = String::from_utf8(root.read(path).ok()?).ok()?;
        Some(text.split_whitespace().map_while(|word| word.parse().ok()).collect::<Vec<u64>>())
    };
    let port = |number: &u64| u16::try_from(*number).ok();
    let ports = words("sys/net/ipv4/ip_local_port_range");
    let ports = ports.and_then(|p| Some((port(p.first()?)?, port(p.get(1)?)?)));
    let orphans = words("sys/net/ipv4/tcp_max_orphans").and_then(|w| w.first().copied());
    SocketLimits { ports, orphans }
}

/// Takes a row into account.
pub fn note(tally: &mut SocketTally, row: &SocketRow) {
    tally.note(Seen { socket: &row.socket, owners: &row.owners, unheld: row.unheld });
}
