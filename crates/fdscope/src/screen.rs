//! A screen that is redrawn in place, and given back as it was.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};

/// The other screen, without cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Why a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Awaited {
    /// The time is over, or the screen needs another drawing.
    Time,
    /// Somebody wants it to end.
    End,
}

/// Waits for time, signals and keys; and, on a terminal, the screen to draw on.
pub struct Screen {
    ended: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
    /// What the terminal was like, while it is taken.
    taken: Option<Taken>,
}

struct Taken {
    before: Option<Termios>,
}

impl Screen {
    /// Without a terminal: only waits.
    pub fn unseen() -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&ended))?;
        }
        Ok(Screen { ended, stopped: Arc::new(AtomicBool::new(false)), taken: None })
    }

    /// Takes the terminal of standard output.
    pub fn take() -> io::Result<Self> {
        let mut screen = Screen::unseen()?;
        signal_hook::flag::register(SIGTSTP, Arc::clone(&screen.stopped))?;
        screen.enter()?;
        Ok(screen)
    }

    /// Draws a page, of which only the first `rows` lines fit.
    pub fn draw(&self, page: &str, rows: usize) -> io::Result<()> {
        let mut frame = String::from("\x1b[H");
        for (index, line) in page.lines().take(rows).enumerate() {
            if index > 0 {
                frame.push_str("\r\n");
            }
            frame.push_str(line);
            frame.push_str("\x1b[K");
        }
        frame.push_str("\x1b[J");
        let mut out = io::stdout().lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }

    /// Waits for the time to pass, a key or a signal.
    pub fn wait(&mut self, time: Duration) -> io::Result<Awaited> {
        if self.ended.load(Ordering::Relaxed) {
            return Ok(Awaited::End);
        }
        let timeout =
            Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        let stdin = io::stdin();
        let keys = self.taken.as_ref().is_some_and(|taken| taken.before.is_some());
        let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
        let watched = if keys { &mut watched[..] } else { &mut [] };
        // An interrupted wait is one that ends early.
        let readable = poll(watched, Some(&timeout)).unwrap_or(0) > 0;
        let quits = readable && wants_to_quit();
        if self.stopped.swap(false, Ordering::Relaxed) {
            self.leave();
            signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
            self.enter()?;
        }
        Ok(if quits || self.ended.load(Ordering::Relaxed) { Awaited::End } else { Awaited::Time })
    }

    fn enter(&mut self) -> io::Result<()> {
        let stdin = io::stdin();
        let before = stdin.is_terminal().then(|| tcgetattr(&stdin).ok()).flatten();
        if let Some(before) = &before {
            // Keys at once and unseen; Ctrl-C and Ctrl-Z still make signals.
            let mut modes = before.clone();
            modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            // Of a terminal that refuses, keys are read line by line.
            let _refused = tcsetattr(&stdin, OptionalActions::Now, &modes);
        }
        self.taken = Some(Taken { before });
        let mut out = io::stdout().lock();
        out.write_all(ENTER.as_bytes())?;
        out.flush()
    }

    fn leave(&mut self) {
        let Some(taken) = self.taken.take() else { return };
        let mut out = io::stdout().lock();
        // A terminal that is gone needs nothing back.
        let _gone = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
        if let Some(before) = &taken.before {
            let _gone = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Reads the keys typed; true if one of them ends it. So does the end of the input.
fn wants_to_quit() -> bool {
    let mut keys = [0; 64];
    match rustix::io::read(io::stdin(), &mut keys) {
        Ok(0) => true,
        Ok(length) => keys[..length].iter().any(|key| matches!(key, b'q' | b'Q' | 4)),
        Err(_) => false,
    }
}
