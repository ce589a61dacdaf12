//! The walk over an interpreter's frames by reading the memory of a thread that stands still.

use fdscope_model::interpreter::{
    LARGEST_FRAME, MOST_INTERPRETER_FRAMES, ThreadIdentity, fingerprint,
};
use fdscope_model::{InterpreterFrame, InterpreterLayout, Tid};
use fdscope_sys::vm;

/// The most threads that are looked at to find one.
const MOST_THREADS: usize = 4096;

/// Walks frames; the same walk as the kernel's in `crates/bpf/bpf/handles.bpf.c`.
#[derive(Clone, Copy, Debug)]
pub struct Walker {
    /// Where the process's interpreter keeps its frames.
    pub layout: InterpreterLayout,
}

impl Walker {
    /// Appends the frames of `tid`, innermost first. `number` is the thread's in its own PID namespace, `pointer` its
    /// thread pointer. Nothing is appended if the thread runs no Python.
    pub fn walk(self, tid: Tid, number: u32, pointer: u64, frames: &mut Vec<InterpreterFrame>) {
        let layout = self.layout;
        let identity = match layout.identity {
            ThreadIdentity::Number => number.into(),
            ThreadIdentity::Pointer => pointer,
        };
        let Some(thread) = self.find(tid, identity) else { return };
        let mut next = word(tid, thread, layout.frame);
        if let Some(inner) = layout.inner_frame {
            next = next.and_then(|at| word(tid, at, inner));
        }
        let mut bytes = [0; LARGEST_FRAME as usize];
        let bytes = &mut bytes[..layout.frame_bytes.min(LARGEST_FRAME) as usize];
        while let Some(frame) = next.filter(|&frame| frame != 0)
            && frames.len() < MOST_INTERPRETER_FRAMES
            && vm::read(tid, frame, bytes) == bytes.len()
        {
            let Some(code) = in_frame(bytes, layout.code) else { return };
            let mark = layout.mark.and_then(|at| bytes.get(at as usize)).copied().unwrap_or(0);
            let at = in_frame(bytes, layout.at).unwrap_or(0) | u64::from(mark) << 56;
            let fingerprint = self.fingerprint(tid, code & !7);
            frames.push(InterpreterFrame { code, at, fingerprint });
            next = in_frame(bytes, layout.previous);
        }
    }

    fn find(self, tid: Tid, identity: u64) -> Option<u64> {
        let layout = self.layout;
        let mut interpreter = word(tid, layout.heads, 0)?;
        let mut looked = 0;
        while interpreter != 0 && identity != 0 {
            let mut thread = word(tid, interpreter, layout.first_thread)?;
            while thread != 0 && looked < MOST_THREADS {
                if word(tid, thread, layout.thread_id)? == identity {
                    return Some(thread);
                }
                thread = word(tid, thread, layout.next_thread)?;
                looked += 1;
            }
            looked += 1;
            if looked >= MOST_THREADS {
                return None;
            }
            interpreter = word(tid, interpreter, layout.next_interpreter)?;
        }
        None
    }

    fn fingerprint(self, tid: Tid, code: u64) -> u64 {
        let mut names = [0; 32];
        let address = code.wrapping_add(self.layout.names.into());
        if vm::read(tid, address, &mut names) < names.len() {
            return 0;
        }
        let names = names.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word));
        let names: Vec<u64> = names.take(self.layout.name_count as usize).collect();
        fingerprint(&names)
    }
}

fn word(tid: Tid, address: u64, offset: u32) -> Option<u64> {
    let mut bytes = [0; 8];
    let read = vm::read(tid, address.checked_add(offset.into())?, &mut bytes);
    (read == bytes.len()).then(|| u64::from_ne_bytes(bytes))
}

fn in_frame(bytes: &[u8], offset: u32) -> Option<u64> {
    let word = bytes.get(offset as usize..)?.first_chunk()?;
    Some(u64::from_ne_bytes(*word))
}
