//! What an unwinding reads besides code: the words that make it come out as it does.
//!
//! A rule of unwind information says where the return address stands and where the frame pointer was saved, relative to
//! the stack pointer or the frame pointer. Of all that is read only this decides on the frames: the return addresses,
//! and frame pointers that were used to find one. Every step that is not such a rule (expressions, frame pointers without
//! unwind information, guesses) reads more than is kept track of, and makes the whole not worth remembering.

use fdscope_model::{Memo, MemoWord, Registers, WordAt};

use crate::rule::{Cfa, Memory, Row, Saved};

/// Where the frame pointer of the frame reached comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Origin {
    /// It is still in its register.
    #[default]
    Register,
    /// It was read at this address.
    Word(u64),
    /// It was computed.
    Unknown,
}

/// The words read so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reads {
    start: Registers,
    words: Vec<MemoWord>,
    fp: Origin,
    untold: bool,
}

impl Reads {
    /// Begins anew.
    pub fn begin(&mut self, start: Registers) {
        self.start = start;
        self.words.clear();
        self.fp = Origin::Register;
        self.untold = false;
    }

    /// All that decides, if it is known and little enough.
    pub fn words(&self) -> Option<&[MemoWord]> {
        let little = self.words.len() <= Memo::MOST_WORDS;
        (little && !self.untold).then_some(&self.words)
    }

    /// Something was read that is not kept track of.
    pub fn give_up(&mut self) {
        self.untold = true;
    }

    /// A frame with these registers was left by `row`.
    pub fn left_by(&mut self, row: &Row, regs: &Registers, memory: Memory<'_>) {
        let cfa = match row.cfa {
            Cfa::Sp(offset) => regs.sp.wrapping_add_signed(offset.into()),
            Cfa::Fp(offset) => {
                self.frame_pointer(true, memory);
                regs.fp.wrapping_add_signed(offset.into())
            }
            Cfa::Expression(_) => return self.give_up(),
        };
        match row.ra {
            Saved::Undefined => return,
            Saved::At(offset) => {
                self.word(cfa.wrapping_add_signed(offset.into()), false, memory);
            }
            // Only the innermost frame has it; farther out it is 0.
            Saved::Same if *regs == self.start => {
                self.push(WordAt::LinkRegister, regs.lr, false);
            }
            Saved::Same => {}
            _ => return self.give_up(),
        }
        self.fp = match row.fp {
            Saved::Same => self.fp,
            Saved::At(offset) => Origin::Word(cfa.wrapping_add_signed(offset.into())),
            _ => Origin::Unknown,
        };
    }

    /// The frame pointer of the frame reached was used: as a place in the stack if `relative`, else as it is.
    pub fn frame_pointer(&mut self, relative: bool, memory: Memory<'_>) {
        match self.fp {
            Origin::Register => self.push(WordAt::FramePointer, self.start.fp, relative),
            Origin::Word(address) => self.word(address, relative, memory),
            Origin::Unknown => self.give_up(),
        }
    }

    fn word(&mut self, address: u64, relative: bool, memory: Memory<'_>) {
        let offset = address.checked_sub(self.start.sp).filter(|offset| offset % 8 == 0);
        let index = offset.and_then(|offset| u16::try_from(offset / 8).ok());
        // The two highest stand for registers.
        let index = index.filter(|index| *index < u16::MAX - 1 && memory.word == 8);
        match (index, memory.word(address)) {
            (Some(index), Ok(value)) => self.push(WordAt::Stack(index), value, relative),
            _ => self.give_up(),
        }
    }

    fn push(&mut self, at: WordAt, value: u64, relative: bool) {
        if self.words.len() > Memo::MOST_WORDS {
            return;
        }
        let value = if relative { value.wrapping_sub(self.start.sp) } else { value };
        let word = MemoWord { at, value, relative };
        if !self.words.contains(&word) {
            self.words.push(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cfa: Cfa, fp: Saved, ra: Saved) -> Row {
        Row { cfa, fp, ra, signal: false }
    }

    /// The words that leaving frames by these rows reads, from a stack of the numbers 100, 101 … at 0x1000.
    fn read(steps: &[(Row, Registers)]) -> Option<Vec<(WordAt, u64, bool)>> {
        let bytes: Vec<u8> = (100_u64..200).flat_map(u64::to_le_bytes).collect();
        let memory = Memory { base: 0x1000, bytes: &bytes, word: 8 };
        let mut reads = Reads::default();
        reads.begin(steps[0].1);
        steps.iter().for_each(|(row, regs)| reads.left_by(row, regs, memory));
        let words = reads.words()?.iter();
        Some(words.map(|word| (word.at, word.value, word.relative)).collect())
    }

    fn at(sp: u64, fp: u64) -> Registers {
        Registers { ip: 1, sp, fp, lr: 0 }
    }

    #[test]
    fn a_return_address_is_read_where_the_row_says() {
        let leave = row(Cfa::Sp(24), Saved::Same, Saved::At(-8));
        let expected = vec![(WordAt::Stack(2), 102, false), (WordAt::Stack(5), 105, false)];
        assert_eq!(read(&[(leave, at(0x1000, 7)), (leave, at(0x1018, 7))]), Some(expected));
    }

    #[test]
    fn a_frame_pointer_counts_once_it_is_used() {
        let save = row(Cfa::Sp(16), Saved::At(-16), Saved::At(-8));
        let used = row(Cfa::Fp(16), Saved::At(-16), Saved::At(-8));
        let saved = vec![(WordAt::Stack(1), 101, false)];
        assert_eq!(read(&[(save, at(0x1000, 7))]), Some(saved));
        let from_memory = vec![
            (WordAt::Stack(1), 101, false),
            (WordAt::Stack(0), 100_u64.wrapping_sub(0x1000), true),
            (WordAt::Stack(9), 109, false),
        ];
        assert_eq!(read(&[(save, at(0x1000, 7)), (used, at(0x1010, 0x1040))]), Some(from_memory));
        let in_register = vec![(WordAt::FramePointer, 0x40, true), (WordAt::Stack(9), 109, false)];
        assert_eq!(read(&[(used, at(0x1000, 0x1040))]), Some(in_register));
    }

    #[test]
    fn what_is_computed_is_not_remembered() {
        let span = crate::rule::Span { start: 0, len: 1, debug: false };
        let computed = row(Cfa::Expression(span), Saved::Same, Saved::At(-8));
        assert_eq!(read(&[(computed, at(0x1000, 7))]), None);
        let lost = row(Cfa::Sp(16), Saved::Expression(span), Saved::At(-8));
        let used = row(Cfa::Fp(16), Saved::Same, Saved::At(-8));
        assert_eq!(read(&[(lost, at(0x1000, 7)), (used, at(0x1010, 0x1020))]), None);
        assert!(read(&[(lost, at(0x1000, 7))]).is_some(), "not used");
    }

    #[test]
    fn stacks_of_too_many_frames_are_not_remembered() {
        let leave = row(Cfa::Sp(8), Saved::Same, Saved::At(-8));
        let steps =
            |count: u64| (0..count).map(|n| (leave, at(0x1000 + 8 * n, 7))).collect::<Vec<_>>();
        assert!(read(&steps(48)).is_some());
        assert!(read(&steps(49)).is_none());
    }
}
