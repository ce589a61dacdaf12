//! Python's own frames: from what a walk brought back to function, file and line.
//!
//! A walk (`fdscope-bpf` in the kernel, [`walk`] for stopped threads) brings addresses; code objects are read from
//! the process once each, soon after. What is learnt is kept in one table for the run, so that a stack's identity
//! does not hang on addresses. `find` and `release` know where interpreters keep things, `code` and `lines` what
//! code objects say, `splice` puts Python and native frames in one order.

mod code;
mod find;
mod lines;
mod release;
mod splice;
mod walk;

use std::rc::Rc;

use fdscope_model::{CodeAddr, InterpreterFrame, InterpreterLayout, Pid};

use crate::module::Modules;
use fdscope_model::hash::FastMap;

use code::Code;
use find::Finder;
use release::{Mark, Release};

pub use code::{read, word};
pub use find::bias;
pub use splice::splice;
pub use walk::Walker;

/// The most places remembered of a process; programs have some thousands.
const MOST_PLACES: usize = 65_536;
/// The most frames of a run.
const MOST_FRAMES: usize = 1 << 20;
/// Marks from this on are frames that stand for a native call (`FRAME_OWNED_BY_CSTACK` and later owners).
const SHIM: u64 = 3;

/// The interpreters of a run's processes, and the frames met.
#[derive(Debug, Default)]
pub struct Python {
    finder: Finder,
    processes: FastMap<Pid, Process>,
    frames: Vec<Rc<PythonFrame>>,
    numbers: FastMap<Rc<PythonFrame>, u64>,
}

/// A frame of Python code, whatever process it was met in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PythonFrame {
    /// Function and file; `None` if its code was gone before it could be read.
    pub code: Option<(String, String)>,
    /// The line, or where the code was if it is gone.
    pub place: u64,
    /// True if this is the outermost frame of a native call of the evaluation loop.
    pub outermost: bool,
}

/// Code by address and fingerprint; `None` if it was gone when it was to be read.
type Codes = FastMap<(u64, u64), Option<Rc<Code>>>;

#[derive(Clone, Debug)]
struct Process {
    release: Release,
    codes: Rc<Codes>,
    places: Rc<FastMap<(InterpreterFrame, bool), u64>>,
}

impl Python {
    /// Looks for an interpreter in `pid`, and says how to walk its frames if there is one.
    pub fn find(&mut self, modules: &mut Modules, pid: Pid) -> Option<InterpreterLayout> {
        let found = self.finder.find(modules, pid)?;
        let known = self.processes.get(&pid).is_some_and(|known| known.release == found.release);
        if !known {
            let (codes, places) = Default::default();
            self.processes.insert(pid, Process { release: found.release, codes, places });
        }
        Some(found.layout)
    }

    /// `child` is a copy of `parent`: the code read so far is there too.
    pub fn fork(&mut self, parent: Pid, child: Pid) {
        if let Some(process) = self.processes.get(&parent).cloned() {
            self.processes.insert(child, process);
        }
    }

    /// `pid` is gone or runs something else.
    pub fn forget(&mut self, pid: Pid) {
        self.processes.remove(&pid);
    }

    /// Adds the frames of a walk in `pid` to a stack.
    pub fn push(&mut self, pid: Pid, walked: &[InterpreterFrame], stack: &mut Vec<CodeAddr>) {
        let Some(mark) = self.processes.get(&pid).map(|process| process.release.mark) else {
            return;
        };
        let owner = |frame: &InterpreterFrame| frame.at >> 56;
        let is_shim = |frame: &InterpreterFrame| mark == Mark::Shim && owner(frame) >= SHIM;
        for (index, frame) in walked.iter().enumerate().filter(|(_, frame)| !is_shim(frame)) {
            let outermost = match mark {
                Mark::Every => true,
                Mark::Entry => owner(frame) != 0,
                Mark::Shim => walked.get(index + 1).is_some_and(is_shim),
            };
            if let Some(offset) = self.number(pid, frame, outermost) {
                stack.push(CodeAddr { module: CodeAddr::INTERPRETED, offset });
            }
        }
    }

    /// The frame with this number.
    pub fn frame(&self, number: u64) -> Option<&PythonFrame> {
        self.frames.get(usize::try_from(number).ok()?).map(Rc::as_ref)
    }

    fn number(&mut self, pid: Pid, frame: &InterpreterFrame, outermost: bool) -> Option<u64> {
        let process = self.processes.get_mut(&pid)?;
        if let Some(&known) = process.places.get(&(*frame, outermost)) {
            return Some(known);
        }
        let met = process.meet(pid, frame, outermost);
        let number = match self.numbers.get(&met) {
            Some(&known) => known,
            None if self.frames.len() >= MOST_FRAMES => return None,
            None => {
                let (number, met) = (self.frames.len() as u64, Rc::new(met));
                self.frames.push(Rc::clone(&met));
                self.numbers.insert(met, number);
                number
            }
        };
        let places = Rc::make_mut(&mut process.places);
        if places.len() >= MOST_PLACES {
            places.clear();
        }
        places.insert((*frame, outermost), number);
        Some(number)
    }
}

impl Process {
    fn meet(&mut self, pid: Pid, frame: &InterpreterFrame, outermost: bool) -> PythonFrame {
        let codes = Rc::make_mut(&mut self.codes);
        if codes.len() >= MOST_PLACES {
            codes.clear();
        }
        let read = || Code::read(pid, &self.release, frame).map(Rc::new);
        match codes.entry((frame.code, frame.fingerprint)).or_insert_with(read) {
            Some(code) => PythonFrame {
                code: Some((code.function.clone(), code.file.clone())),
                place: code.line(frame).map_or(0, u64::from),
                outermost,
            },
            None => PythonFrame { code: None, place: frame.code, outermost },
        }
    }
}
