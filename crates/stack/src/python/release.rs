//! Where each release of CPython keeps things: the table of versions.
//!
//! Releases before 3.13 are rows, taken from their headers; from 3.13 on the interpreter carries a table of offsets
//! itself (`_Py_DebugOffsets`, Include/internal/pycore_debug_offsets.h). Offsets in bytes, for 64-bit processors.

use fdscope_model::InterpreterLayout;
use fdscope_model::interpreter::{LARGEST_FRAME, ThreadIdentity};

use super::lines::LineFormat;

/// What there is to know about a release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Release {
    /// 11 for Python 3.11.
    pub minor: u32,
    /// Where frames are; `heads` counts from `_PyRuntime`.
    pub frames: InterpreterLayout,
    /// How frames of native calls are told.
    pub mark: Mark,
    /// Code objects.
    pub code: CodeLayout,
    /// Strings and bytes.
    pub text: TextLayout,
}

/// How a frame says that it is the outermost of a native call of the evaluation loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// Every frame is.
    Every,
    /// By a flag.
    Entry,
    /// By a frame behind it that belongs to the native call, and to no Python code.
    Shim,
}

/// Where a code object keeps things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeLayout {
    /// `co_filename`; `co_name` follows it.
    pub file: u32,
    /// `co_qualname`, or `co_name` where there is none.
    pub function: u32,
    /// `co_linetable` or `co_lnotab`.
    pub lines: u32,
    /// `co_firstlineno`.
    pub first_line: u32,
    /// How places in code are given.
    pub place: Place,
    /// How lines are.
    pub format: LineFormat,
}

/// How a frame says where in its code it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The number of an instruction, each of so many bytes.
    Index(i64),
    /// An address; instructions begin so many bytes behind the code object.
    Address(u32),
}

/// Where strings and bytes keep things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TextLayout {
    /// The characters of an ASCII string: behind `PyASCIIObject`.
    pub ascii: u32,
    /// The characters of another: behind `PyCompactUnicodeObject`.
    pub compact: u32,
    /// Its number of characters; the size of bytes is at the same place.
    pub length: u32,
    /// Its state bits.
    pub state: u32,
    /// The content of bytes.
    pub bytes: u32,
}

const OLD_TEXT: TextLayout =
    TextLayout { ascii: 48, compact: 72, length: 16, state: 32, bytes: 32 };
const TEXT: TextLayout = TextLayout { ascii: 40, compact: 56, ..OLD_TEXT };
/// Without the global lock, every object's header is 16 bytes longer.
const FREE_TEXT: TextLayout =
    TextLayout { ascii: 56, compact: 72, length: 32, state: 48, bytes: 48 };

/// Frames as objects of their own: before 3.11.
const OLD_FRAMES: InterpreterLayout = InterpreterLayout {
    heads: 32,
    next_interpreter: 0,
    first_thread: 8,
    next_thread: 8,
    thread_id: 176,
    identity: ThreadIdentity::Pointer,
    frame: 24,
    inner_frame: None,
    code: 32,
    at: 104,
    previous: 24,
    mark: None,
    frame_bytes: 112,
    names: 104,
    name_count: 3,
};

const OLD_CODE: CodeLayout = CodeLayout {
    file: 104,
    function: 112,
    lines: 120,
    first_line: 40,
    place: Place::Index(1),
    format: LineFormat::Deltas,
};

const OLD: Release =
    Release { minor: 8, frames: OLD_FRAMES, mark: Mark::Every, code: OLD_CODE, text: OLD_TEXT };

const CODE: CodeLayout = CodeLayout {
    file: 112,
    function: 128,
    lines: 136,
    first_line: 68,
    place: Place::Address(192),
    format: LineFormat::Locations,
};

/// The rows.
pub static RELEASES: &[Release] = &[
    Release {
        minor: 7,
        frames: InterpreterLayout { heads: 24, names: 96, ..OLD_FRAMES },
        code: CodeLayout { file: 96, function: 104, lines: 112, first_line: 36, ..OLD_CODE },
        ..OLD
    },
    OLD,
    Release { minor: 9, ..OLD },
    Release {
        minor: 10,
        frames: InterpreterLayout { at: 96, frame_bytes: 104, ..OLD_FRAMES },
        code: CodeLayout { place: Place::Index(2), format: LineFormat::Ranges, ..OLD_CODE },
        ..OLD
    },
    Release {
        minor: 11,
        frames: InterpreterLayout {
            heads: 40,
            next_interpreter: 0,
            first_thread: 16,
            next_thread: 8,
            thread_id: 160,
            identity: ThreadIdentity::Number,
            frame: 56,
            inner_frame: Some(8),
            code: 32,
            at: 56,
            previous: 48,
            mark: Some(68),
            frame_bytes: 80,
            names: 112,
            name_count: 4,
        },
        mark: Mark::Entry,
        code: CodeLayout { first_line: 72, place: Place::Address(184), ..CODE },
        text: OLD_TEXT,
    },
    Release {
        minor: 12,
        frames: InterpreterLayout {
            heads: 40,
            next_interpreter: 0,
            first_thread: 72,
            next_thread: 8,
            thread_id: 144,
            identity: ThreadIdentity::Number,
            frame: 56,
            inner_frame: Some(0),
            code: 0,
            at: 56,
            previous: 8,
            mark: Some(70),
            frame_bytes: 80,
            names: 112,
            name_count: 4,
        },
        mark: Mark::Shim,
        code: CODE,
        text: TEXT,
    },
];

/// The bytes of `_PyRuntime` that [`from_offsets`] reads at most.
pub const OFFSETS_BYTES: usize = 64 * 8;

/// Reads the table that releases from 3.13 on begin `_PyRuntime` with; `None` if it is none that makes sense.
///
/// Later releases insert fields but keep their order: each insertion that fits is tried.
pub fn from_offsets(bytes: &[u8]) -> Option<Release> {
    let rest = bytes.strip_prefix(b"xdebugpy")?;
    let words: Vec<u64> =
        rest.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    let insertions = (0..8).flat_map(|states| (0..4).map(move |frames| (states, frames)));
    insertions.filter_map(|(states, frames)| inserted(&words, states, frames)).next()
}

/// The release, if `states` words are inserted in the interpreter's offsets, and `frames` in a frame's.
fn inserted(words: &[u64], states: usize, frames: usize) -> Option<Release> {
    let word = |index: usize| words.get(index).and_then(|&word| u32::try_from(word).ok());
    let [thread, frame] = [18 + states, 27 + states];
    let code = 33 + states + frames;
    let (version, free) = (word(0)?, word(1)? != 0);
    let layout = InterpreterLayout {
        heads: word(4)?.into(),
        next_interpreter: word(7)?,
        first_thread: word(8)?,
        next_thread: word(thread + 2)?,
        thread_id: word(thread + 6)?,
        identity: ThreadIdentity::Number,
        frame: word(thread + 4)?,
        inner_frame: None,
        code: word(frame + 2)?,
        at: word(frame + 3)?,
        previous: word(frame + 1)?,
        mark: Some(word(frame + 5)?),
        frame_bytes: word(frame)?.min(LARGEST_FRAME),
        names: word(code + 1)?,
        name_count: 4,
    };
    let release = Release {
        minor: version >> 16 & 0xff,
        frames: layout,
        mark: Mark::Shim,
        code: CodeLayout {
            file: layout.names,
            function: word(code + 3)?,
            lines: word(code + 4)?,
            first_line: word(code + 5)?,
            place: Place::Address(word(code + 9)?),
            format: LineFormat::Locations,
        },
        text: if free { FREE_TEXT } else { TEXT },
    };
    let sizes = Sizes { thread: word(thread)?, code: word(code)? };
    release.makes_sense(version, word(code + 2)?, sizes).then_some(release)
}

struct Sizes {
    thread: u32,
    code: u32,
}

impl Release {
    fn makes_sense(&self, version: u32, name: u32, sizes: Sizes) -> bool {
        let InterpreterLayout { code, at, previous, mark, frame_bytes, names, .. } = self.frames;
        let CodeLayout { function, lines, first_line, .. } = self.code;
        let words = [code, at, previous];
        version >> 24 == 3
            && self.minor >= 13
            && words.iter().all(|at| at % 8 == 0 && at + 8 <= frame_bytes)
            && mark.is_some_and(|mark| mark < frame_bytes)
            && (code != at && at != previous && code != previous)
            && [name, function, lines] == [names + 8, names + 16, names + 24]
            && (first_line < names && lines < sizes.code)
            && self.frames.thread_id < sizes.thread
            && self.frames.frame < sizes.thread
            && self.frames.next_thread < sizes.thread
    }

    /// The release with this minor number, if it is a row.
    pub fn of_minor(minor: u32) -> Option<Release> {
        RELEASES.iter().copied().find(|release| release.minor == minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As 3.13.0 has it.
    const OFFSETS: [u64; 44] = [
        0x030d_00f0,
        0,
        400_000,
        600,
        632,
        280_000,
        7272,
        7264,
        7344,
        7500,
        7500,
        7500,
        7500,
        0,
        0,
        0,
        0,
        0,
        320,
        0,
        8,
        16,
        72,
        152,
        160,
        240,
        36,
        80,
        8,
        0,
        56,
        72,
        70,
        208,
        112,
        120,
        128,
        136,
        68,
        52,
        96,
        104,
        200,
        16,
    ];

    fn bytes(words: &[u64]) -> Vec<u8> {
        let words = words.iter().flat_map(|word| word.to_ne_bytes());
        b"xdebugpy".iter().copied().chain(words).collect()
    }

    #[test]
    fn the_interpreters_own_table_is_read() {
        let release = from_offsets(&bytes(&OFFSETS)).unwrap();
        assert_eq!(release.minor, 13);
        let InterpreterLayout { heads, first_thread, thread_id, frame, .. } = release.frames;
        assert_eq!((heads, first_thread, thread_id, frame), (632, 7344, 160, 72));
        assert_eq!(release.code.place, Place::Address(200));
    }

    #[test]
    fn insertions_of_later_releases_are_found() {
        let mut words = OFFSETS.to_vec();
        words.splice(9..9, [7352]);
        words.splice(18..18, [1, 2]);
        words.splice(36..36, [64]);
        words[0] = 0x030e_00f0;
        let release = from_offsets(&bytes(&words)).unwrap();
        assert_eq!((release.minor, release.frames.thread_id), (14, 160));
        assert_eq!(release.code.place, Place::Address(200));
    }

    proptest! {
        #[test]
        fn any_words_are_harmless(words in proptest::collection::vec(0..300_u64, 0..64)) {
            from_offsets(&bytes(&words));
        }
    }
}
