//! What came and went lately: the log that the live screen shows beside the verdicts.
//!
//! Only the latest are kept, and nothing is asked of the kernel while events pour in: names are those that the sampling
//! finds out, or that are asked for when the log is shown.

use std::collections::{HashMap, VecDeque};

use fdscope_model::{
    AcquireCause, Body, Event, FdNumber, HandleKey, HandleKind, Monotonic, Name, Pid, ReleaseCause,
    StackId, Symbolizer, Trace,
};
use fdscope_render::{Charset, site};
use fdscope_tui::watch::Happening;

/// Lines that are kept.
const MOST: usize = 400;
/// Living handles whose birth is remembered; of others the log does not know what they were.
const MOST_BIRTHS: usize = 65_536;

/// The log.
#[derive(Default)]
pub struct Happenings {
    /// The latest last.
    kept: VecDeque<Noted>,
    births: HashMap<HandleKey, Birth>,
    number: u64,
    functions: HashMap<StackId, String>,
}

/// A line.
#[derive(Clone)]
struct Noted {
    number: u64,
    at: Monotonic,
    came: bool,
    pid: Pid,
    key: HandleKey,
    kind: Option<HandleKind>,
    name: Name,
    how: &'static str,
    stack: Option<StackId>,
    /// When it came; `None` if that was before the watch, or not seen.
    born: Option<Monotonic>,
}

struct Birth {
    kind: HandleKind,
    /// `None` for what was there before.
    at: Option<Monotonic>,
    name: Option<Name>,
}

impl Happenings {
    /// Takes an event whose stack is known by number.
    pub fn note(&mut self, event: &Event<'_>) {
        match &event.body {
            Body::Acquire(acquire) => {
                let (how, seen) = match acquire.cause {
                    AcquireCause::Call(call)
                    | AcquireCause::Dup(call, _)
                    | AcquireCause::Ring(call) => (call, true),
                    AcquireCause::Found => ("found", true),
                    AcquireCause::Existing | AcquireCause::Inherited => ("", false),
                };
                let at = seen.then_some(event.at);
                if self.births.len() < MOST_BIRTHS || self.births.contains_key(&acquire.key) {
                    let birth = Birth { kind: acquire.kind, at, name: acquire.name.clone() };
                    self.births.insert(acquire.key, birth);
                }
                if seen {
                    let kind = Some(acquire.kind);
                    let name = acquire.name.clone().unwrap_or_default();
                    self.push(event, true, acquire.key, (kind, name, at), how, &acquire.trace);
                }
            }
            Body::Release(release) => {
                let how = match release.cause {
                    ReleaseCause::Call(call) | ReleaseCause::Ring(call) => call,
                    ReleaseCause::DupOver => "dup2",
                    ReleaseCause::Exec => "exec",
                    ReleaseCause::Exit => "exit",
                    ReleaseCause::Vanished => "found closed",
                };
                let birth = self.births.remove(&release.key);
                let known = birth.map_or((None, Name::default(), None), |birth| {
                    (Some(birth.kind), birth.name.unwrap_or_default(), birth.at)
                });
                self.push(event, false, release.key, known, how, &release.trace);
            }
            _ => {}
        }
    }

    fn push(
        &mut self,
        event: &Event<'_>,
        came: bool,
        key: HandleKey,
        (kind, name, born): (Option<HandleKind>, Name, Option<Monotonic>),
        how: &'static str,
        trace: &Trace<'_>,
    ) {
        // Mappings come and go by the thousand, and the kinds count them.
        if matches!(key, HandleKey::Mapping(..)) {
            return;
        }
        let stack = match trace {
            Trace::Known(stack) => Some(*stack),
            _ => None,
        };
        self.number += 1;
        let (at, pid, number) = (event.at, event.pid, self.number);
        self.kept.push_back(Noted { number, at, came, pid, key, kind, name, how, stack, born });
        if self.kept.len() > MOST {
            self.kept.pop_front();
        }
    }

    /// Tells what a descriptor born then is called.
    pub fn name(&mut self, pid: Pid, fd: FdNumber, born: Monotonic, name: &Name) {
        for noted in self.kept.iter_mut().rev() {
            if noted.pid == pid && noted.key.fd() == Some(fd) && noted.born == Some(born) {
                noted.name = name.clone();
                break;
            }
        }
        for birth in self
            .births
            .iter_mut()
            .filter(|(key, birth)| key.fd() == Some(fd) && birth.at == Some(born))
        {
            birth.1.name = Some(name.clone());
        }
    }

    /// The log, the latest first. `named` tells what a descriptor born then is called, if it can.
    pub fn shown(
        &mut self,
        stacks: &mut dyn Symbolizer,
        named: &dyn Fn(Pid, HandleKey, Monotonic) -> Option<(Name, HandleKind)>,
    ) -> Vec<Happening> {
        let Happenings { kept, births, functions, .. } = self;
        let mut shown = Vec::with_capacity(kept.len());
        for noted in kept.iter_mut().rev() {
            if noted.name.is_empty()
                && let Some(born) = noted.born
                && let Some((name, kind)) = named(noted.pid, noted.key, born)
            {
                noted.name = name.clone();
                let vague = [None, Some(HandleKind::UnknownDescriptor)];
                if vague.contains(&noted.kind) {
                    noted.kind = Some(kind);
                }
                // For the line that tells of its end.
                if let Some(birth) = births.get_mut(&noted.key)
                    && birth.at == Some(born)
                {
                    birth.name = Some(name);
                    birth.kind = noted.kind.unwrap_or(birth.kind);
                }
            }
            let function = noted.stack.map(|stack| function(functions, stacks, stack));
            shown.push(Happening {
                number: noted.number,
                at: noted.at,
                came: noted.came,
                pid: noted.pid,
                kind: noted.kind,
                fd: noted.key.fd(),
                name: noted.name.clone(),
                by: format!("{} {}", noted.how, function.unwrap_or_default()),
                lived_ns: noted.born.filter(|_| !noted.came).map(|born| noted.at.since_ns(born)),
            });
        }
        shown
    }
}

/// The function of a stack that is to be read first; empty for none.
fn function<'a>(
    known: &'a mut HashMap<StackId, String>,
    stacks: &mut dyn Symbolizer,
    stack: StackId,
) -> &'a str {
    known.entry(stack).or_insert_with(|| {
        let named = stacks.symbolize(stack);
        let frame = site::frame_at(&named.frames, named.at);
        // Escaped when it is drawn.
        frame.map_or_else(String::new, |frame| match &frame.symbol.function {
            Some(function) => function.clone(),
            None => site::offset(frame, Charset::Utf8),
        })
    })
}
