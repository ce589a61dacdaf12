//! Stacks of calls: `-k`. Copied and unwound as `leak` does, a frame a line.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use fdscope_bpf::trace::Unwinder;
use fdscope_model::{Frame, Memo, Pid, StackId, Symbolizer, Trace};
use fdscope_ptrace::Unwind;
use fdscope_stack::{StackOptions, Stacks};

/// The most bytes of stack that are copied.
pub const MOST_BYTES: usize = 64 << 10;

/// Unwinds, and names frames.
#[derive(Clone)]
pub struct CallStacks {
    stacks: Rc<RefCell<Stacks>>,
    /// Lines of frames that were asked for: most calls are made from a few places.
    written: HashMap<StackId, Rc<[Vec<u8>]>>,
}

/// So many stacks are kept written.
const MOST_WRITTEN: usize = 16_384;

impl CallStacks {
    /// None unwound yet.
    pub fn new() -> Self {
        let options = StackOptions::from_environment(|name| std::env::var_os(name));
        let stacks = Rc::new(RefCell::new(Stacks::new(options)));
        CallStacks { stacks, written: HashMap::new() }
    }

    /// What an engine unwinds with.
    pub fn unwind(&self) -> Unwind {
        let stacks = Rc::clone(&self.stacks);
        Box::new(move |pid, trace| match stacks.borrow_mut().intern(pid, trace) {
            Trace::Known(stack) => Some(stack),
            _ => None,
        })
    }

    /// A process runs another program.
    pub fn exec(&self, pid: Pid) {
        self.stacks.borrow_mut().exec(pid);
    }

    /// The frames of a stack, a line each; with their places in the source if asked for.
    pub fn frames(&mut self, stack: StackId, lines: bool) -> Rc<[Vec<u8>]> {
        if self.written.len() >= MOST_WRITTEN {
            self.written.clear();
        }
        let written = self.written.entry(stack).or_insert_with(|| {
            let found = self.stacks.borrow_mut().symbolize(stack);
            found.frames.iter().map(|frame| line(frame, lines)).collect()
        });
        Rc::clone(written)
    }
}

impl Unwinder for CallStacks {
    fn unwind(&mut self, pid: Pid, trace: &Trace<'_>) -> Option<StackId> {
        match self.stacks.borrow_mut().intern(pid, trace) {
            Trace::Known(stack) => Some(stack),
            _ => None,
        }
    }

    fn memos(&mut self) -> Vec<Memo> {
        self.stacks.borrow_mut().take_memos()
    }

    fn wanted_bytes(&self, pid: Pid) -> u32 {
        self.stacks.borrow().wanted_bytes(pid) as u32
    }

    fn fork(&mut self, parent: Pid, child: Pid) {
        self.stacks.borrow_mut().fork(parent, child);
    }

    fn exec(&mut self, pid: Pid) {
        self.stacks.borrow_mut().exec(pid);
    }
}

/// `/lib/libc.so.6(open) [0x1f]`; strace has the distance from the function's start too.
fn line(frame: &Frame, lines: bool) -> Vec<u8> {
    let mut out = frame.module.to_string().into_bytes();
    let function = frame.symbol.function.as_deref().unwrap_or_default();
    out.extend_from_slice(format!("({function}) [{:#x}]", frame.offset).as_bytes());
    if let (true, Some(file)) = (lines, &frame.symbol.file) {
        let line = frame.symbol.line.map(|line| format!(":{line}")).unwrap_or_default();
        out.extend_from_slice(format!(" {file}{line}").as_bytes());
    }
    out
}
