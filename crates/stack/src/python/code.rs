//! Reads code objects from a process's memory: what a function is called, its file, and the table of its lines.
//!
//! Every length comes from the target and is bounded. An object that is no longer the one that was walked over is
//! told by its fingerprint, and not believed.

use fdscope_model::interpreter::fingerprint;
use fdscope_model::{InterpreterFrame, Pid, Tid};
use fdscope_sys::vm;

use super::lines;
use super::release::{Place, Release, TextLayout};

/// The most characters of a name that are read.
const LONGEST_NAME: usize = 4096;
/// The largest table of lines that is read: a module of some 100,000 lines.
const LARGEST_TABLE: usize = 1 << 20;
/// The tag bits of a reference to a code object.
const TAGS: u64 = 7;
/// The bits of a place that are an address; the mark is above.
const ADDRESS: u64 = (1 << 56) - 1;

/// A function's code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    /// Its qualified name, where the release has those.
    pub function: String,
    /// Its file, as compiled.
    pub file: String,
    release: Release,
    address: u64,
    first_line: u32,
    table: Vec<u8>,
}

impl Code {
    /// Reads the code of `frame`; `None` if it is gone, another, or nonsense.
    pub fn read(pid: Pid, release: &Release, frame: &InterpreterFrame) -> Option<Code> {
        let (address, layout) = (frame.code & !TAGS, &release.code);
        let mut names = [0; 4];
        for (name, at) in names.iter_mut().zip((layout.file..).step_by(8)) {
            *name = word(pid, address, at)?;
        }
        let mut first_line = [0; 4];
        exactly(pid, address.checked_add(layout.first_line.into())?, &mut first_line)?;
        let table = word(pid, address, layout.lines)?;
        let code = Code {
            function: text(pid, &release.text, word(pid, address, layout.function)?)?,
            file: text(pid, &release.text, names[0])?,
            release: *release,
            address,
            first_line: u32::from_ne_bytes(first_line),
            table: bytes(pid, &release.text, table)?,
        };
        // Read last: what was read before is that object's.
        let mut still = [0; 4];
        for (name, at) in still.iter_mut().zip((layout.file..).step_by(8)) {
            *name = word(pid, address, at)?;
        }
        let count = release.frames.name_count as usize;
        (fingerprint(still.get(..count)?) == frame.fingerprint && still[..count] == names[..count])
            .then_some(code)
    }

    /// The line of a frame of this code.
    pub fn line(&self, frame: &InterpreterFrame) -> Option<u32> {
        let layout = &self.release.code;
        let offset = match layout.place {
            Place::Index(size) => i64::from((frame.at as u32).cast_signed()) * size,
            Place::Address(begin) => {
                let begin = self.address.wrapping_add(begin.into());
                (frame.at & ADDRESS).wrapping_sub(begin).cast_signed()
            }
        };
        lines::line(layout.format, &self.table, self.first_line, offset)
    }
}

fn exactly(pid: Pid, address: u64, buffer: &mut [u8]) -> Option<()> {
    let mut done = 0;
    while done < buffer.len() {
        let at = address.checked_add(done as u64)?;
        match vm::read(Tid(pid.0), at, &mut buffer[done..]) {
            0 => return None,
            read => done += read,
        }
    }
    Some(())
}

/// The word at `offset` of what is at `address`.
pub fn word(pid: Pid, address: u64, offset: u32) -> Option<u64> {
    let mut bytes = [0; 8];
    exactly(pid, address.checked_add(offset.into())?, &mut bytes)?;
    Some(u64::from_ne_bytes(bytes))
}

/// Reads as many bytes.
pub fn read(pid: Pid, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut buffer = vec![0; length];
    exactly(pid, address, &mut buffer)?;
    Some(buffer)
}

fn bytes(pid: Pid, layout: &TextLayout, address: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(word(pid, address, layout.length)?).ok()?;
    if length > LARGEST_TABLE {
        return None;
    }
    read(pid, address.checked_add(layout.bytes.into())?, length)
}

fn text(pid: Pid, layout: &TextLayout, address: u64) -> Option<String> {
    let length = usize::try_from(word(pid, address, layout.length)?).ok()?;
    let state = State::parse(word(pid, address, layout.state)? as u32)?;
    if length > LONGEST_NAME {
        return None;
    }
    let data = if state.ascii { layout.ascii } else { layout.compact };
    let raw = read(pid, address.checked_add(data.into())?, length * state.width)?;
    Some(decode(&raw, state.width))
}

/// What a string's state bits say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct State {
    /// Bytes a character.
    width: usize,
    ascii: bool,
}

impl State {
    /// The bits follow those of `interned`, which are two, or eight in builds without the global lock.
    fn parse(bits: u32) -> Option<State> {
        [2, 8].into_iter().find_map(|interned| {
            let bits = bits >> interned;
            let (width, compact, ascii) = (bits & 7, bits >> 3 & 1 == 1, bits >> 4 & 1 == 1);
            let sound = matches!(width, 1 | 2 | 4) && compact && (!ascii || width == 1);
            sound.then_some(State { width: width as usize, ascii })
        })
    }
}

/// Characters of one, two or four bytes, as text; what is no character is marked.
fn decode(raw: &[u8], width: usize) -> String {
    let number = |chunk: &[u8]| {
        let mut bytes = [0; 4];
        bytes[..chunk.len()].copy_from_slice(chunk);
        u32::from_le_bytes(bytes)
    };
    let chars = raw.chunks_exact(width).map(number);
    chars.map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_states_of_every_build_are_told() {
        let check = |bits, expected: Option<(usize, bool)>| {
            let got = State::parse(bits).map(|state| (state.width, state.ascii));
            assert_eq!(got, expected, "{bits:#b}");
        };
        check(0b110_0101, Some((1, true)));
        check(0b010_1000, Some((2, false)));
        check(0b0001_1001_0000_0001, Some((1, true)));
        check(0, None);
        check(0b100_1000, None);
    }

    #[test]
    fn characters_of_every_width() {
        assert_eq!(decode(&[0x61, 0xe9], 1), "aé");
        assert_eq!(decode(&[0xac, 0x20], 2), "€");
        assert_eq!(decode(&[0, 0xd8, 0, 0], 4), "\u{fffd}");
    }
}
