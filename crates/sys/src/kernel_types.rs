//! The kernel's description of its own types, /sys/kernel/btf/vmlinux: mapped where the kernel permits it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::slice;

use rustix::mm::{MapFlags, ProtFlags};

const PATH: &str = "/sys/kernel/btf/vmlinux";

/// The bytes of the kernel's BTF, some 5 MB.
pub enum KernelTypes {
    /// In place (Linux 6.16, kernel/bpf/sysfs_btf.c): nothing is copied.
    Mapped(Mapped),
    /// A copy. Reading goes page by page, 1,400 calls.
    Read(Vec<u8>),
}

/// A mapping that is taken back when dropped.
pub struct Mapped {
    start: *mut std::ffi::c_void,
    length: usize,
}

impl KernelTypes {
    /// Opens the file and maps it, or reads it.
    ///
    /// # Errors
    /// If the kernel has none, or it may not be read.
    pub fn open() -> io::Result<Self> {
        let mut file = File::open(PATH)?;
        let length = file.metadata()?.len() as usize;
        if let Some(mapped) = Mapped::new(&file, length) {
            return Ok(KernelTypes::Mapped(mapped));
        }
        let mut bytes = Vec::with_capacity(length);
        file.read_to_end(&mut bytes)?;
        Ok(KernelTypes::Read(bytes))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            KernelTypes::Mapped(mapped) => mapped.bytes(),
            KernelTypes::Read(bytes) => bytes,
        }
    }
}

impl Mapped {
    fn new(file: &File, length: usize) -> Option<Self> {
        let (hint, access, flags) = (std::ptr::null_mut(), ProtFlags::READ, MapFlags::PRIVATE);
        // SAFETY: the kernel chooses a place where nothing is mapped, so that no memory in use is replaced.
        let start = unsafe { rustix::mm::mmap(hint, length, access, flags, file.as_fd(), 0) };
        start.ok().map(|start| Mapped { start, length })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `length` bytes are mapped readable at `start` as long as self lives, and the kernel's types are part of
        // its read-only image: they never change.
        unsafe { slice::from_raw_parts(self.start.cast::<u8>(), self.length) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new`, and what borrows from it cannot outlive self.
        let _ = unsafe { rustix::mm::munmap(self.start, self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_and_read_are_the_same() {
        let Ok(types) = KernelTypes::open() else {
            println!("skipped: needs {PATH}");
            return;
        };
        assert!(types.bytes() == std::fs::read(PATH).expect("it was opened before"));
    }
}
