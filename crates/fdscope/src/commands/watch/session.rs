//! A watch with its screen: events in, keys in, frames out.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use fdscope_model::{Monotonic, Pid, Process};
use fdscope_proc::ProcRoot;
use fdscope_stack::{StackOptions, Stacks};
use fdscope_tui::watch::Standing;
use fdscope_tui::{Look, Outcome, Watch as Screen};

use super::moment::Gathering;
use crate::args::Watch as Arguments;
use crate::commands::leak::is_compat;
use crate::live::happenings::Happenings;
use crate::live::source::{Live, Opened, Wanted, open};
use crate::live::watch::{Beside, Until, Watch};
use crate::stage::{Heard, Stage};

/// How long a wait for keys is once nothing else can come.
const LONG: Duration = Duration::from_secs(3600);

/// How a screen was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// By its user.
    Quit,
    /// By a signal, or the end of the terminal: the program is to end.
    End,
}

/// A watch that was left.
pub struct Shown {
    /// How.
    pub left: Left,
    /// Its source, stopped and not taken down yet: with eBPF that takes the kernel seconds, for which nobody is to
    /// wait.
    pub live: Live,
}

/// Shows a watch of these processes until its user leaves it.
///
/// # Errors
/// If no source of events can be had, the source breaks, or the terminal does.
pub fn show(
    stage: &mut Stage,
    proc: &ProcRoot,
    arguments: &Arguments,
    processes: Vec<Process>,
    look: Look,
) -> Result<Shown> {
    let screen = Screen::new(look, "looking at the target and opening a source of events");
    let mut session = Session { stage, screen, left: None, dirty: true, sampled: Monotonic(0) };
    session.draw()?;
    let (mut watch, mut gathering) = begin(proc, arguments, &processes)?;
    let shown = session.run(&mut watch, &mut gathering);
    let stopped = watch.live.stop();
    let shown = Shown { left: shown?, live: watch.live };
    stopped.map(|()| shown)
}

fn begin(
    proc: &ProcRoot,
    arguments: &Arguments,
    processes: &[Process],
) -> Result<(Watch, Gathering)> {
    let leak = arguments.to_leak();
    let pids: Vec<Pid> = processes.iter().map(|process| process.id.pid).collect();
    let compat = pids.iter().any(|&pid| is_compat(pid));
    let Opened { live, fallbacks, .. } = open(proc, &Wanted { leak: &leak, pids: &pids, compat })?;
    let stacks = Stacks::new(StackOptions::from_environment(|name| std::env::var_os(name)));
    let beside = Beside { log: Some(Happenings::default()), ..Beside::default() };
    let watch = Watch::begin(live, proc.clone(), stacks, processes, leak.interval, false, beside)?;
    Ok((watch, Gathering::new(proc, processes, fallbacks)))
}

impl Shown {
    /// Takes the source down while the program goes on.
    pub fn take_down(self) -> Left {
        if let Live::Bpf(source, reader) = self.live {
            let down = std::thread::Builder::new();
            // Without another thread it takes the time that it takes.
            let _failed = down.spawn(move || drop((source, reader)));
        }
        self.left
    }

    /// Leaves the source to the end of the program, which is next.
    pub fn leave_behind(self) {
        if matches!(self.live, Live::Bpf(..)) {
            std::mem::forget(self.live);
            fdscope_sys::linger::release_behind();
        }
    }
}

/// A screen with what is to be done about it.
struct Session<'a> {
    stage: &'a mut Stage,
    screen: Screen,
    left: Option<Left>,
    dirty: bool,
    /// When the sample that is on the screen was taken.
    sampled: Monotonic,
}

impl Session<'_> {
    fn run(&mut self, watch: &mut Watch, gathering: &mut Gathering) -> Result<Left> {
        let never = AtomicBool::new(false);
        let until = Until { deadline: None, interrupted: &never };
        watch.run(&until, &mut |watch| {
            self.listen(Duration::ZERO, matches!(watch.live, Live::Ptrace(_)))?;
            if self.sampled != watch.sampled() {
                self.sampled = watch.sampled();
                let moment = gathering.moment(watch, Standing::Watching);
                self.dirty |= self.screen.take(moment);
            }
            self.draw()?;
            Ok(self.left.is_none())
        })?;
        if let Some(left) = self.left {
            return Ok(left);
        }
        self.dirty |= self.screen.take(gathering.moment(watch, Standing::Gone));
        self.screen.tell("the target ended; what was seen last stays. q leaves");
        self.dirty = true;
        loop {
            self.draw()?;
            self.listen(LONG, false)?;
            if let Some(left) = self.left {
                return Ok(left);
            }
        }
    }

    /// Hears everything that has come; waits at most this long for the first.
    fn listen(&mut self, time: Duration, holds_target: bool) -> Result<()> {
        let mut time = time;
        while self.left.is_none()
            && let Some(heard) = self.stage.wait(time)?
        {
            time = Duration::ZERO;
            let outcome = match heard {
                Heard::Input(input) => self.screen.input(input),
                Heard::Stop => Outcome::Suspend,
                Heard::Redraw => Outcome::Redraw,
                Heard::End => {
                    self.left = Some(Left::End);
                    continue;
                }
            };
            match outcome {
                Outcome::Quit => self.left = Some(Left::Quit),
                Outcome::Suspend if holds_target => {
                    self.screen.tell("not stopped: the target, held by ptrace, would be, too");
                }
                Outcome::Suspend => self.stage.stop()?,
                Outcome::Anew => self.stage.redraw()?,
                Outcome::Redraw => {}
                Outcome::Nothing | Outcome::Open(_) | Outcome::Jump(_) => continue,
            }
            self.dirty = true;
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<()> {
        if std::mem::take(&mut self.dirty) {
            let screen = &mut self.screen;
            self.stage.draw(|buffer| screen.draw(buffer))?;
        }
        Ok(())
    }
}
