//! Everything here that knows a processor: the system call interfaces, as the kernel names them.
//!
//! A 64-bit x86 task may call the kernel by `int 0x80` with i386 numbers, so the interface is a property of each
//! call, not of the task.

/// A system call interface: which numbers mean what, and how wide a pointer is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86: a 32-bit program, or `int 0x80` of a 64-bit one.
    I386,
    /// 64-bit Arm.
    Aarch64,
}

/// One row of facts for an interface.
struct Facts {
    arch: Arch,
    word: &'static str,
    /// `AUDIT_ARCH_*` of linux/audit.h, as seccomp and PTRACE_GET_SYSCALL_INFO give it.
    audit: u32,
    /// Bytes of a pointer, of `long` and of `size_t`.
    pointer: usize,
}

const FACTS: [Facts; 3] = [
    Facts { arch: Arch::X86_64, word: "x86_64", audit: 0xc000_003e, pointer: 8 },
    Facts { arch: Arch::I386, word: "i386", audit: 0x4000_0003, pointer: 4 },
    Facts { arch: Arch::Aarch64, word: "aarch64", audit: 0xc000_00b7, pointer: 8 },
];

impl Arch {
    /// Every interface known here.
    pub const ALL: [Arch; 3] = [Arch::X86_64, Arch::I386, Arch::Aarch64];

    /// The interface of 64-bit programs on the processor this was compiled for.
    pub const NATIVE: Arch =
        if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

    /// The interface of 32-bit programs on the processor this was compiled for, where the tables know it.
    pub const COMPAT: Option<Arch> =
        if cfg!(target_arch = "x86_64") { Some(Arch::I386) } else { None };

    const fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    /// The name, as `uname -m` and compilers write it.
    pub fn word(self) -> &'static str {
        self.facts().word
    }

    /// The `AUDIT_ARCH_*` value by which seccomp filters and PTRACE_GET_SYSCALL_INFO tell interfaces apart.
    pub const fn audit(self) -> u32 {
        self.facts().audit
    }

    /// The interface that an `AUDIT_ARCH_*` value names, if it is one known here.
    pub fn from_audit(audit: u32) -> Option<Arch> {
        FACTS.iter().find(|row| row.audit == audit).map(|row| row.arch)
    }

    /// Bytes of a pointer, of `long` and of `size_t`.
    pub const fn pointer_bytes(self) -> usize {
        self.facts().pointer
    }

    /// True for interfaces of 32-bit programs on a 64-bit kernel.
    pub const fn is_compat(self) -> bool {
        self.pointer_bytes() == 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_has_the_row_at_its_place() {
        for arch in Arch::ALL {
            assert_eq!(arch.facts().arch, arch);
            assert_eq!(Arch::from_audit(arch.audit()), Some(arch));
        }
        assert_eq!(Arch::from_audit(0), None);
    }
}
