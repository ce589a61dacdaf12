//! The control part of a received message, as it lies in the target's memory: lengths are the target's to forge.
#![no_main]

use fdscope_syscall::Arch;
use fdscope_syscall::message::{carried, control};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for arch in [Arch::X86_64, Arch::I386, Arch::Aarch64] {
        let _ = control(bytes, arch);
        // A descriptor takes four bytes: more of them than that would be made up.
        assert!(carried(bytes, arch).len() * 4 <= bytes.len());
    }
});
