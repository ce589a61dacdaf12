//! Programs for Linux cooked v2 headers, run by the kernel on packets that do not have them yet.
//!
//! What a header field would say, the kernel tells at special offsets (include/uapi/linux/filter.h).

use super::{Instruction, Program};

const HEADER: u32 = 20;
/// `SKF_AD_OFF`.
const SPECIAL: u32 = (-0x1000_i32) as u32;
/// Fields of the header, and where the kernel tells them: protocol, interface, hardware type, packet type.
const FIELDS: [(u32, u32); 4] = [(0, 0), (4, 8), (8, 28), (10, 4)];

/// The program for packets without their header; none if it asks for what the kernel cannot tell.
pub fn without_header(program: &Program) -> Option<Program> {
    program.0.iter().map(|instruction| moved(*instruction)).collect::<Option<Vec<_>>>().map(Program)
}

fn moved(instruction: Instruction) -> Option<Instruction> {
    let reads =
        matches!((instruction.code & 7, instruction.code & 0xe0), (0, 0x20 | 0x40) | (1, 0xa0));
    if !reads {
        return Some(instruction);
    }
    let place = instruction.operand;
    if place >= HEADER {
        return Some(Instruction { operand: place - HEADER, ..instruction });
    }
    let absolute = instruction.code & 0xe0 == 0x20;
    let (_, special) = *FIELDS.iter().find(|(field, _)| *field == place && absolute)?;
    Some(Instruction { operand: SPECIAL + special, ..instruction })
}
