//! The words of the columns that have only a few.

use fdscope_model::socket::{Family, SocketClass};
use fdscope_model::{Access, Association, HandleKind, SocketState};

use crate::column::Vocabulary;

/// Kinds by their words; in filters also by their plurals, and by the words of lsof.
pub(super) static KIND: Vocabulary = Vocabulary {
    all: || HandleKind::all().filter(|kind| kind.is_descriptor()).map(HandleKind::word).collect(),
    find: |text| {
        let lower = text.to_ascii_lowercase();
        let is = |kind: &HandleKind| {
            kind.is_descriptor()
                && (kind.word() == lower || kind.plural().eq_ignore_ascii_case(&lower))
        };
        HandleKind::all().find(is).map(HandleKind::word).or_else(|| of_lsof(text))
    },
};

/// lsof's TYPE, where it names one kind.
fn of_lsof(text: &str) -> Option<&'static str> {
    const WORDS: &[(&str, HandleKind)] = &[
        ("REG", HandleKind::File),
        ("DIR", HandleKind::Directory),
        ("CHR", HandleKind::CharDevice),
        ("BLK", HandleKind::BlockDevice),
        ("sock", HandleKind::Socket),
    ];
    WORDS.iter().find(|(word, _)| *word == text).map(|(_, kind)| kind.word())
}

/// States by fdscope's words and those of ss.
pub(super) static STATE: Vocabulary = Vocabulary {
    all: || SocketState::all().map(SocketState::word).collect(),
    find: |text| SocketState::from_word(text).map(SocketState::word),
};

/// A word and other spellings of it.
type Row = (&'static str, &'static [&'static str]);

const ACCESSES: &[Row] =
    &[("read", &["r"]), ("write", &["w"]), ("read-write", &["u", "rw"]), ("none", &[])];

const FAMILIES: &[Row] = &[
    ("inet", &["ipv4"]),
    ("inet6", &["ipv6"]),
    ("unix", &["local"]),
    ("netlink", &[]),
    ("packet", &[]),
    ("vsock", &[]),
    ("other-family", &[]),
];

const CLASSES: &[Row] =
    &[("stream", &[]), ("datagram", &["dgram"]), ("seqpacket", &[]), ("raw", &[]), ("rdm", &[])];

const WAYS: &[Row] = &[
    ("fd", &["descriptor"]),
    ("cwd", &[]),
    ("root", &["rtd"]),
    ("exe", &["txt"]),
    ("mapped", &["mem", "mapping"]),
    ("ns", &["namespace"]),
    ("ring-slot", &["ring"]),
    ("in-flight", &["flight"]),
];

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident, $rows:ident) => {
        $(#[$doc])*
        pub(super) static $name: Vocabulary = Vocabulary {
            all: || $rows.iter().map(|row| row.0).collect(),
            find: |text| {
                let is = |word: &str| word.eq_ignore_ascii_case(text);
                let names = |row: &&Row| is(row.0) || row.1.iter().any(|word| is(word));
                $rows.iter().find(names).map(|row| row.0)
            },
        };
    };
}

vocabulary!(
    /// What may be done through a descriptor.
    ACCESS, ACCESSES
);
vocabulary!(
    /// Address families.
    FAMILY, FAMILIES
);
vocabulary!(
    /// Types of sockets.
    CLASS, CLASSES
);
vocabulary!(
    /// How a process holds a handle.
    VIA, WAYS
);

pub(super) fn access_word(access: Access) -> &'static str {
    ACCESSES[access as usize].0
}

pub(super) fn family_word(family: Family) -> &'static str {
    let index = match family {
        Family::Inet => 0,
        Family::Inet6 => 1,
        Family::Unix => 2,
        Family::Netlink => 3,
        Family::Packet => 4,
        Family::Vsock => 5,
        Family::Other(_) => 6,
    };
    FAMILIES[index].0
}

/// `None` for a type that is not known.
pub(super) fn class_word(class: SocketClass) -> Option<&'static str> {
    CLASSES.get(class as usize).map(|row| row.0)
}

pub(super) fn via_word(via: Association) -> &'static str {
    let index = match via {
        Association::Fd(_) => 0,
        Association::Cwd => 1,
        Association::Root => 2,
        Association::Exe => 3,
        Association::Mapping(_) => 4,
        Association::Namespace(_) => 5,
        Association::RingSlot(..) => 6,
        Association::InFlight(_) => 7,
    };
    WAYS[index].0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_at_their_places() {
        assert_eq!(access_word(Access::Both), "read-write");
        assert_eq!(access_word(Access::Neither), "none");
        assert_eq!(class_word(SocketClass::Raw), Some("raw"));
        assert_eq!(class_word(SocketClass::Unknown), None);
        assert_eq!(via_word(Association::Exe), "exe");
    }

    #[test]
    fn other_spellings_are_understood() {
        let check = |vocabulary: &Vocabulary, text, expected| {
            assert_eq!((vocabulary.find)(text), expected, "{text}");
        };
        check(&KIND, "sockets", Some("socket"));
        check(&KIND, "REG", Some("file"));
        check(&KIND, "thread", None);
        check(&STATE, "ESTAB", Some("established"));
        check(&ACCESS, "u", Some("read-write"));
        check(&VIA, "txt", Some("exe"));
    }
}
