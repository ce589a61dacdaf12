//! `-p`, `-g` and `-u`: numbers and names, comma-separated, `^` to leave out.

use crate::message::Messages;
use crate::world::World;

/// Numbers taken in and left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Numbers {
    pub list: Vec<Number>,
}

/// One number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Number {
    pub number: u32,
    pub excluded: bool,
    /// The name it was written as.
    pub login: Option<Vec<u8>>,
}

/// What the number names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Process,
    Group,
}

impl Numbers {
    /// True if some number is to be let in, and not only others left out.
    pub(crate) fn includes(&self) -> bool {
        self.list.iter().any(|number| !number.excluded)
    }

    pub(crate) fn is_excluded(&self, number: u32) -> bool {
        self.list.iter().any(|n| n.excluded && n.number == number)
    }

    /// The place in the list of a number that is let in.
    pub(crate) fn included(&self, number: u32) -> Option<usize> {
        self.list.iter().position(|n| !n.excluded && n.number == number)
    }

    /// False if the number is already in the list the other way.
    fn enter(&mut self, new: Number) -> bool {
        match self.list.iter().find(|old| old.number == new.number) {
            Some(old) => old.excluded == new.excluded,
            None => {
                self.list.push(new);
                true
            }
        }
    }

    /// Reads the value of `-p` or `-g`.
    pub(crate) fn read(&mut self, value: Option<&[u8]>, what: What, messages: &mut Messages) {
        let group = if what == What::Group { " group" } else { "" };
        let Some(value) = value else {
            return messages.wrong(&format!("no process{group} ID specified"), b"");
        };
        for item in items(value) {
            let (excluded, digits) = without_caret(item);
            if !digits.iter().all(u8::is_ascii_digit) {
                return messages.wrong(&format!("illegal process{group} ID: "), value);
            }
            let number = number_of(digits);
            if !self.enter(Number { number, excluded, login: None }) {
                let letter = if what == What::Group { "G" } else { "" };
                messages
                    .wrong(&format!("P{letter}ID {number} has been included and excluded."), b"");
            }
        }
    }

    /// Reads the value of `-u`.
    pub(crate) fn read_users(
        &mut self,
        value: Option<&[u8]>,
        world: &dyn World,
        messages: &mut Messages,
    ) {
        let Some(value) = value else {
            return messages.wrong("no UIDs specified", b"");
        };
        for item in items(value) {
            let (excluded, name) = without_caret(item);
            let by_number = name.iter().all(u8::is_ascii_digit);
            let number = if by_number { Some(number_of(name)) } else { world.user(name) };
            let Some(number) = number else {
                messages.wrong("can't get UID for ", name);
                continue;
            };
            let login = (!by_number).then(|| name.to_vec());
            if !self.enter(Number { number, excluded, login }) {
                messages.say(&format!("UID {number} has been included and excluded."), b"");
                messages.fatal = true;
                return;
            }
        }
    }
}

/// The parts between commas; nothing behind the last.
pub(crate) fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let trimmed = value.strip_suffix(b",").unwrap_or(value);
    let none = value.is_empty();
    trimmed.split(|&b| b == b',').filter(move |_| !none)
}

/// Whether an item begins with `^`, and the rest.
pub(crate) fn without_caret(item: &[u8]) -> (bool, &[u8]) {
    item.strip_prefix(b"^").map_or((false, item), |rest| (true, rest))
}

/// Digits as a number; what is too large is the largest.
pub(crate) fn number_of(digits: &[u8]) -> u32 {
    digits
        .iter()
        .fold(0_u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &[(u32, bool)], said: &str) {
        let mut messages = Messages::new("lsof");
        let mut numbers = Numbers::default();
        numbers.read(Some(value.as_bytes()), What::Process, &mut messages);
        let got: Vec<(u32, bool)> = numbers.list.iter().map(|n| (n.number, n.excluded)).collect();
        assert_eq!(got, expected, "{value}");
        assert_eq!(String::from_utf8_lossy(&messages.text), said, "{value}");
    }

    #[test]
    fn numbers_are_let_in_or_left_out() {
        check("1,23", &[(1, false), (23, false)], "");
        check("^1,23,", &[(1, true), (23, false)], "");
        check("1,1", &[(1, false)], "");
        check("1,^1", &[(1, false)], "lsof: PID 1 has been included and excluded.\n");
        check("1,x", &[(1, false)], "lsof: illegal process ID: 1,x\n");
        check("", &[], "");
    }
}
