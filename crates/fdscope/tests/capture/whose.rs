//! Whose packets they are: of processes that are gone, of workers, of passed descriptors, of other namespaces.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use fdscope_fixtures::in_path;

use super::live::{Capture, again};

/// True where eBPF may be had; else says what is skipped.
fn has_bpf() -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    let has = root && fdscope_bpf::SocketStates::open(fdscope_bpf::states::Told::Doers).is_ok();
    if !has {
        println!("skipped: needs CAP_BPF and CAP_PERFMON");
    }
    has
}

/// A shell that does as it is told and is gone; its number.
fn shell(script: &str) -> u32 {
    let mut child = Command::new("bash").arg("-c").arg(script).spawn().expect("bash is there");
    let pid = child.id();
    assert!(child.wait().expect("it ends").success(), "{script}");
    pid
}

#[test]
fn a_process_that_is_gone_at_once_is_known_by_its_connection() {
    if !has_bpf() || !in_path("bash") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    // All that a client sends alone: a beginning, its data, its end.
    let filter = format!("tcp dst port {port}");
    let Some(capture) = Capture::start(&["-i", "lo", "-nn", "-c", "4", &filter]) else { return };
    let pid = shell(&format!("echo gone > /dev/tcp/127.0.0.1/{port}"));
    let mut far = listener.accept().expect("accepted").0;
    far.read_to_string(&mut String::new()).expect("text");
    let (lines, talk, code) = capture.end();
    assert_eq!((code, lines.lines().count()), (Some(0), 4), "{talk}");
    assert!(lines.lines().all(|line| line.contains(&format!("; bash[{pid}] fd "))), "{lines}");
}

#[test]
fn a_process_that_sent_one_datagram_is_known() {
    if !has_bpf() || !in_path("bash") {
        return;
    }
    if !std::path::Path::new("/sys/kernel/btf/vmlinux").exists() || kernel() < (6, 3) {
        println!("skipped: needs Linux 6.3");
        return;
    }
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let port = receiver.local_addr().expect("bound").port();
    let filter = format!("udp dst port {port}");
    let Some(capture) = Capture::start(&["-i", "lo", "-nn", "-c", "1", &filter]) else { return };
    let pid = shell(&format!("echo gone > /dev/udp/127.0.0.1/{port}"));
    let (lines, talk, code) = capture.end();
    assert_eq!(code, Some(0), "{talk}");
    assert!(lines.contains(&format!("; bash[{pid}] fd ")), "{lines}");
}

fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("told");
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// A Python program that says `ready`, then waits for its stdin to end.
struct Program(std::process::Child);

impl Program {
    fn start(arguments: &[&str], script: &str) -> Self {
        let (program, rest) = arguments.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(rest).args(["python3", "-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Program(command.spawn().expect("started"))
    }

    /// Its next line.
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        let out = self.0.stdout.as_mut().expect("piped");
        let mut byte = [0];
        while out.read(&mut byte).expect("read") == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("text")
    }

    fn say(&mut self, line: &str) {
        let input = self.0.stdin.as_mut().expect("piped");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("it reads");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ended = self.0.wait();
    }
}

/// What a worker says on connections that its parent accepted for it or passed to it.
fn checked_worker(script: &str) {
    if !in_path("python3") {
        return;
    }
    let mut program = Program::start(&["env"], script);
    let words = program.line();
    let mut words = words.split(' ').map(str::to_owned);
    let mut next = || words.next().expect("port, worker, descriptor");
    let (port, worker, fd) = (next(), next(), next());
    // What the other side gets of the worker's words.
    let filter = format!("tcp src port {port} and greater 60 and tcp[tcpflags] & tcp-push != 0");
    let arguments = ["-i", "lo", "-nn", "-c", "1", "-v", &filter];
    let Some(capture) = Capture::start(&arguments) else { return };
    program.say("speak");
    let (lines, talk, code) = capture.end();
    assert_eq!(code, Some(0), "{talk}");
    assert!(lines.contains(&format!("[{worker}] fd {fd}")), "worker {worker} fd {fd}: {lines}");
}

#[test]
fn a_connection_accepted_in_a_worker_is_the_workers() {
    checked_worker(
        r#"
import os, socket, sys
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen()
near = socket.create_connection(listener.getsockname())
says, hears = os.pipe(), os.pipe()
worker = os.fork()
if worker == 0:
    near.close()
    os.close(hears[1]); os.close(says[0])
    connection, _ = listener.accept()
    os.write(says[1], b"%d" % connection.fileno())
    if os.read(hears[0], 1): connection.send(b"answer"); os.read(hears[0], 1)
    os._exit(0)
listener_port = listener.getsockname()[1]
fd = os.read(says[0], 9).decode()
os.close(hears[0])
print(listener_port, worker, fd, flush=True)
sys.stdin.readline(); os.write(hears[1], b"x"); sys.stdin.readline()
"#,
    );
}

#[test]
fn a_connection_passed_over_a_unix_socket_is_the_receivers() {
    checked_worker(
        r#"
import os, socket, sys
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen()
ours, theirs = socket.socketpair()
says, hears = os.pipe(), os.pipe()
worker = os.fork()
if worker == 0:
    listener.close(); ours.close()
    os.close(hears[1]); os.close(says[0])
    fd = socket.recv_fds(theirs, 1, 1)[1][0]
    os.write(says[1], b"%d" % fd)
    if os.read(hears[0], 1): os.write(fd, b"answer"); os.read(hears[0], 1)
    os._exit(0)
near = socket.create_connection(listener.getsockname())
connection, _ = listener.accept()
socket.send_fds(ours, [b"x"], [connection.fileno()])
connection.close()
fd = os.read(says[0], 9).decode()
os.close(hears[0])
print(listener.getsockname()[1], worker, fd, flush=True)
sys.stdin.readline(); os.write(hears[1], b"x"); sys.stdin.readline()
"#,
    );
}

#[test]
fn a_socket_of_another_network_namespace_has_its_owner() {
    let root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    if !root || !["ip", "unshare", "python3"].into_iter().all(in_path) {
        println!("skipped: needs root, ip, unshare and python3");
        return;
    }
    let number = std::process::id() as u16;
    let [high, low] = (number & !3).to_be_bytes();
    let (host, inside) =
        (format!("198.18.{high}.{}", low + 1), format!("198.18.{high}.{}", low + 2));
    let mut program = Program::start(
        &["unshare", "--net"],
        r#"
import os, socket, sys
print(os.getpid(), flush=True)
address = sys.stdin.readline().split()
near = socket.create_connection((address[0], int(address[1])))
print(near.fileno(), flush=True)
near.send(b"from inside")
sys.stdin.readline()
"#,
    );
    let pid = program.line();
    let (outer, inner) = (format!("fo{number}"), format!("fi{number}"));
    let ip = |words: &str| {
        let done = Command::new("ip").args(words.split(' ')).output().expect("ip is there");
        done.status.success()
    };
    let enter = |words: &str| {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &pid, "ip"]).args(words.split(' '));
        command.status().expect("nsenter is there").success()
    };
    if !ip(&format!("link add {outer} type veth peer name {inner} netns {pid}")) {
        println!("skipped: needs veth");
        return;
    }
    assert!(ip(&format!("addr add {host}/30 dev {outer}")) && ip(&format!("link set {outer} up")));
    assert!(enter(&format!("addr add {inside}/30 dev {inner}")));
    assert!(enter(&format!("link set {inner} up")));
    let listener = TcpListener::bind((host.as_str(), 0)).expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let filter = format!("tcp dst port {port} and greater 70");
    let arguments = ["-i", &outer, "-nn", "-c", "1", &filter];
    if let Some(capture) = Capture::start(&arguments) {
        program.say(&format!("{host} {port}"));
        let mut far = listener.accept().expect("accepted").0;
        far.read_exact(&mut [0; 11]).expect("received");
        let fd = program.line();
        let (lines, talk, code) = capture.end();
        assert_eq!(code, Some(0), "{talk}");
        assert!(lines.contains(&format!("[{pid}] fd {fd}")), "{pid} {fd}: {lines}");
    }
    drop(program);
    let _gone_with_its_namespace = ip(&format!("link del {outer}"));
}

#[test]
fn a_packet_that_no_socket_sent_is_of_an_unknown_owner() {
    let root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    if !root || !in_path("python3") {
        println!("skipped: needs root and python3");
        return;
    }
    // Ports that nobody has while these are held by no socket of UDP: the raw socket has none.
    let port = UdpSocket::bind("127.0.0.1:0").expect("bound").local_addr().expect("bound").port();
    let mut program = Program::start(
        &["env"],
        r#"
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
print("ready", flush=True)
port = int(sys.stdin.readline())
raw.sendto(struct.pack(">HHHH", port, port, 9, 0) + b"x", ("127.0.0.1", 0))
sys.stdin.readline()
"#,
    );
    assert_eq!(program.line(), "ready");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("unknown.pcapng");
    let path = file.to_str().expect("text");
    let filter = format!("udp src port {port} and dst port {port}");
    let arguments = ["-i", "lo", "-nn", "-c", "1", "--print", "-w", path, &filter];
    let Some(capture) = Capture::start(&arguments) else { return };
    program.say(&port.to_string());
    let (lines, talk, code) = capture.end();
    assert_eq!(code, Some(0), "{talk}");
    assert!(lines.ends_with(": UDP, length 1 ; unknown\n"), "{lines}");
    assert_eq!(again(path), lines, "what is read back");
}

#[test]
fn the_thread_that_sent_is_told() {
    if !has_bpf() || !in_path("python3") {
        return;
    }
    if kernel() < (6, 3) {
        println!("skipped: needs Linux 6.3");
        return;
    }
    let script = r#"
import socket, sys, threading
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen()
near = socket.create_connection(listener.getsockname())
far, _ = listener.accept()
go, gone = threading.Event(), threading.Event()
def send():
    go.wait()
    for _ in range(3): near.send(b"from the thread"); far.recv(99)
    gone.set()
thread = threading.Thread(target=send); thread.start()
print(near.getsockname()[1], thread.native_id, flush=True)
sys.stdin.readline()
for _ in range(3): near.send(b"first"); far.recv(99)
go.set(); gone.wait()
sys.stdin.readline()
"#;
    let mut program = Program::start(&["env"], script);
    let words = program.line();
    let (port, thread) = words.split_once(' ').expect("port and thread");
    let filter = format!("tcp src port {port} and tcp[tcpflags] & tcp-push != 0");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("thread.pcapng");
    let path = file.to_str().expect("text");
    let arguments = ["-i", "lo", "-nn", "-c", "6", "--print", "-w", path, &filter];
    let Some(capture) = Capture::start(&arguments) else { return };
    program.say("go");
    let (lines, talk, code) = capture.end();
    assert_eq!((code, lines.lines().count()), (Some(0), 6), "{talk}");
    // That another one sends is told when it has: its first packet may be seen before.
    let is_of = |index: usize, words: &str| {
        let line = lines.lines().nth(index).expect("six lines");
        assert!(line.contains(words), "{words} in line {index} of {lines}");
    };
    is_of(2, ", its first thread");
    is_of(5, &format!(", thread {thread} ("));
    // It was there before, nobody knows for how long.
    assert!(lines.lines().all(|line| !line.contains(", new")), "{lines}");
    assert!(!lines.contains(", age ") || lines.contains(", age >"), "{lines}");
    assert_eq!(again(path), lines, "what is read back");
}

#[test]
fn a_connection_begun_while_it_listens_is_as_old_as_it_is() {
    if !has_bpf() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let filter = format!("tcp dst port {port} and tcp[tcpflags] & (tcp-syn|tcp-fin) != 0");
    let Some(capture) = Capture::start(&["-i", "lo", "-nn", "-c", "2", &filter]) else { return };
    let near = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connected");
    // Long enough to be told: it is looked at, and not waited for.
    let began = std::time::Instant::now();
    while began.elapsed() < std::time::Duration::from_millis(2) {
        std::thread::yield_now();
    }
    near.shutdown(std::net::Shutdown::Write).expect("ended");
    let (lines, talk, code) = capture.end();
    assert_eq!((code, lines.lines().count()), (Some(0), 2), "{talk}");
    let (first, second) = lines.split_once('\n').expect("two lines");
    assert!(first.contains("Flags [S]") && !first.contains(", age >"), "{lines}");
    assert!(first.contains(", new") || first.contains(", age "), "{lines}");
    assert!(second.contains(", age ") && !second.contains(", age >"), "{lines}");
}
