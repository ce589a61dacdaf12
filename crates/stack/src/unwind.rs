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
use crate::callee::Fit;
use crate::module::Modules;
use crate::reads::Reads;
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
    /// What was read so far.
    pub reads: &'a mut Reads,
}

impl Unwinder<'_> {
    /// Appends the frames from `regs` outwards, innermost first.
    pub fn run(&mut self, mut regs: Registers, frames: &mut Vec<CodeAddr>) -> Outcome {
        self.reads.begin(regs);
        let mut place = self.place(regs.ip.wrapping_sub(1));
        self.outcome.unknown_code = place.rule.is_not_code();
        // True until unwind information has led from one frame to the next.
        let mut uncharted = true;
        self.outcome.end = End::TooDeep;
        while frames.len() < MOST_FRAMES {
            frames.push(place.addr);
            let mut next = self.by_row(&place, &regs);
            uncharted &= next.is_err() || place.by_code;
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
        let cfi = self.modules.image(place.addr.module).map(|image| &image.cfi);
        let caller = row.caller(self.arch, regs, self.memory, cfi)?;
        self.reads.left_by(&row, regs, self.memory);
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
        let mut found = if innermost { self.by_leaf(place, regs) } else { None };
        found = found.or_else(|| self.by_signal(place, regs));
        if let Some(caller) = found {
            self.reads.give_up();
            return Ok(Some(caller));
        }
        // The first frame of a thread is entered with frame pointer 0: clone3 in glibc, _start, Go's goexit.
        if !innermost && regs.fp == 0 && matches!(place.rule, Rule::Unknown) {
            self.reads.frame_pointer(false, self.memory);
            return Ok(None);
        }
        self.reads.give_up();
        if place.keeps_fp {
            return self.by_frame_pointer(place, regs);
        }
        // Code without unwind information that made the system call is a C library built without (musl): it keeps
        // no frame pointer either, and following its caller's would skip that caller.
        if !uncharted {
            match self.by_frame_pointer(place, regs) {
                Err(Broken::Nonsense) => {}
                found => return found,
            }
        }
        let scanned = self.by_scan(place, regs, Fit::Certain);
        match scanned.or_else(|| self.by_scan(place, regs, Fit::Possible)) {
            Some(caller) => Ok(Some(caller)),
            None if uncharted => self.by_frame_pointer(place, regs),
            None => Err(Broken::Nonsense),
        }
    }

    /// As in a function that has not touched its stack.
    fn by_leaf(&mut self, place: &Place, regs: &Registers) -> Option<Registers> {
        let (ip, sp) = match self.arch.leaf {
            Leaf::Pushed => {
                (self.memory.word(regs.sp).ok()?, regs.sp.checked_add(self.arch.word.into())?)
            }
            Leaf::LinkRegister => (regs.lr & self.arch.code_mask, regs.sp),
        };
        let fits = self.fit(ip, place) != Fit::Refuted;
        fits.then_some(Registers { ip, sp, fp: regs.fp, lr: 0 })
    }

    /// As from a signal handler of a C library without unwind information for it.
    fn by_signal(&mut self, place: &Place, regs: &Registers) -> Option<Registers> {
        let layout = self.arch.signal_return?;
        // The address is one back: the trampoline begins at the handler's return address.
        let start = CodeAddr { offset: place.addr.offset.wrapping_add(1), ..place.addr };
        if regs.ip == 0 || !self.modules.returns_from_signal(start) {
            return None;
        }
        let word = |offset: u64| self.memory.word(regs.sp.checked_add(offset).unwrap_or(0)).ok();
        let (ip, sp, fp) = (word(layout.ip)?, word(layout.sp)?, word(layout.fp)?);
        Some(Registers { ip, sp, fp, lr: 0 }).filter(|next| next.ip > LOWEST_CODE)
    }

    /// By the chain of saved frame pointers, which every processor in the table lays out alike.
    fn by_frame_pointer(
        &mut self,
        place: &Place,
        regs: &Registers,
    ) -> Result<Option<Registers>, Broken> {
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
        let there = self.place(ip - 1);
        if there.rule.is_not_code() {
            self.outcome.unknown_code |= ip > LOWEST_CODE;
            return Err(Broken::Nonsense);
        }
        let upper = CodeAddr { offset: there.addr.offset.wrapping_add(1), ..there.addr };
        if !place.keeps_fp && self.modules.fit(upper, place.addr) == Fit::Refuted {
            return Err(Broken::Nonsense);
        }
        Ok(Some(Registers { ip, sp, fp, lr: 0 }))
    }

    /// By the nearest word that can be a return address and fits as wanted. If the fit is only possible, it is a
    /// guess.
    fn by_scan(&mut self, place: &Place, regs: &Registers, wanted: Fit) -> Option<Registers> {
        let word = u64::from(self.arch.word);
        for n in 0..SCANNED_WORDS {
            let at = regs.sp.checked_add(n * word)?;
            let ip = self.memory.word(at).ok()? & self.arch.code_mask;
            if self.fit(ip, place) == wanted {
                self.outcome.guessed |= wanted == Fit::Possible;
                let sp = at.checked_add(word)?;
                return Some(Registers { ip, sp, fp: regs.fp, lr: 0 });
            }
        }
        None
    }

    /// Is `ip` in code, behind a call, and can that be a call of the function at `place`?
    fn fit(&mut self, ip: u64, place: &Place) -> Fit {
        if ip == 0 || !self.space.is_code(ip - 1) {
            return Fit::Refuted;
        }
        let there = self.place(ip - 1);
        // JIT code cannot be read in a file; that it is executable memory must do.
        if there.keeps_fp {
            return Fit::Possible;
        }
        let upper = CodeAddr { offset: there.addr.offset.wrapping_add(1), ..there.addr };
        if !self.modules.follows_call(upper.module, upper.offset) {
            return Fit::Refuted;
        }
        self.modules.fit(upper, place.addr)
    }

    fn place(&mut self, address: u64) -> Place {
        self.space.place(address, self.modules, self.context)
    }
}
