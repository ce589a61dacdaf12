//! Programs as text: `-d`, `-dd`, `-ddd`.

use std::fmt::Write as _;

use super::{Instruction, Program};

/// The program for people, for C, or as numbers; `form` is how often `-d` was typed.
pub fn list(program: &Program, form: u8) -> String {
    let mut text = String::new();
    if form > 2 {
        let _infallible = writeln!(text, "{}", program.0.len());
    }
    for (index, instruction) in program.0.iter().enumerate() {
        let Instruction { code, jump_true, jump_false, operand } = *instruction;
        let _infallible = match form {
            0 | 1 => writeln!(text, "{}", image(*instruction, index)),
            2 => writeln!(text, "{{ {code:#x}, {jump_true}, {jump_false}, {operand:#010x} }},"),
            _ => writeln!(text, "{code} {jump_true} {jump_false} {operand}"),
        };
    }
    text
}

fn image(instruction: Instruction, index: usize) -> String {
    let Instruction { code, jump_true, jump_false, operand } = instruction;
    let (word, value) = words(instruction, index);
    if code & 7 == 5 && code & 0xf0 != 0 {
        let (yes, no) = (index + 1 + usize::from(jump_true), index + 1 + usize::from(jump_false));
        return format!("({index:03}) {word:<8} {value:<16} jt {yes}\tjf {no}");
    }
    let _unused = operand;
    format!("({index:03}) {word:<8} {value}")
}

/// The instruction's name and operand.
fn words(instruction: Instruction, index: usize) -> (&'static str, String) {
    let Instruction { code, operand: k, .. } = instruction;
    let signed = k as i32;
    let sized = match code & 0x18 {
        0x00 => "ld",
        0x08 => "ldh",
        _ => "ldb",
    };
    let source = |text: String| if code & 8 != 0 { "x".to_owned() } else { text };
    match (code & 7, code & 0xe0) {
        (0, 0x00) => ("ld", format!("#{k:#x}")),
        (0, 0x20) => (sized, format!("[{signed}]")),
        (0, 0x40) => (sized, format!("[x + {signed}]")),
        (0, 0x60) => ("ld", format!("M[{signed}]")),
        (0, 0x80) => ("ld", "#pktlen".to_owned()),
        (1, 0x00) => ("ldx", format!("#{k:#x}")),
        (1, 0x60) => ("ldx", format!("M[{signed}]")),
        (1, 0x80) => ("ldx", "#pktlen".to_owned()),
        (1, 0xa0) => ("ldxb", format!("4*([{signed}]&0xf)")),
        (2, _) => ("st", format!("M[{signed}]")),
        (3, _) => ("stx", format!("M[{signed}]")),
        (4, _) => {
            let word = match code & 0xf0 {
                0x00 => "add",
                0x10 => "sub",
                0x20 => "mul",
                0x30 => "div",
                0x40 => "or",
                0x50 => "and",
                0x60 => "lsh",
                0x70 => "rsh",
                0x80 => return ("neg", String::new()),
                0x90 => "mod",
                _ => "xor",
            };
            let bits = matches!(code & 0xf0, 0x40 | 0x50 | 0xa0);
            (word, source(if bits { format!("#{k:#x}") } else { format!("#{signed}") }))
        }
        (5, _) => {
            let word = match code & 0xf0 {
                0x00 => return ("ja", (index as u32 + 1).wrapping_add(k).to_string()),
                0x10 => "jeq",
                0x20 => "jgt",
                0x30 => "jge",
                _ => "jset",
            };
            (word, source(format!("#{k:#x}")))
        }
        (6, _) if code & 0x18 == 0x10 => ("ret", String::new()),
        (6, _) => ("ret", format!("#{signed}")),
        (7, _) => (if code & 0x80 != 0 { "txa" } else { "tax" }, String::new()),
        _ => ("unimp", format!("{code:#x}")),
    }
}
