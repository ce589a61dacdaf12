//! The book of sockets across network namespaces, and against ss(8). Needs root for the namespaces.
#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Child, Command, Stdio};

use fdscope_model::inventory::End;
use fdscope_model::{Address, FdNumber, Pid, Socket, SocketState};
use fdscope_proc::ProcRoot;
use fdscope_proc::net::{Holders, SocketBook};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A process that sits in a network namespace of its own until it is dropped.
struct Island(Child);

impl Island {
    fn new() -> Option<Island> {
        let mut child = Command::new("unshare")
            .args(["-n", "sh", "-c", "ip link set lo up; echo up; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let island = Island(child);
        if line != "up\n" {
            eprintln!("skipped: needs CAP_SYS_ADMIN for a network namespace");
            return None;
        }
        Some(island)
    }

    fn pid(&self) -> Pid {
        Pid(self.0.id())
    }

    fn namespace(&self) -> u64 {
        let link = std::fs::read_link(format!("/proc/{}/ns/net", self.0.id())).expect("a link");
        digits(&link.to_string_lossy())
    }

    /// Runs `make` in a thread that went there.
    fn inside<T: Send>(&self, make: impl FnOnce() -> T + Send) -> T {
        let path = format!("/proc/{}/ns/net", self.0.id());
        let space = std::fs::File::open(path).expect("the namespace");
        let guest = || {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("setns");
            make()
        };
        std::thread::scope(|scope| scope.spawn(guest).join().expect("made"))
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn digits(text: &str) -> u64 {
    text.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number")
}

fn own() -> Pid {
    Pid(std::process::id())
}

fn inode(fd: &impl AsRawFd) -> u64 {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).expect("link");
    digits(&link.to_string_lossy())
}

fn look(book: &mut SocketBook, fd: &impl AsRawFd) -> Socket {
    book.socket(own(), FdNumber(fd.as_raw_fd() as u32), inode(fd))
}

fn book() -> SocketBook {
    SocketBook::new(ProcRoot::open().expect("/proc"))
}

/// A connection over loopback: client, server, listener.
fn connection() -> (TcpStream, TcpStream, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let client = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    (client, server, listener)
}

#[test]
fn another_namespace_is_read_by_a_process_in_it_and_only_once() {
    let Some(island) = Island::new() else { return };
    let (client, _server, listener) = island.inside(connection);
    let mut book = book();
    assert_eq!(book.learn(own()), []);
    assert_eq!(book.listed(inode(&client)), None, "it is not of this namespace");
    let before = book.all().count();
    assert_eq!(book.learn(island.pid()), []);
    assert_eq!(book.learn(island.pid()), []);
    assert!(book.all().count() >= before + 3);
    let socket = book.listed(inode(&listener)).expect("listed there");
    assert_eq!(socket.state, Some(SocketState::Listen));
    assert_eq!(socket.namespace, Some(island.namespace()));
    // The thread that asks never left.
    let after = std::fs::read_link("/proc/thread-self/ns/net").expect("link");
    assert_eq!(after, std::fs::read_link("/proc/self/ns/net").expect("link"));
}

#[test]
fn a_descriptor_leads_to_a_namespace_where_no_process_lives() {
    let Some(island) = Island::new() else { return };
    let (client, server, _listener) = island.inside(connection);
    let namespace = island.namespace();
    let dead = island.pid();
    drop(island);
    let mut book = book();
    assert_eq!(book.learn(own()), []);
    assert_eq!(book.learn(dead), [], "a process that is gone has nothing to tell");
    let socket = look(&mut book, &client);
    assert_eq!((socket.namespace, socket.state), (Some(namespace), Some(SocketState::Established)));
    assert_eq!(book.peer_inode(&socket), Some(inode(&server)));
    assert_eq!(book.take_faults(), []);
}

#[test]
fn equal_loopback_addresses_of_two_namespaces_are_no_pair() {
    let Some((here, there)) = Island::new().zip(Island::new()) else { return };
    let listen = || TcpListener::bind("127.0.0.1:4000").expect("listen");
    let connect = || {
        let client = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            None,
        )
        .expect("socket");
        let local = std::net::SocketAddr::from(([127, 0, 0, 1], 5000));
        rustix::net::bind(&client, &local).expect("bind");
        let server = std::net::SocketAddr::from(([127, 0, 0, 1], 4000));
        rustix::net::connect(&client, &server).expect("connect");
        client
    };
    let listeners = [here.inside(listen), there.inside(listen)];
    let clients = [here.inside(connect), there.inside(connect)];
    let servers = listeners.each_ref().map(|listener| listener.accept().expect("accept").0);
    let mut book = book();
    for island in [&here, &there] {
        assert_eq!(book.learn(island.pid()), []);
    }
    let mut holders = Holders::default();
    let end = |fd: &dyn AsRawFd| End {
        pid: own(),
        comm: "me".into(),
        fd: FdNumber(fd.as_raw_fd() as u32),
        access: None,
    };
    for server in &servers {
        holders.insert(inode(server), end(server));
    }
    for (client, server) in clients.iter().zip(&servers) {
        let mut socket = look(&mut book, client);
        book.find_ends(&mut socket, &holders);
        assert_eq!(socket.ends, [end(server)]);
    }
    // The server of one closes: the other's is not mistaken for it.
    let [first, _second] = servers;
    let gone = inode(&first);
    drop(first);
    let mut book = self::book();
    book.learn(here.pid());
    book.learn(there.pid());
    let socket = look(&mut book, &clients[0]);
    assert_eq!(socket.state, Some(SocketState::CloseWait));
    assert!(book.peer_inode(&socket).is_none_or(|peer| peer == 0 || peer == gone));
}

#[test]
fn rows_are_those_of_ss() {
    let (mut client, mut server, listener) = connection();
    client.write_all(b"unread").expect("write");
    let (waiting, closed) = (connection_to(&listener), connection());
    closed.1.shutdown(Shutdown::Both).expect("shutdown");
    let mut end = [0; 1];
    assert_eq!((&closed.0).read(&mut end).expect("the end"), 0);
    let bytes = server.peek(&mut [0; 16]).expect("arrived");
    assert_eq!(bytes, 6);
    let sockets: [&dyn AsRawFd; 6] = [&client, &server, &listener, &waiting, &closed.0, &closed.1];
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    // The last acknowledgement may come between one reading and the other: both are read until they agree.
    loop {
        let mut book = book();
        assert_eq!(book.learn(own()), []);
        let Ok(output) = Command::new("ss").args(["-OtanHe"]).output() else {
            eprintln!("skipped: needs ss");
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut differing = sockets.iter().filter_map(|fd| {
            let socket = look(&mut book, &fd.as_raw_fd());
            let mark = format!("ino:{} ", socket.inode);
            let line = text.lines().find(|line| line.contains(&mark)).expect("ss has it");
            (!agrees(&socket, line)).then(|| format!("{line}\n{socket:?}"))
        });
        match differing.next() {
            None => break,
            Some(what) => assert!(std::time::Instant::now() < deadline, "{what}"),
        }
    }
    server.read_exact(&mut [0; 6]).expect("read");
}

fn connection_to(listener: &TcpListener) -> TcpStream {
    TcpStream::connect(listener.local_addr().expect("address")).expect("connect")
}

/// State, queues, addresses and cookie of a line of `ss -OtanHe`.
fn agrees(socket: &Socket, line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let address = |address: &Option<Address>| match address {
        Some(Address::Inet(address)) => address.to_string(),
        _ => "0.0.0.0:*".to_owned(),
    };
    let queue = |word: &str| word.parse().ok();
    SocketState::from_word(words[0]) == socket.state
        && (queue(words[1]), queue(words[2])) == (socket.receive_queue, socket.send_queue)
        && (words[3], words[4]) == (&address(&socket.local), &address(&socket.peer))
        && line.contains(&format!("sk:{:x} ", socket.cookie.unwrap_or(0)))
}
