//! Sets as `-e` takes them: of calls, of numbers, of words.

use fdscope_syscall::Arch;
use fdscope_syscall::class;
use fdscope_syscall::names::NAMES;
use regex::bytes::Regex;

/// Numbers beyond this are of no call known; they are in a set if the set is everything or a complement.
const MOST: usize = 1024;
/// Classes that may be written without the percent sign.
const BARE: [&str; 7] = ["file", "desc", "ipc", "memory", "network", "process", "signal"];
/// The bit of x32 calls.
const X32: u64 = 0x4000_0000;

/// A set of calls, by interface and number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallSet {
    rows: [Vec<bool>; Arch::ALL.len()],
    beyond: bool,
}

impl CallSet {
    /// Every call.
    pub fn all() -> Self {
        CallSet { rows: std::array::from_fn(|_| vec![true; MOST]), beyond: true }
    }

    /// No call.
    pub fn none() -> Self {
        CallSet { rows: std::array::from_fn(|_| vec![false; MOST]), beyond: false }
    }

    /// Is a call in the set?
    pub fn has(&self, arch: Arch, number: u64) -> bool {
        let index = usize::try_from(number & !X32).unwrap_or(usize::MAX);
        self.rows.get(arch as usize).and_then(|row| row.get(index)).copied().unwrap_or(self.beyond)
    }

    /// True if every call is in it.
    pub fn is_all(&self) -> bool {
        self.beyond && self.rows.iter().flatten().all(|has| *has)
    }

    /// The set that a word of `-e` names: names, `/regex`, `%class`, numbers, separated by commas; `!` for all but.
    ///
    /// # Errors
    /// What strace complains of.
    pub fn read(word: &[u8]) -> Result<Self, Vec<u8>> {
        let bare = word.iter().position(|byte| *byte != b'!').unwrap_or(word.len());
        let (marks, text) = word.split_at(bare);
        let mut set = CallSet::none();
        match text {
            b"none" => {}
            b"all" => set = CallSet::all(),
            _ => {
                let tokens = text.split(|byte| *byte == b',').filter(|token| !token.is_empty());
                let mut any = false;
                for token in tokens {
                    any = true;
                    set.add(token)?;
                }
                if !any {
                    return Err(invalid(text));
                }
            }
        }
        if marks.len() % 2 == 1 {
            set.rows.iter_mut().flatten().for_each(|has| *has = !*has);
            set.beyond = !set.beyond;
        }
        Ok(set)
    }

    fn add(&mut self, token: &[u8]) -> Result<(), Vec<u8>> {
        let marks = token.iter().position(|byte| *byte != b'?').unwrap_or(token.len());
        let (optional, name) = (marks > 0, token.get(marks..).unwrap_or_default());
        let (name, arches) = designated(name, token)?;
        let found = match name {
            b"all" => {
                self.mark(&arches, |_, _| true);
                true
            }
            [b'/', pattern @ ..] => self.mark_matching(pattern, &arches)?,
            [b'0'..=b'9', ..] => self.mark_number(name, &arches),
            _ => self.mark_class(name, &arches) || self.mark(&arches, |known, _| known == name),
        };
        if found || optional { Ok(()) } else { Err(invalid(token)) }
    }

    fn mark_matching(&mut self, pattern: &[u8], arches: &[Arch]) -> Result<bool, Vec<u8>> {
        let text = String::from_utf8_lossy(pattern);
        let regex = Regex::new(&text)
            .map_err(|_| format!("regcomp: {text}: Invalid regular expression").into_bytes())?;
        Ok(self.mark(arches, |known, _| regex.is_match(known)))
    }

    fn mark_number(&mut self, digits: &[u8], arches: &[Arch]) -> bool {
        let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u64>().ok());
        number.is_some_and(|number| self.mark(arches, |_, its| u64::from(its) == number))
    }

    fn mark_class(&mut self, name: &[u8], arches: &[Arch]) -> bool {
        let name = std::str::from_utf8(name).unwrap_or_default();
        // Without the mark most names of classes are those of calls.
        let is_marked = name.starts_with('%');
        let class = (is_marked || BARE.contains(&name)).then_some(name);
        let Some(members) = class.and_then(class::members) else { return false };
        self.mark(arches, |known, _| members.iter().any(|member| member.as_bytes() == known));
        true
    }

    /// Marks every call for which `wanted` says so, by name and number.
    fn mark(&mut self, arches: &[Arch], wanted: impl Fn(&[u8], u16) -> bool) -> bool {
        let mut any = false;
        for (arch, row) in arches.iter().flat_map(|arch| NAMES.iter().map(move |row| (arch, row))) {
            let Some(number) = row.numbers.of(*arch) else { continue };
            if wanted(row.name.as_bytes(), number)
                && let Some(has) = self
                    .rows
                    .get_mut(*arch as usize)
                    .and_then(|marks| marks.get_mut(usize::from(number)))
            {
                *has = true;
                any = true;
            }
        }
        any
    }
}

fn invalid(token: &[u8]) -> Vec<u8> {
    [b"invalid system call '", token, b"'"].concat()
}

/// The interfaces that `@32`, `@64` or nothing behind a name means.
fn designated<'a>(name: &'a [u8], token: &[u8]) -> Result<(&'a [u8], Vec<Arch>), Vec<u8>> {
    let Some(at) = name.iter().rposition(|byte| *byte == b'@').filter(|_| !name.starts_with(b"/"))
    else {
        return Ok((name, Arch::ALL.to_vec()));
    };
    let (name, designator) = (name.get(..at).unwrap_or(name), name.get(at + 1..).unwrap_or(b""));
    let compat = match designator {
        b"64" => false,
        b"32" => true,
        b"x32" => return Ok((name, Vec::new())),
        _ => {
            let words = [
                b"incorrect personality designator '",
                designator,
                b"' in qualification '",
                token,
                b"'\n",
            ];
            return Err(words.concat());
        }
    };
    let arches = Arch::ALL.into_iter().filter(|arch| arch.is_compat() == compat);
    Ok((name, arches.collect()))
}

/// A set of words out of a list, or of small numbers, as bits: signals, descriptors, kinds of messages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NumberSet {
    listed: Vec<u32>,
    inverted: bool,
}

impl NumberSet {
    /// Everything.
    pub fn all() -> Self {
        NumberSet { listed: Vec::new(), inverted: true }
    }

    /// Exactly these.
    pub fn only(listed: &[u32]) -> Self {
        NumberSet { listed: listed.to_vec(), inverted: false }
    }

    /// Is it in the set?
    pub fn has(&self, number: u32) -> bool {
        self.listed.contains(&number) != self.inverted
    }

    /// True if everything is in it.
    pub fn is_all(&self) -> bool {
        self.inverted && self.listed.is_empty()
    }

    /// True if nothing is in it.
    pub fn is_none(&self) -> bool {
        !self.inverted && self.listed.is_empty()
    }

    /// The set that a word names: values separated by commas, `all`, `none`, `!` for all but these.
    ///
    /// # Errors
    /// What strace complains of: `what` says of what kind a value is.
    pub fn read(
        word: &[u8],
        what: &str,
        value: impl Fn(&[u8]) -> Option<u32>,
    ) -> Result<Self, Vec<u8>> {
        let marks = word.iter().position(|byte| *byte != b'!').unwrap_or(word.len());
        let text = word.get(marks..).unwrap_or_default();
        let mut set = NumberSet { listed: Vec::new(), inverted: marks % 2 == 1 };
        match text {
            b"none" => return Ok(set),
            b"all" => {
                set.inverted = !set.inverted;
                return Ok(set);
            }
            _ => {}
        }
        let invalid = |token: &[u8]| [b"invalid ", what.as_bytes(), b" '", token, b"'"].concat();
        for token in text.split(|byte| *byte == b',').filter(|token| !token.is_empty()) {
            set.listed.push(value(token).ok_or_else(|| invalid(token))?);
        }
        if set.listed.is_empty() { Err(invalid(text)) } else { Ok(set) }
    }
}

/// A decimal number that is a descriptor.
pub fn descriptor(token: &[u8]) -> Option<u32> {
    let number: u32 = std::str::from_utf8(token).ok()?.parse().ok()?;
    (number <= i32::MAX as u32 && token.first() != Some(&b'+')).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(word: &str) -> Result<Vec<u64>, String> {
        let set = CallSet::read(word.as_bytes())
            .map_err(|words| String::from_utf8_lossy(&words).into_owned())?;
        Ok((0..12).filter(|number| set.has(Arch::X86_64, *number)).collect())
    }

    #[test]
    fn calls_are_named_in_every_way() {
        assert_eq!(numbers("open,close"), Ok(vec![2, 3]));
        assert_eq!(numbers("!open,close"), Ok(vec![0, 1, 4, 5, 6, 7, 8, 9, 10, 11]));
        assert_eq!(numbers("?nosuch,read"), Ok(vec![0]));
        assert_eq!(numbers("/^.?stat$"), Ok(vec![4, 5, 6]));
        assert_eq!(numbers("none"), Ok(vec![]));
        assert_eq!(numbers("!all"), Ok(vec![]));
        assert_eq!(numbers("3"), Ok(vec![3]));
        assert_eq!(numbers("%stat"), Ok(vec![4]));
        assert_eq!(numbers("%%stat"), Ok(vec![4, 5, 6]));
        assert_eq!(numbers("%%file"), Err("invalid system call '%%file'".into()));
        assert_eq!(numbers("open@64"), Ok(vec![2]));
        assert_eq!(numbers("open@32"), Ok(vec![]));
        assert_eq!(numbers("close,none"), Err("invalid system call 'none'".into()));
        assert_eq!(numbers(""), Err("invalid system call ''".into()));
        assert_eq!(numbers("%foo"), Err("invalid system call '%foo'".into()));
        assert_eq!(numbers("99999"), Err("invalid system call '99999'".into()));
    }

    #[test]
    fn numbers_are_told_from_words() {
        let read = |word: &str| NumberSet::read(word.as_bytes(), "descriptor", descriptor);
        let set = read("3,5").expect("a set");
        assert!(set.has(3) && !set.has(4));
        let set = read("!3").expect("a set");
        assert!(!set.has(3) && set.has(4));
        assert!(read("all").expect("a set").is_all() && read("!all").expect("a set").is_none());
        assert_eq!(read("-1"), Err(b"invalid descriptor '-1'".to_vec()));
    }
}
