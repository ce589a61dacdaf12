//! The memory of the task that made a call: where pointers in arguments lead, and descriptors, if the engine noted it.

use fdscope_model::Socket;

use crate::capture::When;

/// Reads a task's memory. A live process in the tracer, a few bytes in tests.
pub trait Memory {
    /// Copies from `address` upwards into `buffer`, and says how many bytes were readable.
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize;

    /// The stack pointer at the call, if known: a return from a signal's handler leads nowhere else.
    fn stack_pointer(&self) -> Option<u64> {
        None
    }

    /// What a descriptor of the task led to before or after the call, if the engine noted that.
    fn descriptor(&self, fd: i32, when: When) -> Option<Described> {
        let _ = (fd, when);
        None
    }

    /// The 32-bit word at `address`, if readable.
    fn u32_at(&self, address: u64) -> Option<u32> {
        let mut bytes = [0; 4];
        (self.read(address, &mut bytes) == 4).then(|| u32::from_ne_bytes(bytes))
    }

    /// The 64-bit word at `address`, if readable.
    fn u64_at(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        (self.read(address, &mut bytes) == 8).then(|| u64::from_ne_bytes(bytes))
    }
}

/// What a descriptor led to.
#[derive(Clone, PartialEq, Debug)]
pub struct Described {
    /// The text of its link in /proc.
    pub link: Vec<u8>,
    /// The inode's mode, with its kind.
    pub mode: u32,
    /// Of a device: its numbers.
    pub node: (u32, u32),
    /// Of a pidfd: the process.
    pub pid: Option<u32>,
    /// Of a socket: its ends, and the name of its protocol.
    pub socket: Option<(Socket, Vec<u8>)>,
}

/// The 32-bit word at an offset of `bytes`, if they reach that far.
pub fn u32_in(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// The pointer-sized word at an offset of `bytes`, if they reach that far.
pub fn word_in(bytes: &[u8], offset: usize, word_bytes: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset.checked_add(word_bytes)?)?;
    match word_bytes {
        4 => Some(u32::from_ne_bytes(bytes.try_into().ok()?).into()),
        _ => Some(u64::from_ne_bytes(bytes.try_into().ok()?)),
    }
}

/// Bytes at an address: the memory of tests and recordings.
impl Memory for (u64, &[u8]) {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        let (start, bytes) = *self;
        let skip = address.checked_sub(start).and_then(|n| usize::try_from(n).ok());
        let found = skip.and_then(|skip| bytes.get(skip..)).unwrap_or(&[]);
        let count = found.len().min(buffer.len());
        buffer[..count].copy_from_slice(&found[..count]);
        count
    }
}
