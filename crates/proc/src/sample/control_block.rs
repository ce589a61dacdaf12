//! glibc's control block of a thread (`struct pthread`), which lies at the top of its stack and outlives it: whether
//! the thread lives, was joined, was detached, or ended and waits to be joined.
//!
//! Read from the target's memory with process_vm_readv(2), which neither stops nor changes it. Only the layout of
//! x86-64 is known, the same in every glibc since 2.4: elsewhere, with other C libraries, and without permission
//! there is no answer.

use fdscope_model::{Pid, Tid};
use fdscope_sys::vm::read;

/// What the block says of its thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It runs, or is being started.
    Living,
    /// It ended and nobody has joined or detached it.
    Unjoined,
    /// It is gone, and its stack is kept for the next thread.
    Cached,
}

/// Where things are in a block (nptl/descr.h, sysdeps/x86_64/nptl/tls.h).
struct Layout {
    /// `header.self`; like `header.tcb` at 0 it holds the block's own address.
    own: usize,
    /// `tid`: cleared by the kernel when the thread ends, -1 once it is joined.
    tid: usize,
    /// The header ends here. A later word with the block's own address is `joinid` of a detached thread.
    body: usize,
    /// Bytes of the block that are read: all of it in every version.
    size: usize,
}

const LAYOUT: Option<Layout> = if cfg!(target_arch = "x86_64") {
    Some(Layout { own: 0x10, tid: 0x2d0, body: 0x2c0, size: 0x900 })
} else {
    None
};

/// How far below the end of its stack a block can begin: the block and the thread-local variables above it.
const DEEPEST: u64 = 128 << 10;

/// The depth of the block below the end of a stack, the same for every thread of a process: learnt from the stack
/// that ends at `end`.
pub(super) fn learn_depth(pid: Pid, end: u64, size: u64) -> Option<u64> {
    let layout = LAYOUT?;
    let reach = DEEPEST.min(size) & !4095;
    let begin = end.checked_sub(reach)?;
    let mut bytes = vec![0; usize::try_from(reach).ok()?];
    if read(Tid(pid.0), begin, &mut bytes) != bytes.len() {
        return None;
    }
    // Blocks are aligned to cache lines.
    let mut places = (0..bytes.len().checked_sub(layout.size)?).step_by(64);
    let found = places.find(|&at| names_itself(&bytes[at..], begin + at as u64, &layout))?;
    Some(reach - found as u64)
}

/// What became of the thread whose stack ends at `end`; `None` if there is no block at that depth.
pub(super) fn fate(pid: Pid, end: u64, depth: u64) -> Option<Fate> {
    let layout = LAYOUT?;
    let address = end.checked_sub(depth)?;
    let mut bytes = vec![0; layout.size];
    let length = read(Tid(pid.0), address, &mut bytes);
    let block = bytes.get(..length).filter(|block| names_itself(block, address, &layout))?;
    let tid = i32::from_le_bytes(block.get(layout.tid..layout.tid + 4)?.try_into().ok()?);
    let is_detached =
        block[layout.body..].chunks_exact(8).any(|word| word == address.to_le_bytes());
    Some(match tid {
        1.. => Fate::Living,
        0 if !is_detached => Fate::Unjoined,
        _ => Fate::Cached,
    })
}

fn names_itself(bytes: &[u8], address: u64, layout: &Layout) -> bool {
    let word = |at: usize| bytes.get(at..at + 8) == Some(&address.to_le_bytes());
    bytes.len() > layout.body && word(0) && word(layout.own)
}
