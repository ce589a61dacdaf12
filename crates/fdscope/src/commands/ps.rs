//! `fdscope` and `fdscope ps`: the radar.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use fdscope_model::survey::{Bound, Survey, Vitals};
use fdscope_model::{Monotonic, Name};
use fdscope_proc::ProcRoot;
use fdscope_proc::radar::Counting;
use fdscope_render::json::radar as json;
use fdscope_render::radar::{self as text, Order};
use fdscope_sys::clock::{monotonic_now, wall_now_ns};

use crate::Done;
use crate::args::{Glance, Ps};
use crate::commands::card;
use crate::ending::{Ending, Failure};
use crate::live::replay::is_recording;
use crate::machine;
use crate::past::{self, Past};
use crate::screen::{Awaited, Screen};
use crate::sweeper::Sweeper;
use crate::terminal;

/// Between looks where `fdscope` alone is typed on a terminal.
const EVERY: Duration = Duration::from_secs(2);
/// Growth shows soon after the start.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Uses that the kernel does not tell are counted anew not more often than this, while the table is redrawn.
const COUNT_EVERY_NS: u64 = 20_000_000_000;
/// What counting them may take on a terminal.
const COUNT_WITHIN_NS: u64 = 150_000_000;
/// Lines of a screen that are neither rows of the table nor limits.
const BESIDE_TABLE: usize = 8;
/// Rows of the table, however low the screen is.
const LEAST_ROWS: usize = 5;

/// `fdscope` without a command: all processes, live on a terminal.
pub fn glance(glance: &Glance) -> Done {
    let Glance { json, color, .. } = *glance;
    if let Some(target) = &glance.target {
        if is_recording(target) {
            return card::of_recording(target, &glance.span, json, color);
        }
        past::refuse(&glance.span)?;
        return card::run(target, json, color);
    }
    past::refuse(&glance.span)?;
    let live = !json && terminal::can_redraw();
    run(&Ps {
        pattern: None,
        sort: Order::Danger,
        top: None,
        watch: live.then_some(EVERY),
        interval: None,
        limits: false,
        json,
        color,
        span: glance.span.clone(),
    })
}

/// Runs the command.
pub fn run(ps: &Ps) -> Done {
    if let Some(file) = ps.pattern.as_ref().filter(|pattern| is_recording(pattern)) {
        return of_recording(ps, file);
    }
    past::refuse(&ps.span)?;
    let root = ProcRoot::open()?;
    let mut view = View::new(ps, root);
    match ps.watch {
        Some(every) if !ps.json && terminal::can_redraw() => view.redraw(every),
        Some(every) => view.repeat(every),
        None => view.once(),
    }
}

/// The processes of a recording, as they were.
pub fn of_recording(ps: &Ps, file: &str) -> Done {
    if ps.watch.is_some() || ps.interval.is_some() || ps.limits {
        let what = "--watch, --interval and --limits look at living processes";
        return Err(Failure::new(Ending::Usage, what).into());
    }
    let past = Past::open(file, &ps.span)?;
    let mut survey = past.survey();
    let users = if past.is_of_this_boot() { ProcRoot::open()?.users() } else { HashMap::new() };
    ps.sort.sort(&mut survey.processes, &users);
    past.say(&[]);
    let text = if ps.json {
        let (machine, taken_at_ns) = (past.machine(), past.wall_ns());
        let frame = json::Frame { machine, taken_at_ns, bounds: &[], top: ps.top, left_out: 0 };
        json::radar(&survey, frame)
    } else {
        let next = std::io::stdout().is_terminal().then(|| {
            (format!("fdscope leak {file}"), "which of them leaks, and from which line".to_owned())
        });
        let (top, left_out) = (ps.top, 0);
        let radar = text::Radar {
            survey: &survey,
            bounds: &[],
            users: &users,
            top,
            left_out,
            head: None,
            next,
        };
        text::page(&radar, terminal::form(ps.color))
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Ending::Done)
}

/// The radar and what is to be shown of it.
struct View<'a> {
    ps: &'a Ps,
    radar: Sweeper,
    users: HashMap<u32, Name>,
}

/// One look, sorted and chosen from.
struct Look {
    survey: Survey,
    bounds: Vec<Bound>,
    left_out: u64,
}

impl<'a> View<'a> {
    fn new(ps: &'a Ps, root: ProcRoot) -> Self {
        View { ps, users: root.users(), radar: Sweeper::new(root) }
    }

    fn once(&mut self) -> Done {
        let mut look = self.look(self.counting())?;
        if let Some(interval) = self.ps.interval {
            if Screen::unseen()?.wait(interval)? == Awaited::End {
                return Ok(Ending::Done);
            }
            look = self.look(self.counting())?;
        }
        if let (true, Some(pattern)) = (look.survey.processes.is_empty(), &self.ps.pattern) {
            return Err(nobody(pattern).into());
        }
        let text = self.write(&look, None, self.ps.top);
        std::io::stdout().lock().write_all(text.as_bytes())?;
        Ok(Ending::Done)
    }

    /// Table after table, or object after object, for a pipe.
    fn repeat(&mut self, every: Duration) -> Done {
        let mut screen = Screen::unseen()?;
        let mut gap = "";
        loop {
            let look = self.look(self.counting())?;
            let text = self.write(&look, None, self.ps.top);
            let mut out = std::io::stdout().lock();
            out.write_all(gap.as_bytes())?;
            out.write_all(text.as_bytes())?;
            out.flush()?;
            drop(out);
            gap = if self.ps.json { "" } else { "\n" };
            if screen.wait(every)? == Awaited::End {
                return Ok(Ending::Done);
            }
        }
    }

    /// The table in place, on a terminal; the last one stays.
    fn redraw(&mut self, every: Duration) -> Done {
        let mut screen = Screen::take()?;
        let mut counted = Bounds::default();
        let mut wait = FIRST_WAIT.min(every);
        loop {
            let mut look = self.look(counted.counting(self))?;
            counted.refresh(&mut look);
            let rows = terminal::rows();
            let room = rows.saturating_sub(look.bounds.len() + BESIDE_TABLE).max(LEAST_ROWS);
            let top = Some(self.ps.top.unwrap_or(usize::MAX).min(room));
            let head = self.head(&look, every);
            screen.draw(&self.write(&look, Some(head), top), rows)?;
            if screen.wait(wait)? == Awaited::End {
                drop(screen);
                let last = self.write(&look, None, top);
                std::io::stdout().lock().write_all(last.as_bytes())?;
                return Ok(Ending::Done);
            }
            wait = every;
        }
    }

    fn head(&self, look: &Look, every: Duration) -> String {
        let count = look.survey.processes.len();
        format!(
            "fdscope  {count} processes by {}, every {} s; q quits",
            self.ps.sort.word(),
            every.as_secs_f64()
        )
    }

    /// Everything is counted where somebody waits for it and sees it.
    fn counting(&self) -> Counting {
        match self.ps.limits {
            true => Counting::Everything,
            false if std::io::stdout().is_terminal() => Counting::Within(COUNT_WITHIN_NS),
            false => Counting::Nothing,
        }
    }

    fn look(&mut self, counting: Counting) -> Result<Look> {
        let mut survey = self.radar.sweep()?;
        let bounds = match (&self.ps.pattern, self.ps.limits) {
            (Some(_), false) => Vec::new(),
            _ => self.radar.bounds(&survey, counting),
        };
        let all = survey.processes.len();
        if let Some(pattern) = &self.ps.pattern {
            choose(&self.radar, &mut survey.processes, pattern);
        }
        let left_out = (all - survey.processes.len()) as u64;
        self.ps.sort.sort(&mut survey.processes, &self.users);
        let width = terminal::form(self.ps.color).width;
        if self.ps.json || width >= text::WIDE {
            let top = self.ps.top.unwrap_or(usize::MAX).min(survey.processes.len());
            self.radar.read_cmdlines(&mut survey.processes[..top]);
        }
        Ok(Look { survey, bounds, left_out })
    }

    fn write(&self, look: &Look, head: Option<String>, top: Option<usize>) -> String {
        if self.ps.json {
            let (machine, taken_at_ns) = (machine::describe(), wall_now_ns());
            let (left_out, bounds) = (look.left_out, look.bounds.as_slice());
            let frame = json::Frame { machine: &machine, taken_at_ns, bounds, top, left_out };
            return json::radar(&look.survey, frame);
        }
        let terminal = std::io::stdout().is_terminal();
        let radar = text::Radar {
            survey: &look.survey,
            bounds: &look.bounds,
            users: &self.users,
            top,
            left_out: look.left_out,
            head,
            next: terminal.then(|| next(&look.survey)).flatten(),
        };
        text::page(&radar, terminal::form(self.ps.color))
    }
}

/// The limits shown while the table is redrawn: what is dear to count is counted now and then.
#[derive(Default)]
struct Bounds {
    bounds: Vec<Bound>,
    counted: Option<Monotonic>,
}

impl Bounds {
    /// What is to be counted by the next look.
    fn counting(&self, view: &View<'_>) -> Counting {
        let is_fresh = |counted: Monotonic| monotonic_now().since_ns(counted) < COUNT_EVERY_NS;
        if self.counted.is_some_and(is_fresh) { Counting::Nothing } else { view.counting() }
    }

    /// Takes what a look counted, and gives it what only an earlier one did.
    fn refresh(&mut self, look: &mut Look) {
        let is_counted = |bounds: &[Bound]| bounds.iter().all(|bound| bound.used.is_some());
        if self.counted.is_none() || is_counted(&look.bounds) {
            self.counted = Some(look.survey.at);
            self.bounds = look.bounds.clone();
            return;
        }
        for bound in look.bounds.iter_mut().filter(|bound| bound.used.is_none()) {
            if let Some(known) = self.bounds.iter().find(|known| known.name == bound.name) {
                *bound = known.clone();
            }
        }
    }
}

/// Keeps the processes that the pattern names: by number, or by a text in `comm` or the command line.
fn choose(radar: &Sweeper, processes: &mut Vec<Vitals>, pattern: &str) {
    let by_number = |vitals: &Vitals| pattern.parse() == Ok(vitals.id.pid.0);
    if processes.iter().any(by_number) {
        return processes.retain(by_number);
    }
    radar.read_cmdlines(processes);
    let own = std::process::id();
    processes.retain(|vitals| {
        let line = vitals.cmdline.as_ref().map_or(&[][..], Name::bytes);
        // fdscope's own command line has the pattern in it.
        vitals.id.pid.0 != own
            && (has(vitals.comm.bytes(), pattern.as_bytes()) || has(line, pattern.as_bytes()))
    });
}

/// True if `part` stands somewhere in `text`; a blank in it stands for the end of an argument, too.
fn has(text: &[u8], part: &[u8]) -> bool {
    let same = |(a, b): (&u8, &u8)| a == b || (*a == 0 && *b == b' ');
    part.is_empty() || text.windows(part.len()).any(|window| window.iter().zip(part).all(same))
}

fn nobody(pattern: &str) -> Failure {
    let shown = Name::from(pattern);
    Failure::new(
        Ending::TargetGone,
        format!("no process has \"{shown}\" in its name or command line"),
    )
}

/// The command for the process that is in most danger.
fn next(survey: &Survey) -> Option<(String, String)> {
    let worst = survey.processes.iter().max_by_key(|vitals| vitals.danger())?;
    let pid = worst.id.pid;
    let grows = worst.reached_in_s().is_some_and(|seconds| seconds < 86_400.0);
    Some(if grows || worst.danger().0 >= 70 {
        (format!("fdscope leak {pid}"), "names the code that does not close them".to_owned())
    } else {
        (format!("fdscope {pid}"), "what it holds, on one screen".to_owned())
    })
}
