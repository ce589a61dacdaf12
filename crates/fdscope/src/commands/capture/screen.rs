//! Lines on the standard output: gathered, and written when there are many or somebody waits for them.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use fdscope_packet::Packet;
use fdscope_packet::print::Printer;

use super::options::Options;
use super::watch::CALLED_BY;

/// Bytes that are kept before they are written.
const CHUNK: usize = 64 * 1024;

/// The standard output, and what turns packets into lines.
pub struct Screen {
    printer: Printer,
    lines: Vec<u8>,
    note: Vec<u8>,
    /// Every line is written at once.
    prompt: bool,
    /// Callers are shown, too.
    verbose: bool,
}

impl Screen {
    /// Lines go out one by one with `-l` and on a terminal.
    pub fn new(printer: Printer, options: &Options) -> Self {
        let prompt = options.line_buffered || io::stdout().is_terminal();
        let (lines, verbose) = (Vec::with_capacity(2 * CHUNK), options.verbose > 0);
        Screen { printer, lines, note: Vec::new(), prompt, verbose }
    }

    /// What turns packets into lines.
    pub fn printer(&mut self) -> &mut Printer {
        &mut self.printer
    }

    /// A packet's lines, with whose it is behind the first.
    pub fn packet(&mut self, packet: &Packet<'_>, number: u64, owner: &[u8]) -> Result<()> {
        self.note.clear();
        if !owner.is_empty() {
            for (index, line) in owner.split(|&byte| byte == b'\n').enumerate() {
                // Callers are for who asks for much.
                let caller = line.strip_prefix(CALLED_BY.as_bytes()).filter(|_| index > 0);
                if caller.is_some() && !self.verbose {
                    continue;
                }
                let joint = if caller.is_some() { b" < " } else { b" ; " };
                self.note.extend_from_slice(joint);
                for &byte in caller.unwrap_or(line) {
                    match byte {
                        b' '..=b'~' => self.note.push(byte),
                        _ => self.note.extend(byte.escape_ascii()),
                    }
                }
            }
        }
        self.printer.print(packet, number, &self.note, &mut self.lines);
        if self.prompt || self.lines.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// A line that is no packet.
    pub fn line(&mut self, line: &[u8]) -> Result<()> {
        self.lines.extend_from_slice(line);
        if self.prompt { self.flush() } else { Ok(()) }
    }

    /// Writes what was gathered.
    pub fn flush(&mut self) -> Result<()> {
        let mut out = io::stdout().lock();
        let written = out.write_all(&self.lines).and_then(|()| out.flush());
        self.lines.clear();
        Ok(written?)
    }
}
