//! `-d`: descriptors by number, range and name, all taken in or all left out.

use super::number::{number_of, without_caret};
use crate::message::Messages;

/// How a file is held, as the FD column names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum FdKind {
    /// By number.
    Number(u32),
    /// Working directory.
    Cwd,
    /// Root directory.
    Root,
    /// Running program.
    Text,
    /// Mapped file.
    Memory,
    /// Mapped file without a name any more.
    Deleted,
    /// The table of descriptors could not be read.
    NoFd,
    /// A name of lsof's that Linux has no use for.
    Never,
}

impl FdKind {
    /// The name in the column; numbers have none.
    pub(crate) fn word(self) -> Option<&'static str> {
        Some(match self {
            FdKind::Number(_) | FdKind::Never => return None,
            FdKind::Cwd => "cwd",
            FdKind::Root => "rtd",
            FdKind::Text => "txt",
            FdKind::Memory => "mem",
            FdKind::Deleted => "DEL",
            FdKind::NoFd => "NOFD",
        })
    }

    fn from_word(word: &[u8]) -> Option<FdKind> {
        const KNOWN: &[FdKind] = &[
            FdKind::Cwd,
            FdKind::Root,
            FdKind::Text,
            FdKind::Memory,
            FdKind::Deleted,
            FdKind::NoFd,
        ];
        const NEVER: &[&[u8]] = &[
            b"unk", b"err", b"pd", b"ltx", b"fp", b"twd", b"ctty", b"jd.", b"v86", b"m86", b"mmap",
        ];
        let known = KNOWN.iter().find(|kind| kind.word().is_some_and(|w| w.as_bytes() == word));
        known.copied().or_else(|| NEVER.contains(&word).then_some(FdKind::Never))
    }
}

/// The list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Descriptors {
    /// True for a list of what is left out.
    pub excluded: bool,
    pub list: Vec<Part>,
}

/// One part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    Kind(FdKind),
    /// First and last number.
    Range(u32, u32),
}

impl Descriptors {
    /// True if `-d` selects this one.
    pub(crate) fn selects(&self, kind: FdKind) -> bool {
        let listed = self.list.iter().any(|part| match (part, kind) {
            (Part::Range(low, high), FdKind::Number(fd)) => (*low..=*high).contains(&fd),
            (Part::Kind(listed), kind) => *listed == kind,
            _ => false,
        });
        listed != self.excluded
    }

    /// True if some row of this sort may be selected.
    pub(crate) fn may_select(&self, sort: fn(FdKind) -> bool) -> bool {
        self.excluded
            || self.list.iter().any(|part| match part {
                Part::Kind(kind) => sort(*kind),
                Part::Range(low, _) => sort(FdKind::Number(*low)),
            })
    }
}

/// Reads a value into a list, begun with the first.
pub(crate) fn read(
    into: &mut Option<Descriptors>,
    value: Option<&[u8]>,
    warn: bool,
    messages: &mut Messages,
) {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return messages.wrong("no file descriptor specified", b"");
    };
    for item in value.split(|&b| b == b',') {
        let (excluded, item) = without_caret(item);
        if item.is_empty() {
            continue;
        }
        let Some(part) = read_part(item, messages) else { continue };
        match into {
            Some(list) if list.excluded != excluded => {
                if warn {
                    let side = |excluded| if excluded { "exclude" } else { "include" };
                    let caret = if excluded { "^" } else { "" };
                    let text = format!(
                        "{} in an {} -d list: {caret}",
                        side(excluded),
                        side(list.excluded)
                    );
                    messages.say(&text, item);
                }
                messages.wrong = true;
            }
            Some(list) if list.list.contains(&part) => {}
            Some(list) => list.list.push(part),
            None => *into = Some(Descriptors { excluded, list: vec![part] }),
        }
    }
}

/// A number, a range or a name; `None` for a wrong one, which was said.
fn read_part(item: &[u8], messages: &mut Messages) -> Option<Part> {
    if let Some(dash) = item.iter().rposition(|&b| b == b'-') {
        return read_range(item, dash, messages);
    }
    if item.iter().all(u8::is_ascii_digit) {
        let number = number_of(item);
        return Some(Part::Range(number, number));
    }
    if item == b"fd" {
        return Some(Part::Range(0, i32::MAX as u32));
    }
    let kind = FdKind::from_word(item);
    if kind.is_none() {
        messages.say("invalid fd type given in -d option", b"");
        messages.fatal = true;
    }
    kind.map(Part::Kind)
}

fn read_range(item: &[u8], dash: usize, messages: &mut Messages) -> Option<Part> {
    let (low, high) = (&item[..dash], &item[dash + 1..]);
    if low.is_empty() || high.is_empty() {
        messages.wrong("illegal FD range for -d: ", item);
        return None;
    }
    if !low.iter().chain(high).all(u8::is_ascii_digit) {
        messages.wrong("non-digit in -d FD range: ", item);
        return None;
    }
    let (low, high) = (number_of(low), number_of(high));
    if low >= high {
        messages.wrong("-d FD range's low >= its high: ", item);
        return None;
    }
    Some(Part::Range(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, selects: &[FdKind], not: &[FdKind], said: &str) {
        let mut messages = Messages::new("lsof");
        let mut list = None;
        read(&mut list, Some(value.as_bytes()), true, &mut messages);
        assert_eq!(String::from_utf8_lossy(&messages.text), said, "{value}");
        for (kinds, expected) in [(selects, true), (not, false)] {
            for kind in kinds {
                assert_eq!(
                    list.as_ref().is_some_and(|l| l.selects(*kind)),
                    expected,
                    "{value} {kind:?}"
                );
            }
        }
    }

    #[test]
    fn lists_take_in_or_leave_out() {
        use FdKind::{Cwd, Memory, Number, Text};
        check("3,cwd", &[Number(3), Cwd], &[Number(4), Text], "");
        check("0-2", &[Number(0), Number(2)], &[Number(3), Cwd], "");
        check("^mem,^txt", &[Number(3), Cwd], &[Memory, Text], "");
        check("fd", &[Number(0), Number(99_999)], &[Cwd], "");
        check("1,^2", &[Number(1)], &[], "lsof: exclude in an include -d list: ^2\n");
        check("5-3", &[], &[], "lsof: -d FD range's low >= its high: 5-3\n");
        check("a-3", &[], &[], "lsof: non-digit in -d FD range: a-3\n");
        check("-3", &[], &[], "lsof: illegal FD range for -d: -3\n");
        check("nope", &[], &[], "lsof: invalid fd type given in -d option\n");
    }
}
