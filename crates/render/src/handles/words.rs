//! What a kind of handle tells, as a sentence: `count 5`, `CLOCK_MONOTONIC in 1 s, every 2 s`, `3 targets, 1 dead`.
//!
//! Names inside are escaped here, so that the sentence can be printed as it is.

use fdscope_model::inventory::{End, EpollTarget, FanotifyMark, InotifyWatch, Lock};
use fdscope_model::name::escape;
use fdscope_model::socket::{Address, Socket};
use fdscope_model::{Access, Association, DeviceId, Entry, Facts, InodeId, Name, SocketState};

use super::masks;
use crate::units;

/// Members of a list that are told; then the number of the others.
const MOST: usize = 4;

/// What a row is, for people: its name, what its kind tells, or why nothing could be read.
pub(super) fn what(entry: &Entry) -> String {
    if let Some(fault) = &entry.handle.fault {
        let name = escape(entry.handle.name.bytes());
        let gap = if name.is_empty() { "" } else { " " };
        let cause = escape(fault.cause.as_bytes());
        return format!("{name}{gap}(failed to {}: {cause})", fault.operation);
    }
    let name = escape(entry.handle.name.bytes());
    match facts(entry) {
        facts if facts.is_empty() => name,
        facts if says_all(&entry.facts) => facts,
        facts => format!("{name}  {facts}"),
    }
}

/// True for kinds whose link text adds nothing to what is told: `anon_inode:[eventfd]`.
fn says_all(facts: &Facts) -> bool {
    !matches!(
        facts,
        Facts::Nothing
            | Facts::Pipe { .. }
            | Facts::Terminal { .. }
            | Facts::Memfd { .. }
            | Facts::DmaBuf { .. }
            | Facts::Namespace { .. }
            | Facts::Tun { .. }
            | Facts::Other(_)
    )
}

/// What only this kind tells; empty where nothing is.
pub(super) fn facts(entry: &Entry) -> String {
    match &entry.facts {
        Facts::Nothing => String::new(),
        Facts::Socket(socket) => self::socket(socket),
        Facts::Pipe { ends } => self::ends(ends),
        Facts::Terminal { index, ends } => terminal(*index, ends),
        Facts::EventFd { count, semaphore, ends, .. } => {
            let semaphore = if *semaphore == Some(true) { "semaphore" } else { "" };
            joined([format!("count {count}"), semaphore.to_owned(), self::ends(ends)])
        }
        Facts::TimerFd { clock, ticks, remaining_ns, interval_ns } => {
            timer(*clock, *ticks, *remaining_ns, *interval_ns)
        }
        Facts::SignalFd { mask } => match masks::signals(*mask) {
            names if names.is_empty() => "no signal".to_owned(),
            names => names.join(" "),
        },
        Facts::Epoll { targets } => epoll(targets),
        Facts::Inotify { watches } => listed(watches, "watch", "watches", watch),
        Facts::Fanotify { marks } => listed(marks, "mark", "marks", mark),
        Facts::PidFd { pid: Some(pid), comm } if comm.is_empty() => format!("of process {pid}"),
        Facts::PidFd { pid: Some(pid), comm } => format!("of process {pid} ({comm})"),
        Facts::PidFd { pid: None, .. } => "of a process that is gone".to_owned(),
        Facts::Memfd { seals: None } => String::new(),
        Facts::Memfd { seals: Some(0) } => "no seals".to_owned(),
        Facts::Memfd { seals: Some(seals) } => format!("seals: {}", masks::seals(*seals)),
        Facts::DmaBuf { size, count, exporter, name } => {
            let of = |word: &str, name: &Name| match name.is_empty() {
                true => String::new(),
                false => format!("{word} {name}"),
            };
            let references = units::count_of(*count, "reference", "references");
            joined([units::bytes(*size), references, of("from", exporter), of("named", name)])
        }
        Facts::IoUring { files, buffers } => ring(files, *buffers),
        Facts::Bpf { object, id, class, name } => bpf(object, *id, class, name),
        Facts::Namespace { .. } => String::new(),
        Facts::Tun { interface } if interface.is_empty() => "no interface yet".to_owned(),
        Facts::Tun { interface } => format!("interface {interface}"),
        Facts::Other(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| format!("{key}: {value}"));
            pairs.collect::<Vec<_>>().join(", ")
        }
    }
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

/// `3 watches: a, b, c`, and at most so many of them.
fn listed<T>(list: &[T], one: &str, many: &str, word: impl Fn(&T) -> String) -> String {
    let count = units::count_of(list.len() as u64, one, many);
    if list.is_empty() {
        return count;
    }
    let told: Vec<String> = list.iter().take(MOST).map(word).collect();
    let others = list.len().saturating_sub(MOST);
    let others = if others == 0 { String::new() } else { format!(", {others} more") };
    format!("{count}: {}{others}", told.join(", "))
}

fn terminal(index: Option<u32>, ends: &[End]) -> String {
    let index = index.map_or_else(String::new, |index| format!("of /dev/pts/{index}"));
    joined([index, self::ends(ends)])
}

fn timer(clock: u32, ticks: u64, remaining_ns: u64, interval_ns: u64) -> String {
    let next = match remaining_ns {
        0 => "disarmed".to_owned(),
        ns => format!("in {}", units::duration_ns(ns)),
    };
    let every = match interval_ns {
        0 => String::new(),
        ns => format!("every {}", units::duration_ns(ns)),
    };
    let missed = match ticks {
        0 => String::new(),
        ticks => format!("{} not read", units::count_of(ticks, "expiry", "expiries")),
    };
    format!("{} {}", masks::clock(clock), joined([next, every, missed]))
}

fn epoll(targets: &[EpollTarget]) -> String {
    let dead = targets.iter().filter(|target| target.name.is_none()).count();
    let count = units::count_of(targets.len() as u64, "target", "targets");
    let dead = if dead == 0 { String::new() } else { format!("{dead} dead") };
    let told = targets.iter().take(MOST).map(|target| {
        let dead = if target.name.is_none() { " dead" } else { "" };
        format!("{} {}{dead}", target.fd, masks::epoll_events(target.events))
    });
    let told: Vec<String> = told.collect();
    let more = if targets.len() > MOST { ", …" } else { "" };
    let list = if told.is_empty() { String::new() } else { format!(": {}{more}", told.join(", ")) };
    format!("{}{list}", joined([count, dead]))
}

fn watch(watch: &InotifyWatch) -> String {
    let place = match &watch.path {
        Some(path) => path.to_string(),
        None => inode(watch.inode),
    };
    format!("{place} ({})", masks::inotify_events(watch.mask))
}

fn mark(mark: &FanotifyMark) -> String {
    let (place, mask) = match mark {
        FanotifyMark::Inode { inode: id, mask } => (inode(*id), mask),
        FanotifyMark::Mount { mount, mask } => (format!("mount {mount}"), mask),
        FanotifyMark::FileSystem { device: id, mask } => {
            (format!("file system {}", device(*id)), mask)
        }
    };
    format!("{place} ({})", masks::fanotify_events(*mask))
}

fn inode(id: InodeId) -> String {
    format!("inode {} on {}", id.inode, device(id.device))
}

/// Major and minor number.
pub(super) fn device(device: DeviceId) -> String {
    format!("{}:{}", device.0 >> 20, device.0 & 0xf_ffff)
}

fn ring(files: &[(u32, Name)], buffers: u64) -> String {
    let files = match files {
        [] => String::new(),
        files => listed(files, "registered file", "registered files", |(slot, name)| {
            joined([format!("slot {slot}"), name.to_string()]).replacen(", ", " ", 1)
        }),
    };
    let buffers = match buffers {
        0 => String::new(),
        buffers => units::count_of(buffers, "registered buffer", "registered buffers"),
    };
    match joined([files, buffers]) {
        none if none.is_empty() => "nothing registered".to_owned(),
        some => some,
    }
}

fn bpf(object: &str, id: Option<u32>, class: &Name, name: &Name) -> String {
    let mut out = object.to_owned();
    out.extend(id.map(|id| format!(" {id}")));
    for part in [class, name].into_iter().filter(|part| !part.is_empty()) {
        out.push_str(&format!(" {part}"));
    }
    out
}

fn socket(socket: &Socket) -> String {
    let mut words = Vec::new();
    if !socket.protocol.is_empty() {
        words.push(socket.protocol.to_string());
    }
    match (&socket.local, &socket.peer) {
        (Some(local), Some(peer)) => words.push(format!("{} → {}", address(local), address(peer))),
        (Some(only), None) => words.push(address(only)),
        (None, Some(peer)) => words.push(format!("→ {}", address(peer))),
        (None, None) => {}
    }
    words.extend(socket.state.map(|state| state.word().to_owned()));
    if words.is_empty() {
        words.push(format!("socket:[{}]", socket.inode));
    }
    joined([words.join(" "), queues(socket), ends(&socket.ends)])
}

fn queues(socket: &Socket) -> String {
    if socket.state == Some(SocketState::Listen) {
        return match (socket.receive_queue, socket.send_queue) {
            (Some(waiting @ 1..), Some(most)) => format!("{waiting} of {most} waiting"),
            _ => String::new(),
        };
    }
    let bytes = |queue: Option<u64>, word: &str| match queue {
        None | Some(0) => String::new(),
        Some(bytes) => format!("{bytes} B {word}"),
    };
    joined([bytes(socket.receive_queue, "not read"), bytes(socket.send_queue, "not acknowledged")])
}

/// An address as people write it; an abstract UNIX name with an `@` for its NUL.
pub(crate) fn address(address: &Address) -> String {
    match address {
        Address::Inet(address) => address.to_string(),
        Address::Unix(name) => match name.bytes() {
            [] => "(unnamed)".to_owned(),
            [0, name @ ..] => format!("@{}", escape(name)),
            path => escape(path),
        },
        Address::Netlink(0) => "kernel".to_owned(),
        Address::Netlink(port) => format!("port {port}"),
        Address::Packet(protocol, interface) => {
            format!("protocol {protocol:#06x} interface {interface}")
        }
        Address::Vsock(context, port) => format!("{context}:{port}"),
    }
}

/// Who holds the other end: `held by 812 (nginx) 7w`.
fn ends(ends: &[End]) -> String {
    if ends.is_empty() {
        return String::new();
    }
    let told: Vec<String> = ends.iter().take(MOST).map(end).collect();
    let more = match ends.len().saturating_sub(MOST) {
        0 => String::new(),
        others => format!(", {others} more"),
    };
    format!("↔ {}{more}", told.join(", "))
}

/// One holder of the other end: `812/nginx 7w`.
pub(crate) fn end(end: &End) -> String {
    format!("{}/{} {}{}", end.pid, end.comm, end.fd, access_letter(end.access))
}

/// lsof's letter for what may be done.
pub(super) fn access_letter(access: Option<Access>) -> &'static str {
    match access {
        None => "",
        Some(Access::Read) => "r",
        Some(Access::Write) => "w",
        Some(Access::Both) => "u",
        Some(Access::Neither) => "-",
    }
}

/// A descriptor as it is shown: `7u`; other associations by a word.
pub(crate) fn association(via: Association, access: Option<Access>) -> String {
    match via {
        Association::Fd(fd) => format!("{fd}{}", access_letter(access)),
        Association::Cwd => "cwd".to_owned(),
        Association::Root => "root".to_owned(),
        Association::Exe => "exe".to_owned(),
        Association::Mapping(_) => "map".to_owned(),
        Association::Namespace(_) => "ns".to_owned(),
        Association::RingSlot(fd, slot) => format!("{fd}[{slot}]"),
        Association::InFlight(fd) => format!("→{fd}"),
    }
}

/// A lock: `POSIX write 0-1023`.
pub(super) fn lock(lock: &Lock) -> String {
    let access = match lock.access {
        Access::Read => "read",
        Access::Write => "write",
        Access::Both => "read-write",
        Access::Neither => "none",
    };
    let mut out = format!("{} {access}", lock.class);
    match (lock.start, lock.end) {
        (0, None) => {}
        (start, None) => out.push_str(&format!(" {start}-end")),
        (start, Some(end)) => out.push_str(&format!(" {start}-{end}")),
    }
    if !matches!(lock.mode.bytes(), b"ADVISORY" | b"ACTIVE" | b"") {
        out.push_str(&format!(" {}", lock.mode));
    }
    out
}

/// Type and permissions as `ls -l` writes them.
pub(super) fn mode(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o020_000 => 'c',
        0o060_000 => 'b',
        0o010_000 => 'p',
        0o120_000 => 'l',
        0o140_000 => 's',
        _ => '-',
    };
    let mut out = String::from(kind);
    for (shift, special, set, unset) in
        [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        let bits = mode >> shift;
        out.push(if bits & 4 == 0 { '-' } else { 'r' });
        out.push(if bits & 2 == 0 { '-' } else { 'w' });
        out.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => unset,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_as_ls_writes_them() {
        let check = |bits, expected: &str| assert_eq!(mode(bits), expected);
        check(0o100_644, "-rw-r--r--");
        check(0o041_777, "drwxrwxrwt");
        check(0o104_711, "-rws--x--x");
        check(0o140_600, "srw-------");
    }

    #[test]
    fn addresses_are_as_people_write_them() {
        let check = |of: Address, expected: &str| assert_eq!(address(&of), expected);
        check(Address::Inet("[::1]:80".parse().expect("an address")), "[::1]:80");
        check(Address::Unix(Name::from("/run/x")), "/run/x");
        check(Address::Unix(Name::from(&b"\0a\x1b"[..])), "@a\\x1b");
        check(Address::Unix(Name::default()), "(unnamed)");
        check(Address::Netlink(0), "kernel");
        check(Address::Packet(3, 2), "protocol 0x0003 interface 2");
    }
}
