//! The book of sockets against sockets made for it.
#![forbid(unsafe_code)]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use fdscope_model::inventory::End;
use fdscope_model::{Address, Family, FdNumber, Pid, Socket, SocketClass, SocketState};
use fdscope_proc::ProcRoot;
use fdscope_proc::net::{Holders, SocketBook};
use rustix::net::{AddressFamily, SocketType};

fn own() -> Pid {
    Pid(std::process::id())
}

fn inode(fd: &impl AsRawFd) -> u64 {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).expect("link");
    let text = link.to_string_lossy().into_owned();
    text.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("inode")
}

fn book() -> SocketBook {
    let mut book = SocketBook::new(ProcRoot::open().expect("/proc"));
    assert_eq!(book.learn(own()), []);
    book
}

fn look(book: &mut SocketBook, fd: &impl AsRawFd) -> Socket {
    book.socket(own(), FdNumber(fd.as_raw_fd() as u32), inode(fd))
}

#[test]
fn a_connection_has_both_ends_and_a_listener_its_backlog() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("address");
    let client = TcpStream::connect(address).expect("connect");
    let local = client.local_addr().expect("address");
    let mut book = book();

    let socket = look(&mut book, &listener);
    assert_eq!(socket.state, Some(SocketState::Listen));
    assert_eq!((socket.local, socket.peer), (Some(Address::Inet(address)), None));
    // One waits to be accepted.
    assert_eq!(socket.receive_queue, Some(1));
    assert!(socket.send_queue > Some(1));

    let socket = look(&mut book, &client);
    assert_eq!((socket.family, socket.class), (Family::Inet, SocketClass::Stream));
    assert_eq!(socket.protocol, "TCP".into());
    assert_eq!(socket.state, Some(SocketState::Established));
    assert_eq!(socket.local, Some(Address::Inet(local)));
    assert_eq!(socket.peer, Some(Address::Inet(address)));
    assert!(socket.cookie.is_some() && socket.namespace.is_some());
    assert_eq!(book.peer_inode(&socket), Some(0), "nobody accepted it");
}

#[test]
fn holders_of_the_other_end_are_found() {
    let listener = TcpListener::bind("[::]:0").expect("listen");
    let port = listener.local_addr().expect("address").port();
    let client = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    let (left, right) = UnixStream::pair().expect("pair");
    let mut book = book();
    let mut holders = Holders::default();
    let end =
        |fd: i32| End { pid: own(), comm: "me".into(), fd: FdNumber(fd as u32), access: None };
    for fd in [&client as &dyn AsRawFd, &server, &left, &right] {
        holders.insert(inode(&fd.as_raw_fd()), end(fd.as_raw_fd()));
    }
    let pairs: [(&dyn AsRawFd, &dyn AsRawFd); 4] =
        [(&client, &server), (&server, &client), (&left, &right), (&right, &left)];
    for (one, other) in pairs {
        let mut socket = look(&mut book, &one.as_raw_fd());
        book.find_ends(&mut socket, &holders);
        assert_eq!(socket.ends, [end(other.as_raw_fd())], "{socket:?}");
    }
}

#[test]
fn a_unix_client_not_accepted_waits_at_its_listener() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("s\n");
    let listener = UnixListener::bind(&path).expect("listen");
    let client = UnixStream::connect(&path).expect("connect");
    let mut book = book();
    let socket = look(&mut book, &listener);
    assert_eq!(socket.state, Some(SocketState::Listen));
    let name = path.to_string_lossy().into_owned();
    assert_eq!(socket.local, Some(Address::Unix(name.as_str().into())));
    let detail = socket.detail.expect("a bound socket has details");
    assert_eq!(detail.waiting, [inode(&client)]);
    let file = std::fs::metadata(&path).expect("metadata");
    assert_eq!(detail.bound.map(|id| id.inode), Some(std::os::unix::fs::MetadataExt::ino(&file)));
    let client = look(&mut book, &client);
    assert_eq!(book.peer_inode(&client), Some(inode(&listener)));
}

#[test]
fn sockets_that_no_table_lists_are_asked_themselves() {
    let lonely =
        |family, class| -> OwnedFd { rustix::net::socket(family, class, None).expect("socket") };
    let tcp = lonely(AddressFamily::INET6, SocketType::STREAM);
    let udp = lonely(AddressFamily::INET, SocketType::DGRAM);
    let mut book = book();
    let socket = look(&mut book, &tcp);
    assert_eq!((socket.family, socket.class), (Family::Inet6, SocketClass::Stream));
    assert_eq!((socket.protocol, socket.state), ("TCPv6".into(), Some(SocketState::Closed)));
    assert_eq!((socket.local, socket.peer), (None, None));
    assert!(socket.cookie.is_some());
    let socket = look(&mut book, &udp);
    assert_eq!((socket.protocol, socket.state), ("UDP".into(), Some(SocketState::Closed)));
    // Made after the tables were read.
    let late = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let socket = look(&mut book, &late);
    assert_eq!(socket.local, late.local_addr().ok().map(Address::Inet));
}

#[test]
fn a_bound_socket_that_does_nothing_is_listed() {
    let bound = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("socket");
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    rustix::net::bind(&bound, &any).expect("bind");
    let mut book = book();
    let socket = book.listed(inode(&bound)).unwrap_or_else(|| look(&mut book, &bound));
    assert_eq!(socket.state, Some(SocketState::BoundInactive));
    assert!(matches!(socket.local, Some(Address::Inet(a)) if a.port() != 0));
}

#[test]
fn a_connection_that_was_reset_is_closed_and_not_bound() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let client = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    // Closing a listener resets what it did not accept.
    drop(listener);
    // Waits until the reset has come.
    let mut byte = [0];
    let error = std::io::Read::read(&mut &client, &mut byte).expect_err("reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let mut book = book();
    let socket = look(&mut book, &client);
    assert_eq!(socket.state, Some(SocketState::Closed));
}
