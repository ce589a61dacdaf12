//! Interpreters' own stacks: where they are in a process's memory, and what a walk over them brings back.
//!
//! The walk is done while the thread is in its system call: in the kernel, or by reading the memory of a stopped
//! thread. What the addresses mean is found out afterwards, by the `stack` crate.

/// The most frames that a walk brings back, innermost first.
pub const MOST_INTERPRETER_FRAMES: usize = 32;
/// The most bytes of a frame that a walk reads.
pub const LARGEST_FRAME: u32 = 128;

/// How threads of a process are told apart by its interpreter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ThreadIdentity {
    /// By gettid(2) in the process's own PID namespace.
    Number,
    /// By the thread pointer, which is pthread_self(3) on x86-64.
    Pointer,
}

/// Where an interpreter keeps its frames: all that a walk has to know. Offsets and sizes in bytes.
///
/// From `heads` a list of interpreters, of each a list of threads, of each a list of frames, innermost first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InterpreterLayout {
    /// Address of the pointer to the first interpreter.
    pub heads: u64,
    /// In an interpreter: the next one.
    pub next_interpreter: u32,
    /// In an interpreter: its first thread.
    pub first_thread: u32,
    /// In a thread: the next one.
    pub next_thread: u32,
    /// In a thread: what tells it from others.
    pub thread_id: u32,
    /// What that is.
    pub identity: ThreadIdentity,
    /// In a thread: its innermost frame, or what points to that.
    pub frame: u32,
    /// In what `frame` points to: the innermost frame; `None` if `frame` is that already.
    pub inner_frame: Option<u32>,
    /// In a frame: the code object. Its lowest three bits are ignored.
    pub code: u32,
    /// In a frame: where in the code it is.
    pub at: u32,
    /// In a frame: the frame that called it.
    pub previous: u32,
    /// In a frame: a byte that tells frames of native calls; `None` if every frame is a native call.
    pub mark: Option<u32>,
    /// How much of a frame is read; at most [`LARGEST_FRAME`].
    pub frame_bytes: u32,
    /// In a code object: consecutive pointers that tell one code object from another at the same address.
    pub names: u32,
    /// How many of them: 3 or 4.
    pub name_count: u32,
}

/// A frame as a walk brings it back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct InterpreterFrame {
    /// Address of the code object; its lowest three bits may be tags.
    pub code: u64,
    /// Where in the code the frame is; the highest byte is the frame's mark.
    pub at: u64,
    /// [`fingerprint`] of the code object's names; 0 if they could not be read.
    pub fingerprint: u64,
}

/// Mixes the pointers that tell code objects apart, as the kernel-side walk does.
pub fn fingerprint(names: &[u64]) -> u64 {
    names.iter().fold(0, |mixed: u64, name| (mixed ^ name).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
