//! The memory that came with a record.

use fdscope_model::Tid;
use fdscope_syscall::Memory;
use fdscope_syscall::capture::When;
use fdscope_syscall::memory::Described;
use zerocopy::FromBytes;

use super::named::described;
use super::wire::{PieceHead, Told, piece_kind};

/// Bytes that stood at an address.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// What it is.
    pub head: PieceHead,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// A record and its pieces; `None` if the bytes are too short to be one. Pieces cut short are left out.
pub fn split<'a>(bytes: &'a [u8], pieces: &mut Vec<Piece<'a>>) -> Option<Told> {
    let (told, rest) = Told::read_from_prefix(bytes).ok()?;
    let mut rest = rest.get(..told.bytes as usize)?;
    while let Ok((head, behind)) = PieceHead::read_from_prefix(rest) {
        let length = head.length as usize;
        let Some(bytes) = behind.get(..length) else { break };
        pieces.push(Piece { head, bytes });
        rest = behind.get(length.next_multiple_of(8)..).unwrap_or(&[]);
    }
    Some(told)
}

/// The pieces as memory: where several cover an address, the first does.
pub struct Pieces<'a> {
    /// The pieces.
    pub pieces: &'a [Piece<'a>],
    /// What no piece covers is read from this thread, which may have gone on or away. Of what a call is about to
    /// read: a page that the program has not touched yet is the one thing that the kernel's program cannot copy.
    pub absent: Option<Tid>,
}

impl Pieces<'_> {
    fn piece_at(&self, address: u64) -> Option<&[u8]> {
        self.pieces.iter().filter(|piece| piece.head.kind == piece_kind::MEMORY).find_map(|piece| {
            let skip = usize::try_from(address.checked_sub(piece.head.address)?).ok()?;
            piece.bytes.get(skip..).filter(|rest| !rest.is_empty())
        })
    }
}

impl Memory for Pieces<'_> {
    /// What was noted before the call comes last: of what a call replaces it is the first that is meant by its arguments.
    fn descriptor(&self, fd: i32, when: When) -> Option<Described> {
        let is_it = |piece: &&Piece<'_>| {
            piece.head.kind == piece_kind::DESCRIPTOR && piece.head.address as i32 == fd
        };
        let found = match when {
            When::Enter => self.pieces.iter().rfind(is_it),
            When::Exit => self.pieces.iter().find(is_it),
        };
        described(found?.bytes)
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buffer.len() {
            let Some(at) = address.checked_add(done as u64) else { break };
            let Some(found) = self.piece_at(at) else { break };
            let count = found.len().min(buffer.len() - done);
            buffer[done..done + count].copy_from_slice(&found[..count]);
            done += count;
        }
        match self.absent {
            Some(tid) if done == 0 => fdscope_sys::vm::read(tid, address, buffer),
            _ => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(address: u64, bytes: &[u8]) -> Piece<'_> {
        let (length, kind) = (bytes.len() as u32, piece_kind::MEMORY);
        Piece { head: PieceHead { address, length, kind }, bytes }
    }

    fn check(pieces: &[Piece<'_>], address: u64, expected: &[u8]) {
        let mut buffer = [0; 8];
        let count = Pieces { pieces, absent: None }.read(address, &mut buffer);
        assert_eq!(&buffer[..count], expected);
    }

    #[test]
    fn pieces_that_touch_are_one_memory_and_the_first_comes_first() {
        let pieces = [piece(100, b"ab"), piece(102, b"cd"), piece(101, b"xyzuvw"), piece(0, b"")];
        check(&pieces, 100, b"abcduvw");
        check(&pieces, 103, b"duvw");
        check(&pieces, 106, b"w");
        check(&pieces, 107, b"");
        check(&pieces, u64::MAX, b"");
    }

    #[test]
    fn records_cut_short_do_no_harm() {
        use zerocopy::IntoBytes;
        let told = Told { bytes: 40, ..Told::default() };
        let head = PieceHead { address: 1, length: 9, kind: 0 };
        let mut bytes = [told.as_bytes(), head.as_bytes(), &[7; 24]].concat();
        let mut pieces = Vec::new();
        assert!(split(&bytes, &mut pieces).is_some());
        assert_eq!(pieces.len(), 1, "the filling behind is no piece");
        assert_eq!(pieces[0].bytes, &[7; 9]);
        bytes.truncate(150);
        assert!(split(&bytes, &mut Vec::new()).is_none());
        assert!(split(&bytes[..50], &mut Vec::new()).is_none());
    }
}
