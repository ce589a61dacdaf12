//! ICMPv6's questions about nodes (RFC 4620) and the renumbering of routers (RFC 2894), as far as tcpdump tells of them.

use super::line::{Line, Read, put};

/// Bytes of a node's message in front of what it asks about or answers.
const NODE: usize = 16;
/// What is asked.
const NOTHING: u16 = 0;
const SUPPORTED: u16 = 1;
const NAME: u16 = 2;
const ADDRESSES: u16 = 3;
/// Which addresses, a letter each; the last is of answers only.
const WHICH: [(u16, &str); 7] =
    [(0x40, "a"), (0x20, "G"), (8, "L"), (0x10, "S"), (4, "C"), (2, "A"), (1, "T")];
const ORDER: [usize; 7] = [0, 1, 3, 2, 4, 5, 6];

impl Line<'_> {
    /// A question about a node; what is kept of the packet is taken for the message, as tcpdump does.
    pub fn icmp6_node_question(&mut self, at: usize) -> Read {
        let size = self.left(at);
        if size == 12 {
            self.text(" who-are-you request");
            return Ok(());
        }
        self.text(" node information query");
        self.check(at, NODE)?;
        self.text(" (");
        let (kind, flags) = (self.u16(at + 4)?, self.u16(at + 6)?);
        match kind {
            NOTHING => self.text("noop"),
            SUPPORTED => self.supported(flags),
            NAME => self.text("DNS name"),
            ADDRESSES => {
                self.text("node addresses");
                self.which_addresses(flags, 6);
            }
            _ => self.text("unknown"),
        }
        let invalid = self.verbose() > 0;
        if kind <= SUPPORTED {
            if size != NODE && invalid {
                self.text(", invalid len");
            }
        } else if size == NODE {
            self.text(", 03 draft");
        } else {
            self.node_subject(at, size)?;
        }
        self.text(")");
        Ok(())
    }

    fn node_subject(&mut self, at: usize, size: usize) -> Read {
        let length = match self.u8(at + 1)? {
            0 => 16,
            2 => 4,
            1 => {
                self.text(", subject=DNS name");
                return self.node_name(at + NODE);
            }
            _ => {
                self.text(", unknown subject");
                return Ok(());
            }
        };
        if !self.has(at, NODE + length) {
            return Ok(());
        }
        if size != NODE + length {
            if self.verbose() > 0 {
                self.text(", invalid subject len");
            }
            return Ok(());
        }
        self.text(", subject=");
        if length == 16 { self.ip6(at + NODE) } else { self.ip4(at + NODE) }
    }

    /// False if the answer is cut.
    pub fn icmp6_node_answer(&mut self, at: usize, length: usize) -> Read<bool> {
        let size = self.left(at);
        if length > size || !self.has(at, NODE) {
            return Ok(false);
        }
        self.text(" node information reply (");
        let invalid = size != NODE && self.verbose() > 0;
        let mut comma = "";
        match self.u8(at + 1)? {
            0 if self.verbose() > 0 => {
                self.text("success");
                comma = ", ";
            }
            0 => {}
            code => {
                let word = ["refused", "unknown"].get(usize::from(code) - 1).copied();
                self.text(word.unwrap_or_default());
                self.text(if invalid && word.is_some() { ", invalid length)" } else { ")" });
                return Ok(true);
            }
        }
        let (kind, flags) = (self.u16(at + 4)?, self.u16(at + 6)?);
        self.text(comma);
        match kind {
            NOTHING => self.text(if invalid { "noop, invalid length" } else { "noop" }),
            SUPPORTED => self.supported(flags),
            NAME => {
                self.text("DNS name");
                self.node_name(at + NODE + 4)?;
                if flags & 1 != 0 {
                    put!(self, " [TTL={}]", self.u32(at + NODE)?);
                }
            }
            ADDRESSES => {
                self.text("node addresses");
                for place in (NODE..size.saturating_sub(19)).step_by(20) {
                    self.text(" ");
                    self.ip6(at + place + 4)?;
                    put!(self, "({})", self.u32(at + place)?);
                }
                self.which_addresses(flags, 7);
            }
            _ => self.text("unknown"),
        }
        self.text(")");
        Ok(true)
    }

    fn supported(&mut self, flags: u16) {
        self.text("supported qtypes");
        if flags != 0 {
            self.text(if flags & 1 != 0 { " [C]" } else { " []" });
        }
    }

    fn which_addresses(&mut self, flags: u16, known: usize) {
        if flags == 0 {
            return;
        }
        self.text(" [");
        for (bit, letter) in ORDER.iter().take(known).filter_map(|index| WHICH.get(*index)) {
            self.text(if flags & bit != 0 { letter } else { "" });
        }
        self.text("]");
    }

    /// A name up to the end: a string behind its length, or labels.
    fn node_name(&mut self, at: usize) -> Read {
        let length = usize::from(self.u8(at)?);
        if length + 1 == self.left(at) {
            self.text(if self.verbose() > 0 { ", 03 draft, \"" } else { ", \"" });
            for place in at + 1..self.end {
                let byte = self.u8(place)?;
                self.shown(byte);
            }
            self.text("\"");
            return Ok(());
        }
        self.text(", \"");
        let mut place = at;
        while place < self.end {
            let label = usize::from(self.u8(place)?);
            place += 1;
            if label == 0 {
                match self.left(place) {
                    0 => self.text("."),
                    1 if self.u8(place)? == 0 => {}
                    _ => self.text("???"),
                }
                break;
            }
            if label > self.end - place {
                self.text("???");
                break;
            }
            for _ in 0..label {
                let byte = self.u8(place)?;
                self.shown(byte);
                place += 1;
            }
            if place + 1 < self.end && self.u8(place)? != 0 {
                self.text(".");
            }
        }
        self.text("\"");
        Ok(())
    }

    /// New prefixes for routers. False if a part is cut.
    pub fn icmp6_renumbering(&mut self, at: usize) -> Read<bool> {
        if !self.has(at + 12, 4) {
            return Ok(false);
        }
        let code = self.u8(at + 1)?;
        match code {
            0 => self.text(", command"),
            1 => self.text(", result"),
            255 => self.text(", sequence number reset"),
            _ => put!(self, ", code-#{code}"),
        }
        put!(self, ", seq={}", self.u32(at + 4)?);
        if self.verbose() > 0 {
            let flags = self.u8(at + 9)?;
            self.text("[");
            for (bit, letter) in [(0x80, "T"), (0x40, "R"), (0x20, "A"), (0x10, "S"), (8, "P")] {
                self.text(if flags & bit != 0 { letter } else { "" });
            }
            self.text(if flags != 0 { "," } else { "" });
            put!(self, "seg={},maxdelay={}", self.u8(at + 8)?, self.u16(at + 10)?);
            match self.u32(at + 12)? {
                0 => {}
                reserved => put!(self, "rsvd=0x{reserved:x}"),
            }
            self.text("]");
        }
        if code == 0 { self.prefix_operation(at + 16) } else { Ok(true) }
    }

    fn prefix_operation(&mut self, at: usize) -> Read<bool> {
        if !self.has(at + 8, 16) {
            return Ok(false);
        }
        let verbose = self.verbose();
        let gap = if verbose > 1 { "\n\t" } else { " " };
        self.text(gap);
        self.text("match(");
        match self.u8(at)? {
            1 => self.text("add"),
            2 => self.text("change"),
            3 => self.text("setglobal"),
            other => put!(self, "#{other}"),
        }
        if verbose > 0 {
            let (ordinal, least, most) = (self.u8(at + 2)?, self.u8(at + 4)?, self.u8(at + 5)?);
            put!(self, ",ord={ordinal},min={least},max={most}");
        }
        self.text(",");
        self.ip6(at + 8)?;
        put!(self, "/{})", self.u8(at + 3)?);
        let words = i32::from(self.u8(at + 1)?) - 3;
        if words % 4 != 0 {
            return Ok(false);
        }
        let mut place = at + 24;
        for _ in 0..words / 4 {
            if !self.has(place + 16, 16) {
                return Ok(false);
            }
            self.text(gap);
            self.new_prefix(place)?;
            place += 32;
        }
        Ok(true)
    }

    fn new_prefix(&mut self, at: usize) -> Read {
        self.text("use(");
        // tcpdump looks at the first byte of the flags, for bits that are the first two of the word.
        let flags = self.u8(at + 12)?;
        if flags != 0 {
            self.text(if flags & 0x80 != 0 { "V" } else { "" });
            self.text(if flags & 0x40 != 0 { "P" } else { "" });
            self.text(",");
        }
        if self.verbose() > 0 {
            put!(self, "mask=0x{:x},raflags=0x{:x},", self.u8(at + 2)?, self.u8(at + 3)?);
            for (word, place) in [("vltime", at + 4), ("pltime", at + 8)] {
                match self.u32(place)? {
                    u32::MAX => put!(self, "{word}=infty,"),
                    time => put!(self, "{word}={time},"),
                }
            }
        }
        self.ip6(at + 16)?;
        put!(self, "/{}/{})", self.u8(at)?, self.u8(at + 1)?);
        Ok(())
    }
}
