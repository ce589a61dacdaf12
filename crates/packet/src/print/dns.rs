//! DNS, over UDP and TCP, and its multicast form. The records' values are in `dns_records.rs`.

use super::dns_tables::{ANSWERS, CLASSES, OPERATIONS, TYPES};
use super::line::{Line, Read, put};
use super::tokens::token;

const HEADER: usize = 12;
/// The longest name that is shown.
const LONGEST_NAME: usize = 255;
const OPT: u16 = 41;
const INVERSE: u16 = 1;
const INTERNET: u16 = 1;

/// How many of each section there are.
struct Counts {
    questions: u16,
    answers: u16,
    authorities: u16,
    additional: u16,
}

/// A message being read: where it begins, for compressed names, and whether it is multicast.
#[derive(Clone, Copy)]
pub struct Message {
    pub start: usize,
    pub multicast: bool,
}

impl Line<'_> {
    pub fn dns(&mut self, at: usize, length: usize, over_tcp: bool, multicast: bool) -> Read {
        self.protocol = "domain";
        let (mut at, mut length) = (at, length);
        if over_tcp {
            if length < 2 {
                put!(self, " [DNS over TCP: length {length} < 2]");
                self.invalid();
                return Ok(());
            }
            length -= 2;
            let told = usize::from(self.u16(at)?);
            if told != length {
                put!(self, " [prefix length({told}) != length({length})]");
                self.invalid();
                return Ok(());
            }
            at += 2;
            self.text(" ");
        }
        if length < HEADER {
            put!(self, "domain [length {length} < 12]");
            self.invalid();
            return Ok(());
        }
        if !self.has(at, HEADER) {
            self.cut();
            return Ok(());
        }
        let flags = self.u16(at + 2)?;
        let counts = Counts {
            questions: self.u16(at + 4)?,
            answers: self.u16(at + 6)?,
            authorities: self.u16(at + 8)?,
            additional: self.u16(at + 10)?,
        };
        let message = Message { start: at, multicast };
        let whole = if flags & 0x8000 != 0 {
            self.dns_answer(message, flags, &counts)?
        } else {
            self.dns_question(message, flags, &counts)?
        };
        if whole {
            put!(self, " ({length})");
        } else {
            self.cut();
        }
        Ok(())
    }

    /// An answer; false if it is cut.
    fn dns_answer(&mut self, message: Message, flags: u16, counts: &Counts) -> Read<bool> {
        let code = self.dns_code(message, flags, counts)?;
        let operation = OPERATIONS.get(usize::from(flags >> 11 & 15)).copied().unwrap_or_default();
        put!(self, "{}{operation}", self.u16(message.start)?);
        match ANSWERS.get(usize::from(code)) {
            Some(word) => self.text(word),
            None => put!(self, " Resp{}", code & 0xfff),
        }
        self.text(if flags & 0x400 != 0 { "*" } else { "" });
        self.text(if flags & 0x80 != 0 { "" } else { "-" });
        self.text(if flags & 0x200 != 0 { "|" } else { "" });
        self.text(if flags & 0x20 != 0 { "$" } else { "" });
        if counts.questions != 1 {
            put!(self, " [{}q]", counts.questions);
        }
        let mut at = message.start + HEADER;
        for index in 0..counts.questions {
            if index != 0 {
                self.text(",");
            }
            let next = if self.verbose() > 1 {
                self.text(" q:");
                self.dns_one_question(at, message)?
            } else {
                self.dns_skip(at)?.map(|at| at + 4)
            };
            let Some(next) = next else { return Ok(false) };
            at = next;
        }
        put!(self, " {}/{}/{}", counts.answers, counts.authorities, counts.additional);
        if counts.answers > 0 {
            match self.dns_records(at, counts.answers, message)? {
                Some(next) => at = next,
                None => return Ok(false),
            }
        }
        self.dns_sections(at, message, counts)
    }

    /// What follows the answers, with `-vv`.
    fn dns_sections(&mut self, at: usize, message: Message, counts: &Counts) -> Read<bool> {
        if self.verbose() <= 1 {
            return Ok(true);
        }
        let mut at = at;
        for (count, word) in [(counts.authorities, " ns:"), (counts.additional, " ar:")] {
            if count == 0 {
                continue;
            }
            if at >= self.end {
                return Ok(false);
            }
            self.text(word);
            match self.dns_records(at, count, message)? {
                Some(next) => at = next,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Records with commas between; none if they are cut.
    fn dns_records(&mut self, at: usize, count: u16, message: Message) -> Read<Option<usize>> {
        let Some(mut at) = self.dns_record(at, message)? else { return Ok(None) };
        let mut left = count - 1;
        while at < self.end && left > 0 {
            self.text(",");
            match self.dns_record(at, message)? {
                Some(next) => at = next,
                None => return Ok(None),
            }
            left -= 1;
        }
        Ok((left == 0).then_some(at))
    }

    /// The answer's code: its upper bits stand in an OPT record among the additional ones.
    fn dns_code(&self, message: Message, flags: u16, counts: &Counts) -> Read<u16> {
        let code = flags & 15;
        let mut at = message.start + HEADER;
        for _ in 0..counts.questions {
            match self.dns_skip(at)? {
                Some(next) if next + 4 < self.end => at = next + 4,
                _ => return Ok(code),
            }
        }
        for _ in 0..u32::from(counts.answers) + u32::from(counts.authorities) {
            let Some(next) = self.dns_skip(at)? else { return Ok(code) };
            if next + 10 > self.end {
                return Ok(code);
            }
            at = next + 10 + usize::from(self.u16(next + 8)?);
            if at >= self.end {
                return Ok(code);
            }
        }
        for _ in 0..counts.additional {
            let Some(next) = self.dns_skip(at)? else { return Ok(code) };
            if next + 5 > self.end {
                return Ok(code);
            }
            if self.u16(next)? == OPT {
                return Ok(code | u16::from(self.u8(next + 4)?) << 4);
            }
            if next + 10 > self.end {
                return Ok(code);
            }
            at = next + 10 + usize::from(self.u16(next + 8)?);
            if at >= self.end {
                return Ok(code);
            }
        }
        Ok(code)
    }

    /// A question; false if it is cut.
    fn dns_question(&mut self, message: Message, flags: u16, counts: &Counts) -> Read<bool> {
        let operation = flags >> 11 & 15;
        let word = OPERATIONS.get(usize::from(operation)).copied().unwrap_or_default();
        put!(self, "{}{word}", self.u16(message.start)?);
        self.text(if flags & 0x100 != 0 { "+" } else { "" });
        self.text(if flags & 0x10 != 0 { "%" } else { "" });
        if flags & 0x6cf != 0 {
            put!(self, " [b2&3=0x{flags:x}]");
        }
        let (questions, answers) = (counts.questions, counts.answers);
        if operation == INVERSE {
            if questions != 0 {
                put!(self, " [{questions}q]");
            }
            if answers != 1 {
                put!(self, " [{answers}a]");
            }
        } else {
            if answers != 0 {
                put!(self, " [{answers}a]");
            }
            if questions != 1 {
                put!(self, " [{questions}q]");
            }
        }
        if counts.authorities != 0 {
            put!(self, " [{}n]", counts.authorities);
        }
        if counts.additional != 0 {
            put!(self, " [{}au]", counts.additional);
        }
        let mut at = message.start + HEADER;
        for index in 0..questions {
            if index > 0 && at >= self.end {
                return Ok(false);
            }
            match self.dns_one_question(at, message)? {
                Some(next) => at = next,
                None => return Ok(false),
            }
        }
        if self.verbose() > 1 && answers > 0 {
            match self.dns_records(at, answers, message)? {
                Some(next) => at = next,
                None => return Ok(false),
            }
        }
        self.dns_sections(at, message, counts)
    }

    fn dns_one_question(&mut self, at: usize, message: Message) -> Read<Option<usize>> {
        let Some(kind_at) = self.dns_skip(at)? else { return Ok(None) };
        if !self.has(kind_at, 4) {
            return Ok(None);
        }
        let (kind, told) = (self.u16(kind_at)?, self.u16(kind_at + 2)?);
        self.text(" ");
        self.token(TYPES, kind.into(), ("Type", ""));
        self.dns_class(if message.multicast { told & 0x7fff } else { told });
        if message.multicast {
            self.text(if told & 0x8000 != 0 { " (QU)" } else { " (QM)" });
        }
        self.text("? ");
        Ok(self.dns_name(at, message.start)?.map(|at| at + 4))
    }

    /// A class, if it is not the Internet's.
    pub fn dns_class(&mut self, class: u16) {
        if class != INTERNET {
            match token(CLASSES, class.into()) {
                Some(word) => put!(self, " {word}"),
                None => put!(self, " (Class {class})"),
            }
        }
    }

    /// Where a name ends; none if it does not.
    pub fn dns_skip(&self, at: usize) -> Read<Option<usize>> {
        let mut at = at;
        loop {
            if at >= self.end {
                return Ok(None);
            }
            let length = self.u8(at)?;
            at += 1;
            match length >> 6 {
                _ if length == 0 => return Ok(Some(at)),
                0 => at += usize::from(length),
                3 => return Ok(Some(at + 1)),
                1 if length == 0x41 && at < self.end => at += 1 + self.bit_label(at)?.div_ceil(8),
                _ => return Ok(None),
            }
        }
    }

    fn bit_label(&self, at: usize) -> Read<usize> {
        Ok(match self.u8(at)? {
            0 => 256,
            bits => bits.into(),
        })
    }

    /// Says a name, following compression backwards only; where it ends, or none if it is cut or wrong.
    pub fn dns_name(&mut self, at: usize, start: usize) -> Read<Option<usize>> {
        let (mut at, mut after) = (at, None);
        let mut highest = at.wrapping_sub(start);
        let (mut shown, mut begun) = (0, false);
        if at >= self.end {
            return Ok(None);
        }
        if self.u8(at)? == 0 {
            self.text(".");
            return Ok(Some(at + 1));
        }
        loop {
            if at >= self.end {
                return Ok(None);
            }
            let length = self.u8(at)?;
            at += 1;
            if length != 0 && at >= self.end && !matches!(length >> 6, 1 | 2) {
                // tcpdump says nothing of a label that is cut off behind its length.
                let is_pointer = length >> 6 == 3 && !begun;
                return Ok((!is_pointer).then(|| after.unwrap_or(at + usize::from(length))));
            }
            begun = true;
            match length >> 6 {
                _ if length == 0 => break,
                0 => {
                    let length = usize::from(length);
                    let room = length.min(LONGEST_NAME.saturating_sub(shown));
                    if !self.shown_bytes(at, room)? {
                        return Ok(None);
                    }
                    shown += length;
                    at += length;
                }
                3 => {
                    if at >= self.end {
                        return Ok(None);
                    }
                    let offset = usize::from(length & 63) << 8 | usize::from(self.u8(at)?);
                    after.get_or_insert(at + 1);
                    if offset >= highest {
                        self.text("<BAD PTR>");
                        return Ok(None);
                    }
                    highest = offset;
                    at = start + offset;
                    continue;
                }
                1 if length == 0x41 => at = self.dns_bits(at)?,
                1 => {
                    put!(self, "<ELT {}>", length & 63);
                    return Ok(None);
                }
                _ => {
                    self.text("<BAD LABEL TYPE>");
                    return Ok(None);
                }
            }
            if shown <= LONGEST_NAME {
                self.text(".");
            }
            shown += 1;
        }
        if shown > LONGEST_NAME {
            self.text("<DOMAIN NAME TOO LONG>");
        }
        Ok(Some(after.unwrap_or(at)))
    }

    /// A label of bits (RFC 2673, long obsolete).
    fn dns_bits(&mut self, at: usize) -> Read<usize> {
        let bits = self.bit_label(at)?;
        self.text("\\[x");
        self.hex_bytes(at + 1, bits.div_ceil(8), "")?;
        put!(self, "/{bits}]");
        Ok(at + 1 + bits.div_ceil(8))
    }
}
