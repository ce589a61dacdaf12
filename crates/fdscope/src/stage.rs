//! The terminal as a stage for whole screens: taken, drawn on, listened to, and always given back as it was.
//!
//! Given back by `Drop`, by the panic hook, and before the program is stopped; signals end the wait for input and are
//! told as [`Heard`], so that nothing is left to a signal handler. What is drawn is the business of `fdscope-tui`.

use std::io::{self, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use anyhow::Result;
use crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};
use fdscope_tui::{Input, Key};
use ratatui_core::buffer::Buffer;
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};

use crate::ending::{Ending, Failure};

/// The other screen, no cursor, the mouse's buttons and wheel by SGR reports (xterm's ctlseqs).
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1006h";
/// All that undone, colours and line wrapping as they are by default.
const LEAVE: &str = "\x1b[?1006l\x1b[?1000l\x1b[0m\x1b[?25h\x1b[?1049l";

/// What the terminal was like, while it is taken.
static TAKEN: Mutex<Option<Termios>> = Mutex::new(None);

/// What came while waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A key, the mouse, another size.
    Input(Input),
    /// Somebody wants us to stop until we are continued.
    Stop,
    /// The screen is to be drawn whole: somebody else may have written on it.
    Redraw,
    /// Somebody wants us to end, or the terminal is gone.
    End,
}

/// A taken terminal.
pub struct Stage {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    ended: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
    continued: Arc<AtomicBool>,
}

/// Fails, with what scripts can use instead, unless somebody sees the screen.
///
/// # Errors
/// If input or output is no terminal, or one that cannot be drawn on.
pub fn check(command: &str, instead: &str) -> Result<()> {
    let (stdin, stdout) = (io::stdin().is_terminal(), io::stdout().is_terminal());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let why = match (stdin && stdout, dumb) {
        (false, _) => "standard input and output are no terminal",
        (true, true) => "the terminal can only print lines (TERM is dumb or not set)",
        (true, false) => return Ok(()),
    };
    let what = format!("{command} draws on a whole screen, and {why}");
    Err(Failure::new(Ending::Usage, what).cure(format!("for scripts: {instead}")).into())
}

impl Stage {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If it does not let itself be drawn on.
    pub fn take() -> Result<Self> {
        let [ended, stopped, continued]: [Arc<AtomicBool>; 3] = Default::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&ended))?;
        }
        signal_hook::flag::register(SIGTSTP, Arc::clone(&stopped))?;
        signal_hook::flag::register(SIGCONT, Arc::clone(&continued))?;
        give_back_on_panic();
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let stage = Stage { terminal, ended, stopped, continued };
        enter()?;
        Ok(stage)
    }

    /// Draws a frame; only what differs from the one before is written.
    ///
    /// # Errors
    /// If the terminal does not take it.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Buffer)) -> Result<()> {
        let done = self.terminal.draw(|frame| draw(frame.buffer_mut()));
        match done {
            Ok(_) => Ok(()),
            // A terminal that is gone ends us by the signal, or by the next wait.
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for input at most this long.
    ///
    /// # Errors
    /// If the terminal cannot be read.
    pub fn wait(&mut self, time: Duration) -> Result<Option<Heard>> {
        if let Some(heard) = self.signalled() {
            return Ok(Some(heard));
        }
        // What came in one piece may have been read already.
        if event::poll(Duration::ZERO)? {
            return read();
        }
        let stdin = io::stdin();
        let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
        let timeout =
            Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        // An interrupted wait is one that ends early.
        let came = poll(&mut watched, Some(&timeout)).unwrap_or(0) > 0;
        if let Some(heard) = self.signalled() {
            return Ok(Some(heard));
        }
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        if came && watched.iter().any(|fd| fd.revents().intersects(gone)) {
            return Ok(Some(Heard::End));
        }
        // Also without input: a new size comes by a signal that interrupted the wait.
        if event::poll(Duration::ZERO)? { read() } else { Ok(None) }
    }

    fn signalled(&mut self) -> Option<Heard> {
        if self.ended.load(Ordering::Relaxed) {
            return Some(Heard::End);
        }
        if self.stopped.swap(false, Ordering::Relaxed) {
            return Some(Heard::Stop);
        }
        if self.continued.swap(false, Ordering::Relaxed) {
            // Whoever stopped us may have changed the terminal.
            let _gone = enter();
            let _gone = self.redraw();
            return Some(Heard::Redraw);
        }
        None
    }

    /// Gives the terminal back and stops, as the shell expects of SIGTSTP; comes back when continued.
    ///
    /// # Errors
    /// If the terminal cannot be taken again.
    pub fn stop(&mut self) -> Result<()> {
        leave();
        signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
        self.continued.store(false, Ordering::Relaxed);
        enter()?;
        self.redraw()
    }

    /// Forgets what is on the screen, so that the next frame is written whole.
    ///
    /// # Errors
    /// If the terminal does not take it.
    pub fn redraw(&mut self) -> Result<()> {
        // Not `clear`, which asks the terminal where its cursor is, and waits for the answer.
        let size = self.terminal.size()?;
        Ok(self.terminal.resize(size.into())?)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        leave();
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
        || error.kind() == io::ErrorKind::BrokenPipe
}

fn enter() -> io::Result<()> {
    let stdin = io::stdin();
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = match taken.take() {
        Some(before) => before,
        None => tcgetattr(&stdin)?,
    };
    let mut raw = before.clone();
    raw.make_raw();
    *taken = Some(before);
    tcsetattr(&stdin, OptionalActions::Now, &raw)?;
    let mut out = io::stdout().lock();
    out.write_all(ENTER.as_bytes())?;
    out.flush()
}

/// Gives the terminal back, if it is taken.
fn leave() {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(before) = taken.take() else { return };
    let mut out = io::stdout().lock();
    // A terminal that is gone needs nothing back.
    let _gone = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
    let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &before);
}

/// A panic's message is to be read on the screen that stays.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
    });
}

fn read() -> Result<Option<Heard>> {
    Ok(input(&event::read()?).map(Heard::Input))
}

fn input(event: &event::Event) -> Option<Input> {
    match event {
        event::Event::Key(key) if key.kind != KeyEventKind::Release => {
            key_of(key.code, key.modifiers).map(Input::Key)
        }
        event::Event::Mouse(mouse) => {
            let (column, row) = (mouse.column, mouse.row);
            match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => Some(Input::Click { column, row }),
                MouseEventKind::ScrollUp => Some(Input::Wheel { column, row, up: true }),
                MouseEventKind::ScrollDown => Some(Input::Wheel { column, row, up: false }),
                _ => None,
            }
        }
        event::Event::Resize(..) => Some(Input::Resize),
        _ => None,
    }
}

fn key_of(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    let control = modifiers.contains(KeyModifiers::CONTROL);
    Some(match code {
        KeyCode::Char(c) if control => Key::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Tab if modifiers.contains(KeyModifiers::SHIFT) => Key::BackTab,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}
