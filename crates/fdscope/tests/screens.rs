//! The live screens in a pseudo-terminal: what is drawn, what keys and signals do, and that the terminal is given back
//! as it was.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use common::{DEADLINE, fdscope, run};
use fdscope_fixtures::{Fixture, c};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

/// The other screen, entered and left.
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// A program in a pseudo-terminal.
struct Terminal {
    child: Child,
    keys: File,
    screen: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    /// Where the next word is looked for.
    read_to: usize,
    slave: OwnedFd,
    before: String,
}

impl Terminal {
    fn start(arguments: &[&str]) -> Terminal {
        Self::with(arguments, 80, 24, |command| command.env("TERM", "xterm-256color"))
    }

    fn with(
        arguments: &[&str],
        columns: u16,
        rows: u16,
        set: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a pseudo-terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
        let slave = ioctl_tiocgptpeer(&master, flags).expect("its other end");
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).expect("a size");
        let before = modes(&slave);
        let end = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let mut command = fdscope();
        command.env("LC_ALL", "C.UTF-8").env_remove("COLORTERM");
        set(&mut command).args(arguments).stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("fdscope is built for its tests");
        // Or the ends that the command keeps would hold the screen open.
        drop(command);
        let keys = File::from(master.try_clone().expect("a descriptor"));
        let (sender, screen) = channel();
        let mut output = File::from(master);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { child, keys, screen, seen: Vec::new(), read_to: 0, slave, before }
    }

    /// Waits until this is written, behind all that was waited for before.
    fn wait_for(&mut self, word: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let new = &self.seen[self.read_to..];
            if let Some(at) = new.windows(word.len()).position(|part| part == word.as_bytes()) {
                self.read_to += at + word.len();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(_) => panic!("no {word:?} in {:?}", String::from_utf8_lossy(&self.seen)),
            }
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it listens");
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it lives");
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for its end, and holds the terminal against what it was.
    fn end(mut self) -> ExitStatus {
        self.finish().0
    }

    /// The same of a good end, and all that was written.
    fn end_with_text(mut self) -> String {
        let (status, text) = self.finish();
        assert_eq!(status.code(), Some(0));
        text
    }

    fn finish(&mut self) -> (ExitStatus, String) {
        self.wait_for(LEAVE);
        let status = self.child.wait().expect("a child of ours");
        assert_eq!(modes(&self.slave), self.before);
        let text = String::from_utf8_lossy(&self.seen).into_owned();
        let last = |sequence: &str| text.rfind(sequence).expect("it is there");
        // The cursor and the mouse are as before, too.
        assert!(last("\x1b[?25h") > last("\x1b[?25l"));
        assert!(last("\x1b[?1000l") > last("\x1b[?1000h"));
        assert!(last(LEAVE) > last(ENTER));
        (status, text)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Gone already, where the test went well.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn modes(terminal: &impl AsFd) -> String {
    format!("{:?}", tcgetattr(terminal).expect("a terminal"))
}

fn many() -> Fixture {
    Fixture::start(&c("many"), &["descriptors=40", "threads=2"])
}

/// A watch by reading /proc: the same for every user and kernel.
fn watch(pid: u32) -> Terminal {
    let mut terminal = Terminal::start(&["watch", &pid.to_string(), "--source", "poll"]);
    terminal.wait_for(ENTER);
    terminal.wait_for("RLIMIT_NOFILE");
    terminal
}

#[test]
fn q_leaves_and_the_terminal_is_as_before() {
    let fixture = many();
    let mut terminal = watch(fixture.pid());
    terminal.press("q");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn keys_and_sizes_are_heard() {
    let fixture = many();
    let mut terminal = watch(fixture.pid());
    terminal.press("?");
    terminal.wait_for("Ctrl-Z");
    terminal.press("x/");
    terminal.press("nowhere\r");
    terminal.wait_for("line");
    let size = Winsize { ws_row: 10, ws_col: 30, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal.slave, size).expect("a size");
    // The kernel tells the foreground of a controlling terminal; this one controls nobody.
    terminal.signal(Signal::WINCH);
    terminal.wait_for("small");
    terminal.press("\x1b[<64;5;5M\x1b[<0;5;5M\x1b[<0;5;5mq");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn signals_give_the_terminal_back() {
    let fixture = many();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let terminal = watch(fixture.pid());
        terminal.signal(signal);
        assert_eq!(terminal.end().code(), Some(0), "{signal:?}");
    }
}

#[test]
fn it_stops_without_the_terminal_and_comes_back() {
    let fixture = many();
    for by_key in [false, true] {
        let mut terminal = watch(fixture.pid());
        match by_key {
            true => terminal.press("\x1a"),
            false => terminal.signal(Signal::TSTP),
        }
        let stopped = waitpid(Some(terminal.pid()), WaitOptions::UNTRACED).expect("our child");
        assert!(stopped.is_some_and(|(_, status)| status.stopped()));
        terminal.wait_for(LEAVE);
        assert_eq!(modes(&terminal.slave), terminal.before);
        terminal.signal(Signal::CONT);
        terminal.wait_for(ENTER);
        terminal.wait_for("RLIMIT_NOFILE");
        terminal.press("q");
        assert_eq!(terminal.end().code(), Some(0));
    }
}

#[test]
fn the_end_of_the_target_is_said_and_the_screen_stays() {
    let fixture = many();
    let mut terminal = watch(fixture.pid());
    drop(fixture);
    terminal.wait_for("ENDED");
    terminal.press("?");
    terminal.wait_for("Ctrl-Z");
    terminal.press("qq");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn the_best_source_shows_what_comes_and_goes() {
    let mut fixture = many();
    let pid = fixture.pid().to_string();
    let mut terminal = Terminal::with(&["watch", &pid], 120, 40, |command| {
        command.env("TERM", "xterm").env("NO_COLOR", "1")
    });
    terminal.wait_for("RLIMIT_NOFILE");
    fixture.ask("step 5");
    terminal.wait_for("passwd");
    terminal.press("q");
    let text = terminal.end_with_text();
    assert!(!has_colour(&text), "{text:?}");
}

/// True if a sequence of SGR chooses a colour: 30 to 38, 40 to 48, 90 to 107.
fn has_colour(text: &str) -> bool {
    text.split("\x1b[").filter_map(|part| part.split_once('m')).any(|(numbers, _)| {
        numbers
            .split(';')
            .filter_map(|number| number.parse::<u32>().ok())
            .any(|number| matches!(number, 30..=38 | 40..=48 | 90..=107))
            && numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
    })
}

#[test]
fn a_recording_is_walked_in_time() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../record/tests/recordings/every-record-1.fdr");
    let mut terminal = Terminal::start(&["watch", path]);
    terminal.wait_for("recording");
    terminal.press("g");
    terminal.wait_for("go to");
    terminal.press("never\r");
    terminal.wait_for("moment");
    terminal.press("[]");
    terminal.press("q");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn top_opens_a_process_and_q_comes_back() {
    let folder = tempfile::tempdir().expect("room for a folder");
    let program = folder.path().join("opened-by-top");
    fdscope_fixtures::copy_program(c("many"), &program);
    let _fixture = Fixture::start(&program, &["descriptors=40"]);
    let mut terminal = Terminal::start(&["top"]);
    terminal.wait_for("COMMAND");
    terminal.press("fopened-by-top\r\r");
    terminal.wait_for("Sites");
    terminal.press("q");
    terminal.wait_for("danger");
    terminal.press("q");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn a_target_that_cannot_be_watched_is_said_before_the_screen_is_taken() {
    // No number is so high (include/linux/threads.h, `PID_MAX_LIMIT`).
    for target in ["no-such-process-anywhere", "4194305"] {
        let mut terminal = Terminal::start(&["watch", target]);
        let status = terminal.child.wait().expect("a child of ours");
        assert_eq!(status.code(), Some(4));
        terminal.wait_for("fdscope:");
        assert!(!terminal.seen.windows(8).any(|part| part == ENTER.as_bytes()));
    }
}

#[test]
fn without_a_terminal_it_says_what_scripts_can_use() {
    let check = |arguments: &[&str], said: &str| {
        let output = run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said) && output.stdout.is_empty(), "{arguments:?}: {stderr}");
    };
    check(&["top"], "fdscope ps --watch --json");
    check(&["watch", "1"], "fdscope leak PID --json");
    let mut terminal = Terminal::with(&["top"], 80, 24, |command| command.env("TERM", "dumb"));
    assert_eq!(terminal.child.wait().expect("a child of ours").code(), Some(2));
    terminal.wait_for("dumb");
}
