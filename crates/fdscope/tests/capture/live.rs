//! Live packets: of this process, over the loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// `fdscope capture` that listens already.
pub struct Capture {
    child: Running,
    errors: Option<BufReader<std::process::ChildStderr>>,
}

/// A process that does not outlive its test, nor [`DEADLINE`]; dropping the sender lets go of the watch over that.
struct Running(Child, #[allow(dead_code, reason = "dropped with the process")] Sender<()>);

/// Bounds only the time that a broken test hangs.
const DEADLINE: Duration = Duration::from_secs(300);

/// Ends a capture that waits for packets that never come.
fn watch_over(child: &Child) -> Sender<()> {
    let (sender, over) = channel();
    let pid = Pid::from_raw(child.id() as i32).expect("a process");
    std::thread::spawn(move || {
        if over.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
            let _gone = kill_process(pid, Signal::TERM);
        }
    });
    sender
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

impl Capture {
    /// None if this user may not capture.
    pub fn start(arguments: &[&str]) -> Option<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fdscope"));
        command.arg("capture").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("started");
        let watch = watch_over(&child);
        let child = Running(child, watch);
        let mut capture = Capture { child, errors: None };
        let mut errors = BufReader::new(capture.child.0.stderr.take().expect("a pipe"));
        let mut line = String::new();
        while errors.read_line(&mut line).expect("text") > 0 {
            if line.contains("permission") {
                println!("skipped: needs CAP_NET_RAW");
                return None;
            }
            if line.contains("listening on") {
                capture.errors = Some(errors);
                return Some(capture);
            }
            line.clear();
        }
        panic!("the capture ended before it listened");
    }

    /// Waits until it says something on standard error.
    pub fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.errors().read_line(&mut line).expect("text") > 0, "it never said {words}");
        }
    }

    /// Its standard output.
    pub fn lines(&mut self) -> std::process::ChildStdout {
        self.child.0.stdout.take().expect("a pipe")
    }

    fn errors(&mut self) -> &mut BufReader<std::process::ChildStderr> {
        self.errors.as_mut().expect("it listens")
    }

    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.0.id() as i32).expect("a process");
        kill_process(pid, signal).expect("it runs");
    }

    /// Lines, talk and exit code at the end.
    pub fn end(mut self) -> (String, String, Option<i32>) {
        let (mut lines, mut talk) = (String::new(), String::new());
        self.child.0.stdout.take().expect("a pipe").read_to_string(&mut lines).expect("text");
        self.errors().read_to_string(&mut talk).expect("text");
        (lines, talk, self.child.0.wait().expect("ended").code())
    }
}

/// What is shown of a file that was written.
pub fn again(path: &str) -> String {
    let mut read = Command::new(env!("CARGO_BIN_EXE_fdscope"));
    let output = read.args(["capture", "-nn", "-r", path]).output().expect("read");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A connection, a word sent over it.
pub fn talk(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let mut near = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (mut far, _) = listener.accept().expect("accepted");
    near.write_all(b"question").expect("sent");
    far.read_exact(&mut [0; 8]).expect("received");
    (near, far)
}

fn comments(file: &Path) -> Option<String> {
    let mut command = Command::new("tshark");
    let output =
        command.arg("-r").arg(file).args(["-T", "fields", "-e", "frame.comment"]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn packets_are_tied_to_this_process_and_its_descriptors() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own.pcapng");
    let path = file.to_str().expect("text");
    // Held open, the sockets are there whenever they are looked for.
    let filter = format!("tcp port {port} and pid {}", std::process::id());
    let arguments = ["-i", "lo", "-nn", "-c", "4", "--print", "-w", path, &filter];
    let Some(capture) = Capture::start(&arguments) else { return };
    let (near, far) = talk(&listener);
    let (lines, talk, code) = capture.end();
    assert_eq!(code, Some(0), "{talk}");
    assert!(talk.contains("4 packets captured"), "{talk}");
    assert_eq!(lines.lines().count(), 4, "{lines}");
    let own = |fd: i32| format!("[{}] fd {fd}", std::process::id());
    for line in lines.lines() {
        assert!(
            [near.as_raw_fd(), far.as_raw_fd(), listener.as_raw_fd()]
                .iter()
                .any(|fd| line.contains(&own(*fd))),
            "{line}"
        );
    }
    assert_eq!(file.metadata().expect("there").mode() & 0o777, 0o600);
    assert_eq!(again(path), lines, "what is read back");
    match comments(&file) {
        Some(told) => {
            assert_eq!(told.lines().filter(|line| line.contains("] fd ")).count(), 4, "{told}")
        }
        None => println!("skipped: needs tshark"),
    }
}

#[test]
fn signals_ask_for_numbers_and_end_it_with_what_came() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let filter = format!("tcp port {port}");
    let Some(mut capture) = Capture::start(&["-i", "any", "-nn", "--no-owners", &filter]) else {
        return;
    };
    let ends = talk(&listener);
    capture.signal(Signal::USR1);
    let mut line = String::new();
    capture.errors().read_line(&mut line).expect("text");
    assert!(line.contains("captured, ") && line.contains("received by filter, "), "{line}");
    drop(ends);
    capture.signal(Signal::TERM);
    let (lines, talk, code) = capture.end();
    assert_eq!(code, Some(0));
    let shown = lines.lines().filter(|line| line.contains(" IP 127.0.0.1.")).count();
    assert!(talk.contains(&format!("{shown} packets captured\n")), "{shown} shown, and {talk}");
    assert!(lines.lines().next().is_some_and(|line| line.contains("lo    In  IP ")), "{lines}");
}

#[test]
fn mistakes_are_told_in_one_sentence() {
    let run = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_fdscope")).args(arguments).output().expect("runs");
        (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
    };
    let (told, code) = run(&["capture", "-i", "lo", "tcp and pid x"]);
    assert_eq!(
        told,
        "fdscope capture: `x` is no process's number\n  tcp and pid x\n              ^\n"
    );
    assert_eq!(code, Some(1));
    let (told, code) = run(&["tcpdump", "-r", "/nonexistent/file"]);
    assert_eq!(
        (told.as_str(), code),
        ("tcpdump: /nonexistent/file: No such file or directory\n", Some(1))
    );
}
