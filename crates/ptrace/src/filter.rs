//! The seccomp filter that stops a program at some calls only.
//!
//! It cannot be taken out again. Without a tracer the kernel answers those calls with ENOSYS: whoever asks for it is
//! to be told.

use fdscope_syscall::Arch;

/// An instruction of classic BPF, as `struct sock_filter`: code, jump if true, jump if false, operand.
pub type Instruction = (u16, u8, u8, u32);

const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

const TRACE: u32 = 0x7ff0_0000;
const ALLOW: u32 = 0x7fff_0000;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

/// Numbers beyond this are of no call known.
const MOST: u32 = 1024;

/// A filter that stops a program at the calls wanted, and lets it make the others freely.
pub fn filter(wanted: &dyn Fn(Arch, u64) -> bool) -> Vec<Instruction> {
    let mut program = vec![(LOAD, 0, 0, ARCH)];
    let arches = [Some(Arch::NATIVE), Arch::COMPAT];
    for arch in arches.into_iter().flatten() {
        let body = body(arch, wanted);
        // Jumps reach 255 instructions: over a longer body by one that goes on to an unconditional jump.
        program.push((JUMP_EQUAL, 1, 0, arch.audit()));
        program.push((0x05, 0, 0, u32::try_from(body.len()).unwrap_or(u32::MAX)));
        program.extend(body);
    }
    program.push((RETURN, 0, 0, ALLOW));
    program
}

/// A range of numbers is three instructions.
fn body(arch: Arch, wanted: &dyn Fn(Arch, u64) -> bool) -> Vec<Instruction> {
    let mut body = vec![(LOAD, 0, 0, NUMBER)];
    let mut number = 0;
    while number < MOST {
        let first = number;
        while number < MOST && wanted(arch, number.into()) {
            number += 1;
        }
        if number > first {
            body.push((JUMP_AT_LEAST, 0, 2, first));
            body.push((JUMP_GREATER, 1, 0, number - 1));
            body.push((RETURN, 0, 0, TRACE));
        }
        number += 1;
    }
    body.push((RETURN, 0, 0, ALLOW));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do.
    fn run(program: &[Instruction], arch: u32, number: u32) -> u32 {
        let (mut at, mut accumulator) = (0usize, 0);
        loop {
            let (code, yes, no, operand) = program[at];
            at += 1;
            let jump = |taken: bool| usize::from(if taken { yes } else { no });
            match code {
                LOAD => accumulator = if operand == ARCH { arch } else { number },
                JUMP_EQUAL => at += jump(accumulator == operand),
                JUMP_GREATER => at += jump(accumulator > operand),
                JUMP_AT_LEAST => at += jump(accumulator >= operand),
                0x05 => at += operand as usize,
                _ => return operand,
            }
        }
    }

    #[test]
    fn wanted_calls_stop_and_no_other() {
        let wanted = |arch: Arch, number: u64| match arch.is_compat() {
            true => number == 5,
            false => matches!(number, 0 | 2..=4 | 257 | 1023),
        };
        let program = filter(&wanted);
        for arch in [Some(Arch::NATIVE), Arch::COMPAT].into_iter().flatten() {
            for number in 0..1030 {
                let traced = run(&program, arch.audit(), number) == TRACE;
                assert_eq!(
                    traced,
                    number < 1024 && wanted(arch, number.into()),
                    "{arch:?} {number}"
                );
            }
        }
        assert_eq!(run(&program, 77, 2), ALLOW);
    }
}
