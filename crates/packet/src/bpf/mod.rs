//! Classic BPF: programs that say of a packet how much of it is wanted.
//!
//! [`Program::run`] is the kernel's and libpcap's interpreter in small, [`listing`] writes programs as tcpdump's `-d`
//! does, [`cooked`] turns programs for cooked headers into such as the kernel can run, which does not see those headers.

pub mod cooked;
mod lifecycle;
pub mod listing;

/// One instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instruction {
    /// What to do (include/uapi/linux/bpf_common.h).
    pub code: u16,
    /// How far to jump if true.
    pub jump_true: u8,
    /// How far to jump if false.
    pub jump_false: u8,
    /// The operand.
    pub operand: u32,
}

/// A program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program(pub Vec<Instruction>);

const MEMORY: usize = 16;
/// A jump without a condition.
const ALWAYS: u16 = 0x05;
/// Loops go from header to header of a packet; none needs more steps than this.
const MOST_STEPS: u32 = 1 << 20;

/// The registers and memory of a run.
struct Machine<'a> {
    packet: &'a [u8],
    length: u32,
    a: u32,
    x: u32,
    memory: [u32; MEMORY],
}

impl Program {
    /// Takes every packet, so many bytes of it.
    pub fn all(snap_length: u32) -> Self {
        Program(vec![Instruction { code: 0x06, jump_true: 0, jump_false: 0, operand: snap_length }])
    }

    /// Whether it jumps back, as only `protochain` does: the kernel takes no such program.
    pub fn loops(&self) -> bool {
        self.0
            .iter()
            .any(|instruction| instruction.code == ALWAYS && (instruction.operand as i32) < 0)
    }

    /// How many bytes of a packet are wanted; 0 for none of it. Reading beyond the packet is "none", and so is a program
    /// that is wrong.
    pub fn run(&self, packet: &[u8], length: u32) -> u32 {
        let mut machine = Machine { packet, length, a: 0, x: 0, memory: [0; MEMORY] };
        let mut at: usize = 0;
        for _ in 0..MOST_STEPS {
            let Some(instruction) = self.0.get(at) else { break };
            at += 1;
            match instruction.code & 7 {
                0x05 => at = at.wrapping_add(machine.jump(*instruction)),
                0x06 if instruction.code & 0x18 == 0x10 => return machine.a,
                0x06 => return instruction.operand,
                _ if machine.step(*instruction).is_none() => return 0,
                _ => {}
            }
        }
        0
    }
}

impl Machine<'_> {
    /// How far an instruction jumps.
    fn jump(&self, instruction: Instruction) -> usize {
        let other = if instruction.code & 8 != 0 { self.x } else { instruction.operand };
        let holds = match instruction.code & 0xf0 {
            0x00 => return instruction.operand as i32 as usize,
            0x10 => self.a == other,
            0x20 => self.a > other,
            0x30 => self.a >= other,
            0x40 => self.a & other != 0,
            _ => false,
        };
        usize::from(if holds { instruction.jump_true } else { instruction.jump_false })
    }

    /// Does an instruction that does not jump; nothing if the packet ends before, or there is no such instruction.
    fn step(&mut self, instruction: Instruction) -> Option<()> {
        let Instruction { code, operand, .. } = instruction;
        match code & 7 {
            0x00 => self.a = self.load(code, operand)?,
            0x01 => self.x = self.load_x(code, operand)?,
            0x02 => *self.memory.get_mut(operand as usize)? = self.a,
            0x03 => *self.memory.get_mut(operand as usize)? = self.x,
            0x04 => self.calculate(code, operand)?,
            _ if code & 0xf8 == 0x80 => self.a = self.x,
            _ => self.x = self.a,
        }
        Some(())
    }

    fn load(&self, code: u16, operand: u32) -> Option<u32> {
        let at = match code & 0xe0 {
            0x00 => return Some(operand),
            0x20 => operand as usize,
            0x40 => (operand as usize).checked_add(self.x as usize)?,
            0x60 => return self.memory.get(operand as usize).copied(),
            0x80 => return Some(self.length),
            _ => return None,
        };
        let rest = self.packet.get(at..)?;
        match code & 0x18 {
            0x00 => rest.first_chunk().copied().map(u32::from_be_bytes),
            0x08 => rest.first_chunk().copied().map(|pair| u16::from_be_bytes(pair).into()),
            _ => rest.first().copied().map(u32::from),
        }
    }

    fn load_x(&self, code: u16, operand: u32) -> Option<u32> {
        match code & 0xe0 {
            0x00 => Some(operand),
            0x60 => self.memory.get(operand as usize).copied(),
            0x80 => Some(self.length),
            0xa0 => self.packet.get(operand as usize).map(|byte| u32::from(byte & 15) * 4),
            _ => None,
        }
    }

    fn calculate(&mut self, code: u16, operand: u32) -> Option<()> {
        let other = if code & 8 != 0 { self.x } else { operand };
        self.a = match code & 0xf0 {
            0x00 => self.a.wrapping_add(other),
            0x10 => self.a.wrapping_sub(other),
            0x20 => self.a.wrapping_mul(other),
            0x30 => self.a.checked_div(other)?,
            0x40 => self.a | other,
            0x50 => self.a & other,
            0x60 => self.a.checked_shl(other).unwrap_or(0),
            0x70 => self.a.checked_shr(other).unwrap_or(0),
            0x80 => self.a.wrapping_neg(),
            0x90 => self.a.checked_rem(other)?,
            0xa0 => self.a ^ other,
            _ => return None,
        };
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Instruction, Program};

    fn op(code: u16, jump_true: u8, jump_false: u8, operand: u32) -> Instruction {
        Instruction { code, jump_true, jump_false, operand }
    }

    #[test]
    fn a_program_may_jump_back_and_ends_all_the_same() {
        let back = Program(vec![
            op(0x04, 0, 0, 1),
            op(0x25, 1, 0, 2),
            op(0x05, 0, 0, -3_i32 as u32),
            op(0x16, 0, 0, 0),
        ]);
        assert!(back.loops());
        assert_eq!(back.run(&[], 0), 3);
        assert_eq!(Program(vec![op(0x05, 0, 0, -1_i32 as u32)]).run(&[], 0), 0);
    }

    #[test]
    fn a_program_takes_what_it_asks_for_and_nothing_shorter() {
        let program = Program(vec![
            op(0x28, 0, 0, 12),
            op(0x15, 0, 1, 0x800),
            op(0x06, 0, 0, 96),
            op(0x06, 0, 0, 0),
        ]);
        let mut packet = [0; 14];
        assert_eq!(program.run(&packet, 14), 0);
        packet[12] = 8;
        assert_eq!(program.run(&packet, 14), 96);
        assert_eq!(program.run(&packet[..13], 14), 0);
    }
}
