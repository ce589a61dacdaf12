//! How to leave a frame, read from its code: for stubs, trampolines and C libraries without unwind information.
//!
//! What follows a call (or the system call) is what the processor will do next. If that is nothing but giving back
//! stack, restoring registers and returning, the caller's registers are known exactly; a branch, a store or anything
//! else not listed here ends the attempt. x86-64 only.

use crate::rule::{Cfa, Row, Saved};

/// Bytes of code that are looked at.
pub const LENGTH: usize = 48;

/// The row for the place from which `code` goes on; `None` if it does not simply return.
pub fn row(mut code: &[u8]) -> Option<Row> {
    let mut depth = 0_i32;
    let mut fp_at = None;
    loop {
        let (step, rest) = decode(code)?;
        code = rest;
        match step {
            Step::Return => break,
            Step::Drop(bytes) => depth = depth.checked_add(bytes)?,
            Step::Pop { fp } => {
                fp_at = if fp { Some(depth) } else { fp_at };
                depth = depth.checked_add(8)?;
            }
            Step::Nothing => {}
        }
    }
    let cfa = depth.checked_add(8)?;
    let fp = fp_at.map_or(Saved::Same, |at| Saved::At(at - cfa));
    Some(Row { cfa: Cfa::Sp(cfa), fp, ra: Saved::At(-8), signal: false })
}

/// What one instruction does to the stack.
enum Step {
    Return,
    Drop(i32),
    Pop { fp: bool },
    Nothing,
}

fn decode(code: &[u8]) -> Option<(Step, &[u8])> {
    let step = |step, length: usize| Some((step, &code[length..]));
    match *code {
        [0xc3, ..] | [0xf3, 0xc3, ..] => step(Step::Return, 1),
        // add $imm8,%rsp and add $imm32,%rsp; never a negative one in an epilogue.
        [0x48, 0x83, 0xc4, n @ 0..=0x7f, ..] => step(Step::Drop(n.into()), 4),
        [0x48, 0x81, 0xc4, a, b, c, d @ 0..=0x0f, ..] => {
            step(Step::Drop(i32::from_le_bytes([a, b, c, d])), 7)
        }
        // pop of each register but rsp.
        [n @ (0x58..=0x5b | 0x5d..=0x5f), ..] => step(Step::Pop { fp: n == 0x5d }, 1),
        [0x41, 0x58..=0x5f, ..] => step(Step::Pop { fp: false }, 2),
        [0x90, ..] => step(Step::Nothing, 1),
        // mov, xor and movslq between registers, with and without prefix; not to rsp or rbp.
        [0x89 | 0x31, operands, ..] if keeps_stack(operands & 7, operands) => {
            step(Step::Nothing, 2)
        }
        [0x48, 0x89 | 0x31, operands, ..] if keeps_stack(operands & 7, operands) => {
            step(Step::Nothing, 3)
        }
        [0x48, 0x8b | 0x63, operands, ..] if keeps_stack(operands >> 3 & 7, operands) => {
            step(Step::Nothing, 3)
        }
        _ => None,
    }
}

/// True for an instruction between registers whose target is neither rsp nor rbp.
fn keeps_stack(target: u8, operands: u8) -> bool {
    operands >> 6 == 3 && target != 4 && target != 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &[u8], expected: Option<(i32, Option<i32>)>) {
        let expected = expected.map(|(cfa, fp)| Row {
            cfa: Cfa::Sp(cfa),
            fp: fp.map_or(Saved::Same, Saved::At),
            ra: Saved::At(-8),
            signal: false,
        });
        assert_eq!(row(code), expected, "{code:x?}");
    }

    #[test]
    fn simple_ends_are_followed() {
        check(&[0xc3], Some((8, None)));
        check(&[0x48, 0x83, 0xc4, 0x08, 0xc3], Some((16, None)));
        check(&[0x5d, 0xc3], Some((16, Some(-16))));
        check(&[0x48, 0x83, 0xc4, 0x18, 0x5b, 0x5d, 0x41, 0x5c, 0xc3], Some((56, Some(-24))));
        check(&[0x48, 0x81, 0xc4, 0x88, 0, 0, 0, 0xc3], Some((0x90, None)));
        check(&[0x89, 0xd8, 0x5b, 0xc3], Some((16, None)));
        check(&[0x48, 0x63, 0xf8, 0xc3], Some((8, None)));
    }

    #[test]
    fn everything_else_ends_the_attempt() {
        check(&[], None);
        check(&[0x48, 0x83, 0xc4], None);
        check(&[0x48, 0x83, 0xc4, 0x80, 0xc3], None);
        check(&[0xe9, 0, 0, 0, 0], None);
        check(&[0x48, 0x89, 0xec, 0x5d, 0xc3], None);
        check(&[0x5c, 0xc3], None);
        check(&[0x90; LENGTH], None);
    }
}
