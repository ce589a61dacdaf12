//! Data read and written, byte for byte: `-e read=`, `-e write=`.

use fdscope_syscall::Memory;
use fdscope_syscall::memory::word_in;
use fdscope_syscall::traced::Ended;

use crate::line::Entered;
use crate::options::Options;

/// At most so many bytes are copied at once.
const CHUNK: usize = 4096;
/// At most so many pieces of a vector.
const MOST_PIECES: u64 = 1024;

/// Writes the data of a finished call, if its descriptor is one of those asked for.
pub fn write(
    out: &mut Vec<u8>,
    options: &Options,
    first: &Entered,
    ended: Ended,
    memory: &dyn Memory,
) {
    let Ended::Returned(count) = ended else { return };
    if count <= 0 || options.reads.is_none() && options.writes.is_none() {
        return;
    }
    let [fd, address, length, ..] = first.call.arguments;
    let fd = fd as u32;
    let (reads, writes) = (options.reads.has(fd), options.writes.has(fd));
    match first.name.as_str() {
        "read" | "pread64" | "recv" | "recvfrom" if reads => {
            lines(out, memory, address, count as u64);
        }
        "write" | "pwrite64" | "send" | "sendto" if writes => lines(out, memory, address, length),
        "readv" | "preadv" | "preadv2" if reads => {
            vector(out, first, memory, address, length, count as u64);
        }
        "writev" | "pwritev" | "pwritev2" | "vmsplice" if writes => {
            vector(out, first, memory, address, length, u64::MAX);
        }
        _ => {}
    }
}

fn vector(
    out: &mut Vec<u8>,
    first: &Entered,
    memory: &dyn Memory,
    address: u64,
    pieces: u64,
    mut left: u64,
) {
    let word = first.call.arch.pointer_bytes();
    for piece in 0..pieces.min(MOST_PIECES) {
        let mut bytes = vec![0; 2 * word];
        let at = address.wrapping_add(piece * 2 * word as u64);
        if left == 0 || memory.read(at, &mut bytes) < bytes.len() {
            return;
        }
        let base = word_in(&bytes, 0, word).unwrap_or(0);
        let length = word_in(&bytes, word, word).unwrap_or(0).min(left);
        left -= length;
        out.extend_from_slice(format!(" * {length} bytes in buffer {piece}\n").as_bytes());
        lines(out, memory, base, length);
    }
}

/// ` | 00000  7f 45 4c 46 02 01 01 03  00 00 00 00 00 00 00 00  .ELF............ |`.
fn lines(out: &mut Vec<u8>, memory: &dyn Memory, address: u64, length: u64) {
    let mut at = 0;
    let mut bytes = [0; CHUNK];
    let width = if length > 0xfff_ffff { 9 } else { 5.max(format!("{:x}", length - 1).len()) };
    while at < length {
        let wanted = usize::try_from(length - at).unwrap_or(CHUNK).min(CHUNK);
        let Some(wanted) = bytes.get_mut(..wanted) else { return };
        let read = memory.read(address.wrapping_add(at), wanted);
        for row in wanted.get(..read).unwrap_or_default().chunks(16) {
            out.extend_from_slice(format!(" | {at:0width$x}  ").as_bytes());
            for place in 0..16 {
                match row.get(place) {
                    Some(byte) => out.extend_from_slice(format!("{byte:02x} ").as_bytes()),
                    None => out.extend_from_slice(b"   "),
                }
                if place == 7 {
                    out.push(b' ');
                }
            }
            out.push(b' ');
            out.extend(
                row.iter().map(|byte| if (0x20..0x7f).contains(byte) { *byte } else { b'.' }),
            );
            out.extend(std::iter::repeat_n(b' ', 16 - row.len()));
            out.extend_from_slice(b" |\n");
            at += row.len() as u64;
        }
        if read < wanted.len() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_straces() {
        let mut out = Vec::new();
        lines(&mut out, &(100, &b"\x7fELF\x02 hello world"[..]), 100, 17);
        let expected = " | 00000  7f 45 4c 46 02 20 68 65  6c 6c 6f 20 77 6f 72 6c  .ELF. hello worl |\n \
                        | 00010  64                                                d                |\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
