//! The same screen of a recording: every moment is a replay up to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use fdscope_model::{HandleKey, HandleKind, Monotonic, Name, Pid, SocketState};
use fdscope_proc::pattern;
use fdscope_record::Record;
use fdscope_tui::watch::{Moment, Standing};
use fdscope_tui::{Jump, Outcome, Watch as Screen};

use super::moment::{Past, compare, count_kinds};
use crate::Done;
use crate::args::{Moment as When, Span, Watch as Arguments, parse_moment};
use crate::ending::Ending;
use crate::live::happenings::Happenings;
use crate::live::replay::{Replay, replay, replay_seen};
use crate::stage::{Heard, Stage};
use crate::{machine, terminal};

/// How long a wait for keys is: nothing else can come.
const LONG: Duration = Duration::from_secs(3600);
/// So many steps lead through a recording.
const STEPS: u64 = 20;
/// Samples that sparklines are made of.
const SAMPLES: u64 = 50;
/// No step is shorter.
const LEAST_STEP_NS: u64 = 1_000_000_000;

/// Shows a recording until its user leaves.
pub fn run(arguments: &Arguments) -> Done {
    let mut player = Player::open(arguments)?;
    let mut stage = Stage::take()?;
    let mut screen = Screen::new(terminal::look(arguments.color), "reading the recording");
    screen.take(player.moment()?);
    loop {
        stage.draw(|buffer| screen.draw(buffer))?;
        let Some(heard) = stage.wait(LONG)? else { continue };
        let outcome = match heard {
            Heard::Input(input) => screen.input(input),
            Heard::Stop => Outcome::Suspend,
            Heard::Redraw => Outcome::Redraw,
            Heard::End => Outcome::Quit,
        };
        match outcome {
            Outcome::Quit => return Ok(Ending::Done),
            Outcome::Suspend => stage.stop()?,
            Outcome::Anew => stage.redraw()?,
            Outcome::Jump(jump) => match player.jump(&jump) {
                Ok(()) => drop(screen.take(player.moment()?)),
                Err(why) => screen.tell(why),
            },
            _ => {}
        }
    }
}

/// A recording with a moment of it.
struct Player<'a> {
    path: &'a Path,
    span: Span,
    begun: Monotonic,
    ended: Monotonic,
    at: Monotonic,
    opening: fdscope_record::Opening,
}

impl<'a> Player<'a> {
    fn open(arguments: &'a Arguments) -> Result<Self> {
        let path = Path::new(&arguments.target);
        let whole = replay(path, &Span { to: None, ..arguments.span.clone() })?;
        let opening = whole.opening.clone();
        let (from, to) = arguments.span.moments(&opening);
        let begun = from.unwrap_or(opening.begun).max(opening.begun);
        let ended = whole.now.max(begun);
        let at = to.unwrap_or(ended).clamp(begun, ended);
        Ok(Player { path, span: arguments.span.clone(), begun, ended, at, opening })
    }

    fn jump(&mut self, jump: &Jump) -> Result<(), String> {
        let step_ns = (self.ended.since_ns(self.begun) / STEPS).max(LEAST_STEP_NS);
        let to = match jump {
            Jump::Back => Monotonic(self.at.0.saturating_sub(step_ns)),
            Jump::Forward => Monotonic(self.at.0.saturating_add(step_ns)),
            Jump::To(text) => parse_moment(text.trim())?.at(&self.opening),
        };
        self.at = to.clamp(self.begun, self.ended);
        Ok(())
    }

    fn moment(&self) -> Result<Moment> {
        let to = (self.at < self.ended).then(|| When::After(self.at.since_ns(self.opening.begun)));
        let mut log = Happenings::default();
        let mut past = Past::default();
        let every_ns = self.at.since_ns(self.begun) / SAMPLES;
        let mut next = self.begun;
        let span = Span { to, ..self.span.clone() };
        let mut replay = replay_seen(self.path, &span, &mut |before, record| match record {
            Record::Event(event) => log.note(event),
            Record::Descriptor(pid, fd, born, name) => log.name(*pid, *fd, *born, name),
            Record::Sample(sample) if sample.at >= next => {
                next = Monotonic(sample.at.0.saturating_add(every_ns));
                past.push(sample.at, count_kinds(&before.ledger, &before.ledger.pids()));
            }
            _ => {}
        })?;
        let pids = replay.ledger.pids();
        past.push(replay.now, count_kinds(&replay.ledger, &pids));
        let report = replay.report(machine::typed_command(), &[]);
        let sockets = count_sockets(&replay, &pids);
        let Replay { names, stacks, .. } = &mut replay;
        let named = |pid, key: HandleKey, _| match key {
            HandleKey::Thread(tid) => Some((names.thread(pid, tid)?, HandleKind::Thread)),
            _ => None,
        };
        let happenings = log.shown(stacks, &named);
        Ok(Moment {
            standing: Standing::Replay {
                at_ns: self.at.since_ns(self.opening.begun),
                length_ns: self.ended.since_ns(self.opening.begun),
            },
            kinds: past.rows(),
            sockets: compare(&[], sockets),
            threads: Vec::new(),
            happenings,
            notes: Vec::new(),
            report,
        })
    }
}

/// Sockets by what the recording says of their ends; their states are in those words.
fn count_sockets(replay: &Replay, pids: &[Pid]) -> BTreeMap<(Option<SocketState>, Name), u64> {
    let mut groups = BTreeMap::new();
    for &pid in pids {
        let handles = replay.ledger.live(pid).into_iter();
        for handle in handles.filter(|handle| handle.kind == HandleKind::Socket) {
            let name = replay.names.descriptor(pid, handle.fd).unwrap_or_default();
            *groups.entry((None, pattern(HandleKind::Socket, &name))).or_default() += 1;
        }
    }
    groups
}
