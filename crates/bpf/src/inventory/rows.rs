//! The iterator's output, record by record, through one buffer.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use super::entry::Record;

/// The kernel hands over at most 32 KiB at a time (kernel/bpf/bpf_iter.c, `bpf_seq_read`).
const BUFFER_BYTES: usize = 64 << 10;

/// Reads records.
pub(super) struct Rows<'a> {
    iterator: File,
    buffer: &'a mut Vec<u8>,
}

impl<'a> Rows<'a> {
    pub fn new(iterator: OwnedFd, buffer: &'a mut Vec<u8>) -> Self {
        buffer.resize(BUFFER_BYTES, 0);
        Rows { iterator: File::from(iterator), buffer }
    }

    /// Hands each record to `sink`.
    ///
    /// # Errors
    /// If reading fails; a record cut off is `UnexpectedEof`.
    pub fn each(&mut self, sink: &mut dyn FnMut(&Record<'_>)) -> io::Result<()> {
        let mut kept = 0;
        loop {
            let got = match self.iterator.read(&mut self.buffer[kept..]) {
                Ok(0) if kept == 0 => return Ok(()),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(got) => got,
                // The iterator stops now and then to let others run.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let end = kept + got;
            let mut rest = &self.buffer[..end];
            while let Some((record, behind)) = Record::parse(rest) {
                if record.row.bytes == 0 {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                sink(&record);
                rest = behind;
            }
            kept = rest.len();
            self.buffer.copy_within(end - kept..end, 0);
        }
    }
}
