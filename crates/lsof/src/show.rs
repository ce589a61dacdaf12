//! The pieces of text that tables, fields and JSON share: names, addresses, states, flags.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use crate::file::OpenFile;
use crate::options::{FlagColumn, Options};
use crate::safe::{self, Charset};
use crate::socket::{Connection, Internet};
use crate::spec::descriptor::FdKind;
use crate::spec::state;
use crate::world::{Protocol, World};
use fdscope_model::SocketState;

/// Where names come from, and how they may be printed.
#[derive(Clone, Copy)]
pub(crate) struct Show<'a> {
    pub options: &'a Options,
    pub world: &'a dyn World,
    pub charset: Charset,
}

impl std::fmt::Debug for Show<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Show").field("options", self.options).finish_non_exhaustive()
    }
}

/// open(2)'s flags in lsof's letters (fcntl.h of x86-64, as fdinfo shows them on every processor fdscope knows).
const FLAGS: &[(u32, &str)] = &[
    (0o1, "W"),
    (0o2, "RW"),
    (0o100, "CR"),
    (0o200, "EXCL"),
    (0o400, "NTTY"),
    (0o1_000, "TR"),
    (0o2_000, "AP"),
    (0o4_000, "ND"),
    (0o4_010_000, "SYN"),
    (0o20_000, "ASYN"),
    (0o40_000, "DIR"),
    (0o200_000, "DTY"),
    (0o400_000, "NFLK"),
    (0o1_000_000, "NATM"),
    (0o10_000, "DSYN"),
    (0o100_000, "LG"),
    (0o2_000_000, "CX"),
    (0o10_000_000, "PATH"),
    (0o20_200_000, "TMPF"),
];

impl Show<'_> {
    /// The user: login name, or the number as lsof pads it.
    pub(crate) fn user(&self, uid: u32) -> Vec<u8> {
        self.login(uid).unwrap_or_else(|| format!("{uid:>8}").into_bytes())
    }

    /// The login name, if names are wanted and there is one.
    pub(crate) fn login(&self, uid: u32) -> Option<Vec<u8>> {
        self.options.login_names.then(|| self.world.login(uid)).flatten()
    }

    /// The name with addresses and additions, without the state.
    pub(crate) fn name(&self, file: &OpenFile) -> Vec<u8> {
        let mut out = Vec::with_capacity(file.name.len());
        safe::push(&mut out, &file.name, self.charset);
        if let Some(Connection::Internet(internet)) = &file.connection {
            self.addresses(&mut out, internet);
        }
        if !file.addition.is_empty() {
            if !out.is_empty() {
                out.push(b' ');
            }
            safe::push(&mut out, &file.addition, self.charset);
        }
        out
    }

    /// The name as the table has it: with the state in parentheses.
    pub(crate) fn name_and_state(&self, file: &OpenFile) -> Vec<u8> {
        let mut out = self.name(file);
        let Some(connection) = file.connection.as_ref().filter(|_| self.options.connection.any())
        else {
            return out;
        };
        if !out.is_empty() {
            out.push(b' ');
        }
        let pieces = self.states(connection);
        if !pieces.is_empty() {
            out.push(b'(');
            out.extend_from_slice(pieces.join(" ").replace("ST=", "").as_bytes());
            out.push(b')');
        }
        out
    }

    /// `ST=ESTABLISHED`, `QR=0`, `QS=0`, as far as they are wanted.
    pub(crate) fn states(&self, connection: &Connection) -> Vec<String> {
        let info = self.options.connection;
        let mut pieces = Vec::new();
        match connection {
            Connection::Unix(word) if info.state => pieces.push(format!("ST={word}")),
            Connection::Unix(_) => {}
            Connection::Internet(internet) => {
                if info.state
                    && let Some(word) = state_word(internet)
                {
                    pieces.push(format!("ST={word}"));
                }
                if info.queues {
                    let queues = [("QR", internet.receive_queue), ("QS", internet.send_queue)];
                    let known =
                        queues.iter().filter_map(|(word, n)| Some(format!("{word}={}", (*n)?)));
                    pieces.extend(known);
                }
            }
        }
        pieces
    }

    fn addresses(&self, out: &mut Vec<u8>, internet: &Internet) {
        for (index, end) in [internet.local, internet.peer].into_iter().enumerate() {
            let Some(end) = end else { continue };
            if index == 1 {
                out.extend_from_slice(b"->");
            }
            out.extend(self.address(end, internet.protocol));
        }
    }

    /// `host:port`, with `*` for what is 0.
    pub(crate) fn address(&self, end: SocketAddr, protocol: Protocol) -> Vec<u8> {
        let mut out = Vec::new();
        let named = || self.options.host_names.then(|| self.world.host(end.ip())).flatten();
        match end.ip() {
            ip if ip.is_unspecified() => out.push(b'*'),
            ip => match (named(), ip) {
                (Some(name), _) => safe::push(&mut out, &name, self.charset),
                // Writing to a vector cannot fail.
                (None, IpAddr::V4(ip)) => drop(write!(out, "{ip}")),
                (None, IpAddr::V6(ip)) => drop(write!(out, "[{ip}]")),
            },
        }
        out.push(b':');
        let service =
            || self.options.port_names.then(|| self.world.service(end.port(), protocol)).flatten();
        match end.port() {
            0 => out.push(b'*'),
            port => match service() {
                Some(name) => safe::push(&mut out, &name, self.charset),
                None => drop(write!(out, "{port}")),
            },
        }
        out
    }

    /// Offsets are decimal up to a number of digits, hexadecimal beyond.
    pub(crate) fn offset(&self, offset: u64) -> String {
        let text = format!("0t{offset}");
        let digits = self.options.offset_digits;
        match digits != 0 && text.len() > digits + 2 {
            true if offset == 0 => "0".to_owned(),
            true => format!("{offset:#x}"),
            false => text,
        }
    }

    /// The file's flags, if they are wanted and known.
    pub(crate) fn flags(&self, file: &OpenFile) -> Option<String> {
        let flags = file.flags?;
        match self.options.flag_column {
            FlagColumn::No => None,
            FlagColumn::Hex => Some(format!("0x{flags:x};0x0")),
            FlagColumn::Words if flags == 0 => None,
            FlagColumn::Words => {
                let mut rest = flags;
                let mut words = Vec::new();
                for (bit, word) in FLAGS {
                    if rest & bit != 0 {
                        words.push((*word).to_owned());
                        rest &= !bit;
                    }
                }
                if rest != 0 {
                    words.push(format!("0x{rest:x}"));
                }
                Some(words.join(","))
            }
        }
    }
}

/// The word of a state: all of TCP's; of UDP's only that it is connected.
pub(crate) fn state_word(internet: &Internet) -> Option<&'static str> {
    let state = internet.state?;
    let shown = internet.protocol == Protocol::Tcp || state == SocketState::Established;
    shown.then(|| state::word(state))
}

/// The FD column: numbers above 9,999 lose their front, so that the column keeps its width.
pub(crate) fn fd_column(fd: FdKind) -> String {
    match fd {
        FdKind::Number(number @ 0..10_000) => number.to_string(),
        FdKind::Number(number) => format!("*{:03}", number % 1000),
        other => other.word().unwrap_or("unk").to_owned(),
    }
}

/// The FD field: numbers are whole.
pub(crate) fn fd_field(fd: FdKind) -> String {
    match fd {
        FdKind::Number(number) => number.to_string(),
        other => other.word().unwrap_or("unk").to_owned(),
    }
}

/// Sizes for people: `1.5K`.
pub(crate) fn human(size: u64) -> String {
    const SUFFIXES: [&str; 6] = ["K", "M", "G", "T", "P", "E"];
    if size < 1024 {
        return format!("{size}B");
    }
    let power = ((63 - size.leading_zeros()) / 10).min(6);
    let in_next_lower = size >> (10 * (power - 1));
    format!("{:.1}{}", in_next_lower as f64 / 1024.0, SUFFIXES[power as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people_have_one_digit_behind_the_point() {
        assert_eq!(human(0), "0B");
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(1536), "1.5K");
        assert_eq!(human(1 << 20), "1.0M");
        assert_eq!(human((1 << 20) - 1), "1024.0K");
        assert_eq!(human(u64::MAX), "16.0E");
    }

    #[test]
    fn large_descriptors_lose_their_front_in_the_column_only() {
        assert_eq!(fd_column(FdKind::Number(9_999)), "9999");
        assert_eq!(fd_column(FdKind::Number(12_034)), "*034");
        assert_eq!(fd_field(FdKind::Number(12_034)), "12034");
        assert_eq!(fd_column(FdKind::Cwd), "cwd");
    }
}
