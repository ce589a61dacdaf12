//! All that unwinding knows about processors: one row each.
//!
//! The registers' numbers are those of the processor supplements to the System V ABI (`psABI`), which DWARF uses.

use gimli::Register;

use crate::epilogue;
use crate::rule::Row;

/// What unwinding needs to know about one processor.
#[derive(Debug)]
pub struct Arch {
    /// `e_machine` of its ELF files.
    pub elf_machine: u16,
    /// Bytes of a word, of a return address on the stack.
    pub word: u8,
    /// DWARF number of the stack pointer.
    pub sp: Register,
    /// DWARF number of the frame pointer.
    pub fp: Register,
    /// DWARF number of the return address column.
    pub ra: Register,
    /// How a function that has not touched its stack finds its return address.
    pub leaf: Leaf,
    /// The bits of a code address; the others may hold a signature (aarch64 pointer authentication).
    pub code_mask: u64,
    /// True if the code that ends in these bytes ends in a call.
    pub ends_in_call: fn(&[u8]) -> bool,
    /// How direct calls and jumps look.
    pub branches: Option<&'static Branches>,
    /// How to leave a frame, read from the code that follows.
    pub epilogue: Option<ReadEpilogue>,
    /// How a signal handler returns.
    pub signal_return: Option<&'static SignalReturn>,
}

/// Reads the row from the code that a frame goes on with.
pub type ReadEpilogue = fn(&[u8]) -> Option<Row>;

/// Direct branches with a 32-bit displacement that ends the instruction.
#[derive(Debug)]
pub struct Branches {
    /// First byte of a call.
    pub call: u8,
    /// First byte of a jump.
    pub jump: u8,
    /// First bytes of a jump through memory relative to the instruction pointer: what PLT stubs consist of.
    pub jump_through: &'static [u8],
}

/// The trampoline that a signal handler returns to, for C libraries without unwind information for it.
#[derive(Debug)]
pub struct SignalReturn {
    /// Its code.
    pub code: &'static [&'static [u8]],
    /// Where the interrupted registers are, in bytes from the stack pointer there.
    pub ip: u64,
    /// The stack pointer's place.
    pub sp: u64,
    /// The frame pointer's place.
    pub fp: u64,
}

static X86_BRANCHES: Branches = Branches { call: 0xe8, jump: 0xe9, jump_through: &[0xff, 0x25] };

/// `mov $15,%rax; syscall` in its two encodings; then `struct rt_sigframe` of the kernel's asm/sigframe.h, whose
/// first field the handler's return has popped.
static X86_64_SIGNAL_RETURN: SignalReturn = SignalReturn {
    code: &[&[0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05], &[0xb8, 15, 0, 0, 0, 0x0f, 0x05]],
    ip: 168,
    sp: 160,
    fp: 120,
};

/// Where a return address is on entry to a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaf {
    /// Pushed by the call: the word at the stack pointer.
    Pushed,
    /// In the link register.
    LinkRegister,
}

/// The longest call instruction with an operand, of any row.
pub const LONGEST_CALL: usize = 7;

/// Every processor.
pub static ARCHS: [Arch; 3] = [
    // x86-64
    Arch {
        elf_machine: 62,
        word: 8,
        sp: Register(7),
        fp: Register(6),
        ra: Register(16),
        leaf: Leaf::Pushed,
        code_mask: u64::MAX,
        ends_in_call: x86_ends_in_call,
        branches: Some(&X86_BRANCHES),
        epilogue: Some(epilogue::row),
        signal_return: Some(&X86_64_SIGNAL_RETURN),
    },
    // i386, for 32-bit tasks on x86-64
    Arch {
        elf_machine: 3,
        word: 4,
        sp: Register(4),
        fp: Register(5),
        ra: Register(8),
        leaf: Leaf::Pushed,
        code_mask: u32::MAX as u64,
        ends_in_call: x86_ends_in_call,
        // In 32-bit code PLT stubs go through a register that holds the table.
        branches: None,
        epilogue: None,
        signal_return: None,
    },
    // aarch64
    Arch {
        elf_machine: 183,
        word: 8,
        sp: Register(31),
        fp: Register(29),
        ra: Register(30),
        leaf: Leaf::LinkRegister,
        code_mask: (1 << 48) - 1,
        ends_in_call: aarch64_ends_in_call,
        branches: None,
        epilogue: None,
        signal_return: None,
    },
];

impl Arch {
    /// The row for a task of this machine: the 32-bit one for a compat task.
    pub fn of_task(compat: bool) -> &'static Arch {
        match (cfg!(target_arch = "aarch64"), compat) {
            (true, _) => &ARCHS[2],
            (false, true) => &ARCHS[1],
            (false, false) => &ARCHS[0],
        }
    }

    /// The row for an ELF file.
    pub fn of_elf(machine: u16) -> Option<&'static Arch> {
        ARCHS.iter().find(|arch| arch.elf_machine == machine)
    }
}

/// `call rel32`, or `call` through a register or memory (opcode FF /2) in each of its lengths.
fn x86_ends_in_call(code: &[u8]) -> bool {
    let at = |back: usize| code.len().checked_sub(back).map(|i| &code[i..]);
    let indirect = |back: usize, modes: &[u8], sib: bool| {
        at(back).is_some_and(|c| {
            let (mode, operand) = (c[1] >> 6, c[1] & 7);
            c[0] == 0xff && c[1] >> 3 & 7 == 2 && modes.contains(&mode) && (operand == 4) == sib
        })
    };
    at(5).is_some_and(|c| c[0] == 0xe8)
        || at(2).is_some_and(|c| c[0] == 0xff && c[1] >> 3 & 7 == 2 && c[1] >> 6 == 3)
        || indirect(2, &[0], false)
        || indirect(3, &[1], false)
        || indirect(3, &[0], true)
        || indirect(4, &[1], true)
        || indirect(6, &[0, 2], false)
        || indirect(7, &[2, 0], true)
}

/// `bl` or `blr`, in any of its authenticated forms.
fn aarch64_ends_in_call(code: &[u8]) -> bool {
    let Some(last) = code.last_chunk::<4>() else { return false };
    let word = u32::from_le_bytes(*last);
    word >> 26 == 0b100101 || word & 0xfeff_f000 == 0xd63f_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &[u8], expected: bool) {
        assert_eq!(x86_ends_in_call(code), expected, "{code:x?}");
    }

    #[test]
    fn x86_calls_are_told_from_other_code() {
        check(&[0xe8, 1, 2, 3, 4], true);
        check(&[0x90, 0x90, 0xff, 0xd0], true);
        check(&[0x41, 0xff, 0xd4], true);
        check(&[0xff, 0x15, 1, 2, 3, 4], true);
        check(&[0xff, 0x50, 0x18], true);
        check(&[0xff, 0x54, 0x24, 8], true);
        check(&[0xff, 0x94, 0xc3, 1, 2, 3, 4], true);
        check(&[0x90; 7], false);
        check(&[0xc3], false);
        check(&[], false);
        check(&[0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10], false);
    }

    #[test]
    fn aarch64_calls_are_told_from_other_code() {
        assert!(aarch64_ends_in_call(&0x9400_0010_u32.to_le_bytes()));
        assert!(aarch64_ends_in_call(&0xd63f_0100_u32.to_le_bytes()));
        assert!(!aarch64_ends_in_call(&0xd65f_03c0_u32.to_le_bytes()));
        assert!(!aarch64_ends_in_call(&[]));
    }
}
