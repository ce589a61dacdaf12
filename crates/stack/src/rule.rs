//! Unwind rules: how to get from one frame to its caller's, as a small copyable value, and the doing of it.
//!
//! `cfi` makes rules from DWARF; `unwind` carries them out. Registers are those that a source delivers: instruction
//! pointer, stack pointer, frame pointer and, where there is one, the link register.

use gimli::{EndianSlice, Evaluation, EvaluationResult, Expression, LittleEndian, Location, Value};

use crate::arch::Arch;
use crate::cfi::Cfi;
use fdscope_model::Registers;

/// How to unwind at one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// As the unwind information says.
    Dwarf(Row),
    /// There is none for this address: leaf or frame pointer, by position on the stack.
    Unknown,
    /// The address is not in executable memory.
    NotCode,
}

/// One row of call frame information, reduced to the registers that matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The canonical frame address: the caller's stack pointer.
    pub cfa: Cfa,
    /// The caller's frame pointer.
    pub fp: Saved,
    /// The return address.
    pub ra: Saved,
    /// True for a signal trampoline: the address found is that of the interrupted instruction itself.
    pub signal: bool,
}

/// How to compute the canonical frame address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cfa {
    /// Stack pointer plus this.
    Sp(i32),
    /// Frame pointer plus this.
    Fp(i32),
    /// By expression.
    Expression(Span),
}

/// Where a register of the caller is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saved {
    /// Still in the register.
    Same,
    /// Not recoverable; for the return address: there is no caller.
    Undefined,
    /// In memory at the canonical frame address plus this.
    At(i32),
    /// In memory where the expression says.
    AtExpression(Span),
    /// The value of the expression.
    Expression(Span),
    /// In another register than the ones known.
    Elsewhere,
}

/// Bytes of an expression in the section that the rule came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Where it begins.
    pub start: u32,
    /// How long it is.
    pub len: u32,
    /// True if it is in `.debug_frame`.
    pub debug: bool,
}

/// Why a frame could not be left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// The bytes copied end before the word needed.
    OffCopy,
    /// The rule makes no sense here.
    Nonsense,
}

/// The copied stack.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'a> {
    /// Address of the first byte.
    pub base: u64,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Bytes of a word.
    pub word: u8,
}

/// Addresses this far above the copy are still thought to be in the same stack: the default size limit of one.
const FURTHEST: u64 = 8 << 20;
/// A frame pointer that is not known: no valid one, and not the 0 that ends a chain.
const LOST: u64 = u64::MAX;
/// The most steps of one expression; real ones take about ten.
const MOST_STEPS: u32 = 256;

impl Memory<'_> {
    /// The word at `address`.
    pub fn word(&self, address: u64) -> Result<u64, Broken> {
        let offset = address.checked_sub(self.base).ok_or(Broken::Nonsense)?;
        let from = usize::try_from(offset).ok().filter(|_| offset < FURTHEST);
        let tail = from.ok_or(Broken::Nonsense)?;
        let tail = self.bytes.get(tail..).ok_or(Broken::OffCopy)?;
        match self.word {
            4 => tail.first_chunk().map(|&word| u32::from_le_bytes(word).into()),
            _ => tail.first_chunk().map(|&word| u64::from_le_bytes(word)),
        }
        .ok_or(Broken::OffCopy)
    }
}

/// What a row leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    /// A frame with these registers.
    Frame(Registers),
    /// None: this was the thread's first frame.
    None,
}

impl Rule {
    /// True if there is no code at the address.
    pub fn is_not_code(&self) -> bool {
        matches!(self, Rule::NotCode)
    }
}

impl Row {
    /// Carries the rule out.
    pub fn caller(
        &self,
        arch: &Arch,
        regs: &Registers,
        memory: Memory<'_>,
        cfi: Option<&Cfi>,
    ) -> Result<Caller, Broken> {
        let eval = Evaluator { arch, regs, memory, cfi };
        let cfa = match self.cfa {
            Cfa::Sp(offset) => regs.sp.wrapping_add_signed(offset.into()),
            Cfa::Fp(offset) => regs.fp.wrapping_add_signed(offset.into()),
            Cfa::Expression(span) => eval.run(span, None)?,
        };
        let ra = match self.ra {
            Saved::Undefined => return Ok(Caller::None),
            Saved::Same if regs.lr != 0 => regs.lr,
            saved => eval.saved(saved, cfa, 0)?,
        };
        // A frame pointer that cannot be read is lost, not fatal: most frames do not need it.
        let fp = eval.saved(self.fp, cfa, regs.fp).unwrap_or(LOST);
        let ip = ra & arch.code_mask;
        Ok(if ip == 0 { Caller::None } else { Caller::Frame(Registers { ip, sp: cfa, fp, lr: 0 }) })
    }
}

struct Evaluator<'a> {
    arch: &'a Arch,
    regs: &'a Registers,
    memory: Memory<'a>,
    cfi: Option<&'a Cfi>,
}

impl Evaluator<'_> {
    fn saved(&self, saved: Saved, cfa: u64, now: u64) -> Result<u64, Broken> {
        match saved {
            Saved::Same => Ok(now),
            Saved::Undefined => Ok(LOST),
            Saved::At(offset) => self.memory.word(cfa.wrapping_add_signed(offset.into())),
            Saved::AtExpression(span) => self.memory.word(self.run(span, Some(cfa))?),
            Saved::Expression(span) => self.run(span, Some(cfa)),
            Saved::Elsewhere => Err(Broken::Nonsense),
        }
    }

    /// Evaluates an expression; `cfa` is pushed first for those of registers, as DWARF wants it.
    fn run(&self, span: Span, cfa: Option<u64>) -> Result<u64, Broken> {
        let bytes = self.cfi.and_then(|cfi| cfi.expression(span)).ok_or(Broken::Nonsense)?;
        let encoding = gimli::Encoding {
            address_size: self.arch.word,
            format: gimli::Format::Dwarf32,
            version: 4,
        };
        let expression = Expression(EndianSlice::new(bytes, LittleEndian));
        let mut evaluation: Evaluation<_> = expression.evaluation(encoding);
        // The file comes from the target: an expression may branch backwards for ever.
        evaluation.set_max_iterations(MOST_STEPS);
        if let Some(cfa) = cfa {
            evaluation.set_initial_value(cfa);
        }
        let mut state = evaluation.evaluate().map_err(|_| Broken::Nonsense)?;
        for _ in 0..MOST_STEPS {
            state = match state {
                EvaluationResult::Complete => return finished(&evaluation),
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = self.register(register).ok_or(Broken::Nonsense)?;
                    evaluation.resume_with_register(Value::Generic(value))
                }
                EvaluationResult::RequiresMemory { address, .. } => {
                    evaluation.resume_with_memory(Value::Generic(self.memory.word(address)?))
                }
                _ => return Err(Broken::Nonsense),
            }
            .map_err(|_| Broken::Nonsense)?;
        }
        Err(Broken::Nonsense)
    }

    fn register(&self, register: gimli::Register) -> Option<u64> {
        let Arch { sp, fp, ra, .. } = *self.arch;
        let known = [(sp, self.regs.sp), (fp, self.regs.fp), (ra, self.regs.ip)];
        known.into_iter().find(|&(number, _)| number == register).map(|(_, value)| value)
    }
}

fn finished(evaluation: &Evaluation<EndianSlice<'_, LittleEndian>>) -> Result<u64, Broken> {
    match evaluation.as_result().last().map(|piece| &piece.location) {
        Some(&Location::Address { address }) => Ok(address),
        _ => Err(Broken::Nonsense),
    }
}
