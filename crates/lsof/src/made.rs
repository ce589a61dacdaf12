//! Inventories made by hand for tests: a server with one file of each sort, its worker thread's name, and a shell.

use std::net::SocketAddr;

use fdscope_model::inventory::{End, Lock};
use fdscope_model::kind::classify;
use fdscope_model::socket::{Address, Family, SocketClass};
use fdscope_model::{
    Access, Association, DeviceId, Entry, Facts, Fault, FdNumber, FileStatus, Handle, InodeId,
    Inventory, Name, Pid, Process, ProcessId, Socket, SocketState,
};

/// A row of a kind told by its link.
pub(crate) fn entry(via: Association, link: &str, status: Option<FileStatus>) -> Entry {
    let mode = status.map(|status| status.mode);
    Entry {
        handle: Handle {
            owner: ProcessId { pid: Pid(812), start_ticks: 1 },
            via,
            kind: classify(mode.unwrap_or_default(), link.as_bytes()),
            file: None,
            inode: status.map(|status| status.inode),
            mode,
            flags: matches!(via, Association::Fd(_)).then_some(0o100_002),
            offset: matches!(via, Association::Fd(_)).then_some(0),
            name: Name::from(link),
            fault: None,
        },
        access: matches!(via, Association::Fd(_)).then_some(Access::Both),
        status,
        mount: None,
        facts: Facts::Nothing,
        locks: Vec::new(),
    }
}

fn fd(number: u32, link: &str, status: Option<FileStatus>) -> Entry {
    entry(Association::Fd(FdNumber(number)), link, status)
}

fn status(minor: u32, inode: u64, mode: u32, size: u64) -> Option<FileStatus> {
    let inode = InodeId { device: DeviceId::new(8, minor), inode };
    Some(FileStatus { inode, mode, links: 1, size, ..FileStatus::default() })
}

fn socket(number: u32, inode: u64, fill: impl FnOnce(&mut Socket)) -> Entry {
    let mut socket = Socket::unknown(inode);
    fill(&mut socket);
    let mut row = fd(number, &format!("socket:[{inode}]"), None);
    row.handle.inode = Some(InodeId { device: DeviceId::new(0, 9), inode });
    row.facts = Facts::Socket(Box::new(socket));
    row
}

fn inet(number: u32, protocol: &str, state: SocketState, local: &str, peer: Option<&str>) -> Entry {
    socket(number, 900 + u64::from(number), |socket| {
        let address = |text: &str| Address::Inet(text.parse::<SocketAddr>().expect("an address"));
        let local = address(local);
        let is_v6 = matches!(local, Address::Inet(SocketAddr::V6(_)));
        socket.family = if is_v6 { Family::Inet6 } else { Family::Inet };
        socket.protocol = Name::from(protocol);
        socket.state = Some(state);
        socket.local = Some(local);
        socket.peer = peer.map(address);
        socket.receive_queue = Some(7);
        socket.send_queue = Some(9);
    })
}

fn unix(number: u32, path: Option<&str>, state: SocketState) -> Entry {
    socket(number, 800 + u64::from(number), |socket| {
        socket.family = Family::Unix;
        socket.class = SocketClass::Stream;
        socket.protocol = Name::from("UNIX-STREAM");
        socket.state = Some(state);
        socket.local = path.map(|path| Address::Unix(Name::from(path)));
    })
}

/// The server: process 812 of smith.
pub(crate) fn server() -> Inventory {
    let mut locked = fd(3, "/village/well", status(1, 11, 0o100_644, 4096));
    locked.handle.offset = Some(123_456_789_012);
    locked.locks = vec![Lock {
        class: "POSIX".into(),
        mode: "ADVISORY".into(),
        access: Access::Write,
        start: 0,
        end: None,
    }];
    let mut deleted = fd(4, "/village/gone (deleted)", status(1, 15, 0o100_600, 100));
    deleted.status.as_mut().expect("given").links = 0;
    deleted.access = Some(Access::Read);
    let mut null = fd(0, "/dev/null", status(5, 4, 0o020_666, 0));
    null.status.as_mut().expect("given").device = Some((1, 3));
    let mut pipe = fd(5, "pipe:[77]", None);
    pipe.handle.inode = Some(InodeId { device: DeviceId::new(0, 15), inode: 77 });
    pipe.access = Some(Access::Write);
    pipe.facts = Facts::Pipe {
        ends: vec![End {
            pid: Pid(900),
            comm: "sh".into(),
            fd: FdNumber(0),
            access: Some(Access::Read),
        }],
    };
    let mut event = fd(6, "anon_inode:[eventfd]", status(16, 9, 0, 0));
    event.facts = Facts::EventFd { count: 0, id: Some(12), semaphore: None, ends: Vec::new() };
    let entries = vec![
        entry(Association::Cwd, "/village", status(1, 2, 0o040_755, 4096)),
        entry(Association::Root, "/", status(1, 1, 0o040_755, 4096)),
        entry(Association::Exe, "/village/house/door", status(1, 13, 0o100_755, 99_000)),
        entry(Association::Mapping(0x7000), "/village/old.so (deleted)", None),
        null,
        locked,
        deleted,
        pipe,
        event,
        inet(7, "TCP", SocketState::Listen, "0.0.0.0:80", None),
        inet(8, "TCP", SocketState::Established, "10.0.0.7:443", Some("10.0.0.9:5000")),
        inet(9, "TCPv6", SocketState::CloseWait, "[::1]:443", Some("[::1]:5001")),
        inet(
            10,
            "TCPv6",
            SocketState::Established,
            "[::ffff:10.0.0.7]:443",
            Some("[::ffff:10.0.0.9]:6000"),
        ),
        inet(11, "UDP", SocketState::Closed, "127.0.0.1:53", None),
        inet(12, "UDP", SocketState::Established, "127.0.0.1:5353", Some("127.0.0.1:53")),
        socket(13, 913, |socket| {
            socket.family = Family::Inet;
            socket.protocol = Name::from("TCP");
        }),
        unix(14, Some("/village/sock"), SocketState::Listen),
        unix(15, Some("\0hidden"), SocketState::Established),
        socket(16, 70, |socket| socket.family = Family::Netlink),
        socket(17, 71, |socket| {
            socket.family = Family::Inet;
            socket.protocol = Name::from("RAW");
        }),
        socket(18, 918, |socket| {
            socket.family = Family::Packet;
            socket.class = SocketClass::Raw;
            socket.local = Some(Address::Packet(3, 0));
        }),
        fd(12_019, "/village/a\n\u{1b}b", status(1, 21, 0o100_600, 0)),
    ];
    Inventory {
        process: process(812, "nginx: worker", 1000),
        group: Pid(800),
        entries,
        faults: Vec::new(),
    }
}

/// A shell of root's, most of which may not be read.
pub(crate) fn shell() -> Inventory {
    let refusal = |operation| Fault {
        pid: Some(Pid(900)),
        fd: None,
        operation,
        cause: "permission denied".into(),
    };
    let unread = |via| {
        let mut place = entry(via, "", None);
        place.handle.fault = Some(Box::new(refusal("read link")));
        place
    };
    let entries = [Association::Cwd, Association::Root, Association::Exe].map(unread).to_vec();
    let faults = vec![refusal("list descriptors")];
    Inventory { process: process(900, "sh", 0), group: Pid(900), entries, faults }
}

fn process(pid: u32, comm: &str, uid: u32) -> Process {
    Process {
        id: ProcessId { pid: Pid(pid), start_ticks: 1 },
        parent: Pid(1),
        comm: Name::from(comm),
        uid,
        ..Process::default()
    }
}
