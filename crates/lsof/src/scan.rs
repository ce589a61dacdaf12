//! lsof's own way of reading arguments: `-` and `+` before letters, letters together, values that may be missing.
//!
//! A letter that may have a value gets the rest of its argument, or the next argument, or nothing. If what follows is
//! not for it (`-i -n`), or only its first digits are (`-o8n`), it gives it back to be read as letters.

/// Where letters and values come from.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    arguments: &'a [Vec<u8>],
    /// The next argument.
    at: usize,
    /// The next letter in it; 0 before its sign was read.
    letter: usize,
    sign: u8,
    /// Where the last value began, for giving it back.
    value_at: (usize, usize),
}

/// One letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Letter<'a> {
    /// `-` or `+`.
    pub sign: u8,
    /// The letter.
    pub letter: u8,
    /// What may be its value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Letter<'a> {
    /// True for `+X`.
    pub(crate) fn plus(&self) -> bool {
        self.sign == b'+'
    }

    /// The value, unless it is missing or looks like an option.
    pub(crate) fn own_value(&self) -> Option<&'a [u8]> {
        self.value.filter(|value| !matches!(value.first(), Some(b'-' | b'+')))
    }
}

/// What is wrong with a letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    /// A colon.
    Colon,
    /// Not in the table.
    Unknown(u8),
}

/// Letters that stand alone.
const ALONE: &[u8] = b"?abhHjJlnNOPQRtUvVwXEM";
/// Letters that may have a value.
const WITH_VALUE: &[u8] = b"cDdfFgiLopersSTuxKmZ";

impl<'a> Scanner<'a> {
    pub(crate) fn new(arguments: &'a [Vec<u8>]) -> Self {
        Scanner { arguments, at: 0, letter: 0, sign: b'-', value_at: (0, 0) }
    }

    /// The next letter; `None` at the end of options.
    pub(crate) fn next(&mut self) -> Option<Result<Letter<'a>, Wrong>> {
        if self.letter == 0 && !self.open_argument() {
            return None;
        }
        let argument: &'a [u8] = &self.arguments[self.at];
        let letter = argument[self.letter];
        if WITH_VALUE.contains(&letter) {
            let value = self.take_value(argument);
            return Some(Ok(Letter { sign: self.sign, letter, value }));
        }
        self.letter += 1;
        if self.letter == argument.len() {
            self.at += 1;
            self.letter = 0;
        }
        Some(match letter {
            b':' => Err(Wrong::Colon),
            letter if ALONE.contains(&letter) => {
                Ok(Letter { sign: self.sign, letter, value: None })
            }
            letter => Err(Wrong::Unknown(letter)),
        })
    }

    /// Reads an argument's sign. False if it has none, or is `--` or `++`, which is passed.
    fn open_argument(&mut self) -> bool {
        let Some([sign @ (b'-' | b'+'), second, rest @ ..]) =
            self.arguments.get(self.at).map(Vec::as_slice)
        else {
            return false;
        };
        if second == sign && rest.is_empty() {
            self.at += 1;
            return false;
        }
        self.sign = *sign;
        self.letter = 1;
        true
    }

    fn take_value(&mut self, argument: &'a [u8]) -> Option<&'a [u8]> {
        let inside = self.letter + 1;
        self.letter = 0;
        if inside < argument.len() {
            self.value_at = (self.at, inside);
            self.at += 1;
            return Some(&argument[inside..]);
        }
        self.at += 1;
        let next = self.arguments.get(self.at)?;
        self.value_at = (self.at, 0);
        if next == b"--" {
            return None;
        }
        self.at += 1;
        Some(next)
    }

    /// Gives the last value back but for its first `used` bytes.
    pub(crate) fn give_back(&mut self, used: usize) {
        (self.at, self.letter) = (self.value_at.0, self.value_at.1 + used);
    }

    /// What follows the options.
    pub(crate) fn rest(&self) -> &'a [Vec<u8>] {
        self.arguments.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters with their values, then `|` and the rest. A value that looks like an option is given back.
    fn scan(text: &str) -> String {
        let arguments: Vec<Vec<u8>> =
            text.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let mut scanner = Scanner::new(&arguments);
        let mut out = String::new();
        while let Some(letter) = scanner.next() {
            match letter {
                Ok(letter) => {
                    out += &format!("{}{}", letter.sign as char, letter.letter as char);
                    if let Some(value) = letter.own_value() {
                        out += &format!("={}", String::from_utf8_lossy(value));
                    } else if letter.value.is_some() {
                        scanner.give_back(0);
                    }
                }
                Err(wrong) => out += &format!("{wrong:?}"),
            }
            out.push(' ');
        }
        for word in scanner.rest() {
            out += &format!("|{}", String::from_utf8_lossy(word));
        }
        out
    }

    #[test]
    fn letters_stand_together_and_take_what_is_theirs() {
        assert_eq!(scan("-nPp 12 file"), "-n -P -p=12 |file");
        assert_eq!(scan("-nPp12,^13"), "-n -P -p=12,^13 ");
        assert_eq!(scan("-i -n"), "-i -n ");
        assert_eq!(scan("-i:80 -a -d ^mem"), "-i=:80 -a -d=^mem ");
        assert_eq!(scan("+L1 +d /tmp"), "+L=1 +d=/tmp ");
        assert_eq!(scan("-i -- -n"), "-i |-n");
        assert_eq!(scan("-- -n"), "|-n");
        assert_eq!(scan("-n - -P"), "-n |-|-P");
        assert_eq!(scan("-y:n"), "Unknown(121) Colon -n ");
        assert_eq!(scan("-F"), "-F ");
    }

    #[test]
    fn digits_may_be_taken_from_a_value() {
        let arguments = vec![b"-o8n".to_vec()];
        let mut scanner = Scanner::new(&arguments);
        assert_eq!(scanner.next().map(|l| l.map(|l| l.value)), Some(Ok(Some(&b"8n"[..]))));
        scanner.give_back(1);
        assert_eq!(scanner.next().map(|l| l.map(|l| l.letter)), Some(Ok(b'n')));
        assert!(scanner.next().is_none());
    }
}
