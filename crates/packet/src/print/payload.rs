//! What TCP carries, where tcpdump tells more of it than its length: DNS, and protocols of text lines.

use super::line::{Line, Read, put};

/// A protocol of text: its ports, its name, its words (none: whatever it is), and whether an answer's code is the second word.
struct TextProtocol {
    ports: [u16; 2],
    name: &'static str,
    shown: &'static str,
    words: &'static [&'static str],
    code_second: bool,
}

const HTTP: &[&str] = &[
    "GET",
    "PUT",
    "COPY",
    "HEAD",
    "LOCK",
    "MOVE",
    "POLL",
    "POST",
    "BCOPY",
    "BMOVE",
    "MKCOL",
    "TRACE",
    "LABEL",
    "MERGE",
    "DELETE",
    "SEARCH",
    "UNLOCK",
    "REPORT",
    "UPDATE",
    "NOTIFY",
    "BDELETE",
    "CONNECT",
    "OPTIONS",
    "CHECKIN",
    "PROPFIND",
    "CHECKOUT",
    "CCM_POST",
    "SUBSCRIBE",
    "PROPPATCH",
    "BPROPFIND",
    "BPROPPATCH",
    "UNCHECKOUT",
    "MKACTIVITY",
    "MKWORKSPACE",
    "UNSUBSCRIBE",
    "RPC_CONNECT",
    "VERSION-CONTROL",
    "BASELINE-CONTROL",
];
const RTSP: &[&str] = &[
    "OPTIONS",
    "DESCRIBE",
    "ANNOUNCE",
    "SETUP",
    "PLAY",
    "PAUSE",
    "TEARDOWN",
    "GET_PARAMETER",
    "SET_PARAMETER",
    "REDIRECT",
    "RECORD",
];

const TEXTS: &[TextProtocol] = &[
    TextProtocol { ports: [25, 25], name: "smtp", shown: "SMTP", words: &[], code_second: false },
    TextProtocol { ports: [21, 21], name: "ftp", shown: "FTP", words: &[], code_second: false },
    TextProtocol { ports: [80, 8080], name: "http", shown: "HTTP", words: HTTP, code_second: true },
    TextProtocol {
        ports: [554, 8554],
        name: "rtsp",
        shown: "RTSP",
        words: RTSP,
        code_second: true,
    },
];

const DOMAIN: u16 = 53;
const SECURE_SHELL: u16 = 22;

impl Line<'_> {
    pub fn tcp_payload(&mut self, at: usize, length: usize, (from, to): (u16, u16)) -> Read {
        if from == DOMAIN || to == DOMAIN {
            return self.dns(at, length, true, false);
        }
        if from == SECURE_SHELL || to == SECURE_SHELL {
            return self.secure_shell(at, length);
        }
        let text = TEXTS.iter().find(|text| text.ports.contains(&from) || text.ports.contains(&to));
        match text {
            Some(text) => self.text_protocol(text, at, length),
            None => Ok(()),
        }
    }

    /// The version that both sides of SSH begin with.
    fn secure_shell(&mut self, at: usize, length: usize) -> Read {
        self.protocol = "ssh";
        for (index, letter) in b"SSH-".iter().enumerate() {
            if self.u8(at + index)? != *letter {
                return Ok(());
            }
        }
        for index in 4..length {
            match self.u8(at + index)? {
                0x20..=0x7e => {}
                b'\n' => return self.plain(": SSH: ", at, index),
                b'\r' if index + 1 < length && self.u8(at + index + 1)? == b'\n' => {
                    return self.plain(": SSH: ", at, index);
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn text_protocol(&mut self, text: &TextProtocol, at: usize, length: usize) -> Read {
        self.protocol = text.name;
        self.text(": ");
        self.text(text.shown);
        if !self.begins_as(text, at, length) {
            return Ok(());
        }
        if self.verbose() == 0 {
            self.text_line(": ", at, length)?;
            return Ok(());
        }
        put!(self, ", length: {length}");
        let mut passed = 0;
        while passed < length {
            let Some(own) = self.text_line("\n\t", at + passed, length - passed)? else { break };
            passed += own;
        }
        Ok(())
    }

    /// Whether the first word is one of the protocol's, or a code of three digits answers.
    fn begins_as(&self, text: &TextProtocol, at: usize, length: usize) -> bool {
        if text.words.is_empty() {
            return true;
        }
        let kept = self.bytes(at, length.min(self.left(at))).unwrap_or_default();
        let Some((word, rest)) = first_word(kept, kept.len() < length) else { return false };
        if text.words.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word)) {
            return true;
        }
        let code = if text.code_second {
            first_word(rest, kept.len() < length).map(|(word, _)| word)
        } else {
            Some(word)
        };
        code.is_some_and(|code| code.len() == 3 && code.iter().all(u8::is_ascii_digit))
    }

    /// A line of text and its length; none if it does not end or is no text.
    fn text_line(&mut self, before: &str, at: usize, length: usize) -> Read<Option<usize>> {
        for index in 0..length {
            let byte = self.u8(at + index)?;
            let end = match byte {
                b'\n' => index + 1,
                b'\r' if index + 1 < length && self.u8(at + index + 1)? == b'\n' => index + 2,
                b'\t' | 0x20..=0x7e => continue,
                _ => return Ok(None),
            };
            self.plain(before, at, index)?;
            return Ok(Some(end));
        }
        self.plain(before, at, length)?;
        self.cut();
        Ok(None)
    }

    fn plain(&mut self, before: &str, at: usize, length: usize) -> Read {
        self.text(before);
        for index in 0..length {
            let byte = self.u8(at + index)?;
            self.out.push(byte);
        }
        Ok(())
    }
}

/// The first word and what follows the blanks behind it. A word must end, unless the bytes do.
fn first_word(bytes: &[u8], more: bool) -> Option<(&[u8], &[u8])> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let end = bytes.iter().position(is_blank).unwrap_or(bytes.len());
    let (word, rest) = bytes.split_at_checked(end)?;
    let good = !word.is_empty() && word.len() < 128 && word.iter().all(u8::is_ascii_graphic);
    if !good || (more && rest.is_empty()) {
        return None;
    }
    let skip = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    Some((word, rest.get(skip..).unwrap_or_default()))
}
