//! From registers and a copied stack to return addresses.
//!
//! Addresses are looked up one byte back: a return address is after its call, which may be the last instruction of
//! its function; and the innermost address is after the system call instruction, which takes at least two bytes, so
//! that one byte back is inside it. Only the frame that a signal interrupted is looked up as it is.
//!
//! Where the unwind information says nothing or makes no sense, in this order: the innermost function has not
//! touched its stack (hand-written system call stubs); a frame pointer that leads to code; a word that points behind
//! a call instruction. The last is a guess and makes the stack `truncated`. Everything here comes from the target
//! and may be hostile: frames, words and steps are bounded, and no address is believed before it is checked.

use fdscope_model::{CodeAddr, Registers};
use gimli::UnwindContext;

use crate::arch::{Arch, Leaf};
use crate::module::Modules;
use crate::rule::{Broken, Caller, Memory, Rule};
use crate::space::{Place, Space};

/// The most frames of one stack. Deeper recursion is cut at the outer end.
pub const MOST_FRAMES: usize = 128;
/// How many words a guess looks at. The largest frame of a system call stub in musl has 13.
const SCANNED_WORDS: u64 = 64;
/// Below this no code is ever mapped (`vm.mmap_min_addr`).
const LOWEST_CODE: u64 = 0x1_0000;

/// How unwinding ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// At the thread's first frame.
    Complete,
    /// At the end of the bytes copied.
    OffCopy,
    /// At a frame that could not be left.
    Lost,
    /// At the bound.
    TooDeep,
}

/// What is to be told about one unwinding, besides its frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// True if a frame was found by guessing.
    pub guessed: bool,
    /// True if an address was met that is in no known mapping: they should be read again.
    pub unknown_code: bool,
    /// Bytes of the copy below the outermost frame reached.
    pub used_bytes: u64,
}

/// One unwinding in progress.
#[derive(Debug)]
pub struct Unwinder<'a> {
    /// The processor.
    pub arch: &'static Arch,
    /// The stack.
    pub memory: Memory<'a>,
    /// The process's code.
    pub space: &'a mut Space,
    /// All modules.
    pub modules: &'a mut Modules,
    /// Scratch memory for interpreting unwind information.
    pub context: &'a mut UnwindContext<usize>,
    /// What was noticed so far.
    pub outcome: Outcome,
}

impl Unwinder<'_> {
    /// Appends the frames from `regs` outwards, innermost first.
    pub fn run(&mut self, mut regs: Registers, frames: &mut Vec<CodeAddr>) -> Outcome {
        let mut place = self.place(regs.ip.wrapping_sub(1));
        self.outcome.unknown_code = place.rule.is_not_code();
        // True until unwind information has led from one frame to the next.
        let mut uncharted = true;
        self.outcome.end = End::TooDeep;
        while frames.len() < MOST_FRAMES {
            frames.push(place.addr);
            let mut next = self.by_row(&place, &regs);
            uncharted &= next.is_err();
            if matches!(next, Err(Broken::Nonsense)) {
                let found = self.by_search(&place, &regs, frames.len() == 1, uncharted);
                next = found.map(|caller| caller.map(|regs| (regs, self.place(regs.ip - 1))));
            }
            match next {
                Ok(Some((caller, there))) => {
                    (regs, place) = (caller, there);
                    self.outcome.used_bytes = regs.sp.wrapping_sub(self.memory.base);
                    continue;
                }
                Ok(None) => self.outcome.end = End::Complete,
                Err(Broken::OffCopy) => self.outcome.end = End::OffCopy,
                Err(Broken::Nonsense) => self.outcome.end = End::Lost,
            }
            break;
        }
        self.outcome
    }

    /// By unwind information. A result that is not in code, or does not go outwards, is nonsense.
    fn by_row(
        &mut self,
        place: &Place,
        regs: &Registers,
    ) -> Result<Option<(Registers, Place)>, Broken> {
        let Rule::Dwarf(row) = place.rule else { return Err(Broken::Nonsense) };
        let image = self.modules.image(place.addr.module).ok_or(Broken::Nonsense)?;
        let caller = row.caller(self.arch, regs, self.memory, &image.cfi)?;
        let Caller::Frame(next) = caller else { return Ok(None) };
        let address = if row.signal { next.ip } else { next.ip - 1 };
        let there = self.place(address);
        if there.rule.is_not_code() {
            // Small numbers are no addresses that mappings read again would explain.
            self.outcome.unknown_code |= next.ip > LOWEST_CODE;
            return Err(Broken::Nonsense);
        }
        let outwards = next.sp > regs.sp || row.signal || self.arch.leaf == Leaf::LinkRegister;
        if outwards { Ok(Some((next, there))) } else { Err(Broken::Nonsense) }
    }

    fn by_search(
        &mut self,
        place: &Place,
        regs: &Registers,
        innermost: bool,
        uncharted: bool,
    ) -> Result<Option<Registers>, Broken> {
        if innermost && let Some(caller) = self.by_leaf(regs) {
            return Ok(Some(caller));
        }
        // The first frame of a thread is entered with frame pointer 0: clone3 in glibc, _start, Go's goexit.
        if !innermost && regs.fp == 0 && matches!(place.rule, Rule::Unknown) {
            return Ok(None);
        }
        // Code without unwind information that made the system call is a C library built without (musl): it keeps
        // no frame pointer either, and following its caller's would skip that caller. So the nearest comes first.
        if uncharted && !place.keeps_fp {
            self.by_guess(regs).map_or_else(|| self.by_frame_pointer(regs), |found| Ok(Some(found)))
        } else {
            match self.by_frame_pointer(regs) {
                Err(Broken::Nonsense) => self.by_guess(regs).map(Some).ok_or(Broken::Nonsense),
                found => found,
            }
        }
    }

    /// As in a function that has not touched its stack.
    fn by_leaf(&mut self, regs: &Registers) -> Option<Registers> {
        let (ip, sp) = match self.arch.leaf {
            Leaf::Pushed => {
                (self.memory.word(regs.sp).ok()?, regs.sp.checked_add(self.arch.word.into())?)
            }
            Leaf::LinkRegister => (regs.lr & self.arch.code_mask, regs.sp),
        };
        self.follows_call(ip).then_some(Registers { ip, sp, fp: regs.fp, lr: 0 })
    }

    /// By the chain of saved frame pointers, which every processor in the table lays out alike.
    fn by_frame_pointer(&mut self, regs: &Registers) -> Result<Option<Registers>, Broken> {
        let word = u64::from(self.arch.word);
        if regs.fp < regs.sp || !regs.fp.is_multiple_of(word) {
            return Err(Broken::Nonsense);
        }
        let fp = self.memory.word(regs.fp)?;
        let ip = self.memory.word(regs.fp.wrapping_add(word))? & self.arch.code_mask;
        let sp = regs.fp.wrapping_add(2 * word);
        if ip == 0 {
            return Ok(None);
        }
        if self.place(ip - 1).rule.is_not_code() {
            self.outcome.unknown_code |= ip > LOWEST_CODE;
            return Err(Broken::Nonsense);
        }
        Ok(Some(Registers { ip, sp, fp, lr: 0 }))
    }

    /// By the nearest word that could be a return address.
    fn by_guess(&mut self, regs: &Registers) -> Option<Registers> {
        let word = u64::from(self.arch.word);
        let found = (0..SCANNED_WORDS).find_map(|n| {
            let at = regs.sp.checked_add(n * word)?;
            let ip = self.memory.word(at).ok()? & self.arch.code_mask;
            self.follows_call(ip).then_some((ip, at))
        });
        let (ip, at) = found?;
        self.outcome.guessed = true;
        Some(Registers { ip, sp: at.checked_add(word)?, fp: regs.fp, lr: 0 })
    }

    /// True if `ip` is in code, behind a call.
    fn follows_call(&mut self, ip: u64) -> bool {
        if ip == 0 || !self.space.is_code(ip - 1) {
            return false;
        }
        let place = self.place(ip - 1);
        // JIT code cannot be read in a file; that it is executable memory must do.
        place.keeps_fp || self.modules.follows_call(place.addr.module, place.addr.offset + 1)
    }

    fn place(&mut self, address: u64) -> Place {
        self.space.place(address, self.modules, self.context)
    }
}
