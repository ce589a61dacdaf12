//! `fdscope top`: every process on a live screen, and each of them on its own.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use fdscope_model::survey::{Bound, Survey};
use fdscope_model::{Monotonic, Name, Pid, ProcessId};
use fdscope_proc::ProcRoot;
use fdscope_proc::radar::Counting;
use fdscope_render::radar::WIDE;
use fdscope_sys::clock::monotonic_now;
use fdscope_tui::{Look, Outcome, Top as Screen};
use rustix::time::{ClockId, clock_gettime};

use crate::Done;
use crate::args::{Top, Watch};
use crate::commands::{leak, watch};
use crate::ending::{Ending, Failure};
use crate::stage::{self, Heard, Stage};
use crate::sweeper::Sweeper;
use crate::terminal;

/// Growth shows soon after the start.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Uses that the kernel does not tell are counted this often at most, and for this long.
const COUNT_EVERY_NS: u64 = 30_000_000_000;
const COUNT_WITHIN_NS: u64 = 100_000_000;

/// What a look took of a processor is waited for so many times before the next: looking takes less than 2 % of it.
const REST: u64 = 70;
/// However many processes there are.
const LONGEST: Duration = Duration::from_secs(10);

/// Runs the command.
pub fn run(arguments: &Top) -> Done {
    stage::check("fdscope top", "fdscope ps --watch --json")?;
    let proc = ProcRoot::open()?;
    let mut stage = Stage::take()?;
    let mut view = View::new(arguments, &proc);
    let shown = view.run(&mut stage);
    drop(stage);
    shown?;
    if view.watched {
        // Taking eBPF programs down takes the kernel seconds, for which nobody is to wait.
        fdscope_sys::linger::release_behind();
    }
    Ok(Ending::Done)
}

/// The radar with its screen.
struct View<'a> {
    arguments: &'a Top,
    proc: &'a ProcRoot,
    radar: Sweeper,
    look: Look,
    screen: Screen,
    users: HashMap<u32, Name>,
    bounds: Vec<Bound>,
    counted: Option<Monotonic>,
    /// What the last counting took of a processor: it has a pace of its own.
    counting_ns: u64,
    /// Command lines, with the names that the processes had when they were read.
    lines: HashMap<ProcessId, (Name, Option<Name>)>,
    /// A process was opened.
    watched: bool,
}

impl<'a> View<'a> {
    fn new(arguments: &'a Top, proc: &'a ProcRoot) -> Self {
        let (look, users) = (terminal::look(arguments.color), proc.users());
        View {
            arguments,
            proc,
            radar: Sweeper::new(proc.clone()),
            look,
            screen: Screen::new(look, users.clone(), arguments.sort.word()),
            users,
            bounds: Vec::new(),
            counted: None,
            counting_ns: 0,
            lines: HashMap::new(),
            watched: false,
        }
    }

    fn run(&mut self, stage: &mut Stage) -> Result<()> {
        let mut next = Monotonic(0);
        let mut wait = FIRST_WAIT.min(self.arguments.interval);
        let mut dirty = true;
        loop {
            let (now, before_ns) = (monotonic_now(), processor_ns());
            let looks = now >= next;
            self.counting_ns = 0;
            if looks {
                let survey = self.survey()?;
                dirty |= self.screen.take(survey, self.bounds.clone());
            }
            if std::mem::take(&mut dirty) {
                stage.draw(|buffer| self.screen.draw(buffer))?;
            }
            if looks {
                next = Monotonic(now.0.saturating_add(wait.as_nanos() as u64));
                let took_ns = processor_ns().saturating_sub(before_ns + self.counting_ns);
                let rest = Duration::from_nanos(took_ns.saturating_mul(REST)).min(LONGEST);
                wait = self.arguments.interval.max(rest);
            }
            let left = Duration::from_nanos(next.since_ns(monotonic_now()));
            let Some(heard) = stage.wait(left)? else { continue };
            let outcome = match heard {
                Heard::Input(input) => self.screen.input(input),
                Heard::Stop => Outcome::Suspend,
                Heard::Redraw => Outcome::Redraw,
                Heard::End => return Ok(()),
            };
            match outcome {
                Outcome::Quit => return Ok(()),
                Outcome::Suspend => stage.stop()?,
                Outcome::Anew => stage.redraw()?,
                Outcome::Open(pid) => {
                    if self.open(stage, pid)? == watch::Left::End {
                        return Ok(());
                    }
                    next = Monotonic(0);
                }
                Outcome::Nothing | Outcome::Jump(_) => continue,
                Outcome::Redraw => {}
            }
            dirty = true;
        }
    }

    fn survey(&mut self) -> Result<Survey> {
        let mut survey = self.radar.sweep()?;
        self.arguments.sort.sort(&mut survey.processes, &self.users);
        self.count(&survey);
        if terminal::columns() >= WIDE {
            self.name(&mut survey);
        }
        Ok(survey)
    }

    /// The limits that processes share: what is dear to count is counted now and then.
    fn count(&mut self, survey: &Survey) {
        let fresh = self.counted.is_some_and(|at| survey.at.since_ns(at) < COUNT_EVERY_NS);
        let counting = if fresh { Counting::Nothing } else { Counting::Within(COUNT_WITHIN_NS) };
        let before_ns = processor_ns();
        let mut bounds = self.radar.bounds(survey, counting);
        if !fresh {
            self.counted = Some(survey.at);
            self.counting_ns = processor_ns().saturating_sub(before_ns);
        }
        for bound in bounds.iter_mut().filter(|bound| bound.used.is_none()) {
            if let Some(known) = self.bounds.iter().find(|known| known.name == bound.name) {
                *bound = known.clone();
            }
        }
        self.bounds = bounds;
    }

    /// Reads the command lines of processes that are new or run another program.
    fn name(&mut self, survey: &mut Survey) {
        let mut before = std::mem::take(&mut self.lines);
        for vitals in &mut survey.processes {
            let known = before.remove(&vitals.id).filter(|known| known.0 == vitals.comm);
            let line = known.unwrap_or_else(|| {
                self.radar.read_cmdlines(std::slice::from_mut(vitals));
                (vitals.comm.clone(), vitals.cmdline.clone())
            });
            vitals.cmdline.clone_from(&line.1);
            self.lines.insert(vitals.id, line);
        }
    }

    /// Watches one process until its user comes back.
    fn open(&mut self, stage: &mut Stage, pid: Pid) -> Result<watch::Left> {
        let arguments = Watch::of_process(pid, self.arguments.color);
        let opened = leak::targets(self.proc, &arguments.to_leak()).and_then(|processes| {
            leak::check_readable(self.proc, &processes)?;
            watch::show(stage, self.proc, &arguments, processes, self.look)
        });
        match opened {
            Ok(shown) => {
                self.watched = true;
                Ok(shown.take_down())
            }
            Err(error) => {
                let why = error.downcast_ref::<Failure>().map(|failure| failure.what.clone());
                self.screen.tell(why.unwrap_or_else(|| format!("{error:#}")));
                Ok(watch::Left::Quit)
            }
        }
    }
}

/// Processor time that the program has used.
fn processor_ns() -> u64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as u64 * 1_000_000_000 + used.tv_nsec as u64
}
