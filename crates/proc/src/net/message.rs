//! Netlink's framing (include/uapi/linux/netlink.h): messages in a datagram, attributes in a message. Pure.

/// `SOCK_DIAG_BY_FAMILY`: the type of requests and of their answers.
pub(crate) const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x1 | 0x300;

/// `NLM_F_DUMP_INTR`: what was dumped changed meanwhile, so that entries may be missing.
const INTERRUPTED: u16 = 0x10;

const HEADER: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// What one message of an answer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Message<'a> {
    /// One row, without its header.
    Row(&'a [u8]),
    /// The end of the dump; an errno if it failed, 0 if not.
    End(i32),
    /// The rest is not as the kernel writes it.
    Broken,
}

/// A dump request with this payload, whose length must be a multiple of four.
pub(crate) fn dump_request(sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(&((HEADER + payload.len()) as u32).to_ne_bytes());
    bytes.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&DUMP.to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The messages of a datagram that answer request `sequence`, and whether one says that the dump was interrupted.
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
    sequence: u32,
    /// True once a message said that what was dumped changed meanwhile.
    pub interrupted: bool,
}

impl<'a> Messages<'a> {
    pub fn new(datagram: &'a [u8], sequence: u32) -> Self {
        Messages { rest: datagram, sequence, interrupted: false }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let length = u32_at(self.rest, 0).map(|length| length as usize);
            let message = length.filter(|&l| l >= HEADER).and_then(|l| self.rest.get(..l));
            let Some(message) = message else {
                self.rest = &[];
                return Some(Message::Broken);
            };
            self.rest = self.rest.get(aligned(message.len())..).unwrap_or_default();
            let (class, flags) = (u16_at(message, 4)?, u16_at(message, 6)?);
            if u32_at(message, 8)? != self.sequence {
                continue;
            }
            self.interrupted |= flags & INTERRUPTED != 0;
            let payload = &message[HEADER..];
            match class {
                DONE | ERROR => {
                    let code = u32_at(payload, 0).map_or(0, u32::cast_signed);
                    return Some(Message::End(code.saturating_neg()));
                }
                SOCK_DIAG_BY_FAMILY => return Some(Message::Row(payload)),
                _ => {}
            }
        }
    }
}

/// The attributes that follow a row's fixed part: type and value. Ends at the first that is cut off.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let class = u16_at(rest, 2)?;
        let value = rest.get(4..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((class, value))
    })
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// The 16 bits at `at`, in the machine's order.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_ne_bytes(*chunk))
}

/// The 32 bits at `at`, in the machine's order.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_ne_bytes(*chunk))
}

/// The 64 bits at `at`, in the machine's order.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_ne_bytes(*chunk))
}

/// A cookie: two words of 32 bits, the lower first on every processor.
pub(crate) fn cookie_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u32_at(bytes, at)?) | u64::from(u32_at(bytes, at + 4)?) << 32)
}

/// Captured bytes, as they are written in tests.
#[cfg(test)]
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let value = |digit: u8| char::from(digit).to_digit(16).expect("a digit") as u8;
    digits.chunks(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(class: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = dump_request(sequence, payload);
        bytes[4..6].copy_from_slice(&class.to_ne_bytes());
        bytes
    }

    #[test]
    fn rows_come_until_the_end() {
        let mut datagram = message(20, 7, &[1, 2, 3, 4]);
        datagram.extend(message(20, 6, &[9, 9, 9, 9]));
        datagram.extend(message(DONE, 7, &0i32.to_ne_bytes()));
        let found: Vec<Message> = Messages::new(&datagram, 7).collect();
        assert_eq!(found, [Message::Row(&[1, 2, 3, 4]), Message::End(0)]);
    }

    #[test]
    fn an_error_is_an_end_with_its_number() {
        let datagram = message(ERROR, 1, &(-2i32).to_ne_bytes());
        assert_eq!(Messages::new(&datagram, 1).next(), Some(Message::End(2)));
    }

    #[test]
    fn a_length_that_lies_is_broken() {
        for length in [0u32, 15, 400] {
            let mut datagram = message(20, 1, &[0; 8]);
            datagram[..4].copy_from_slice(&length.to_ne_bytes());
            let found: Vec<Message> = Messages::new(&datagram, 1).collect();
            assert_eq!(found, [Message::Broken], "{length}");
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn attributes_end_where_they_are_cut() {
        let mut bytes = vec![5, 0, 1, 0, 42, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4];
        let found: Vec<(u16, &[u8])> = attributes(&bytes).collect();
        assert_eq!(found, [(1, &[42][..]), (2, &[1, 2, 3, 4])]);
        bytes.pop();
        assert_eq!(attributes(&bytes).count(), 1);
        assert_eq!(attributes(&[0, 0, 0, 0]).count(), 0);
    }
}
