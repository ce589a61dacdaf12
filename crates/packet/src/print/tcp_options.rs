//! Options of TCP.

use super::line::{Line, Read, put};
use super::tcp::Numbers;

const WORDS: &[(u32, &str)] = &[
    (0, "eol"),
    (1, "nop"),
    (2, "mss"),
    (3, "wscale"),
    (4, "sackOK"),
    (5, "sack"),
    (6, "echo"),
    (7, "echoreply"),
    (8, "TS"),
    (11, "cc"),
    (12, "ccnew"),
    (13, ""),
    (19, "md5"),
    (20, "scps"),
    (28, "uto"),
    (29, "tcp-ao"),
    (30, "mptcp"),
    (34, "tfo"),
    (254, "exp"),
];

const END: u8 = 0;
const NOTHING: u8 = 1;
const EXPERIMENT_FAST_OPEN: u16 = 0xf989;

/// How an option ended.
enum Stop {
    /// It is wrong.
    Bad,
    /// It is cut off.
    Cut,
}

/// An option: its code, its length as it says and where its value stands.
#[derive(Clone, Copy)]
struct TcpOption {
    code: u8,
    length: usize,
    at: usize,
    /// Bytes of all options from its value on.
    left: usize,
}

impl Line<'_> {
    /// The options in brackets; false if they are wrong, and nothing more is to be said.
    pub fn tcp_options(&mut self, at: usize, length: usize, numbers: Numbers) -> Read<bool> {
        if length == 12 && self.array(at) == Ok([NOTHING, NOTHING, 8, 10]) && self.has(at, 12) {
            self.text(", options [nop,nop,TS val ");
            self.dec(self.u32(at + 4)?);
            self.text(" ecr ");
            self.dec(self.u32(at + 8)?);
            self.text("]");
            return Ok(true);
        }
        self.text(", options [");
        let (mut at, mut left) = (at, length);
        let mut any = false;
        while left > 0 {
            if any {
                self.text(",");
            }
            let code = self.u8(at)?;
            at += 1;
            let mut own = 1;
            if code != END && code != NOTHING {
                own = usize::from(self.u8(at)?);
                at += 1;
                if own < 2 || own > left {
                    self.tcp_bad(any);
                    return Ok(false);
                }
                left -= 1;
            }
            left -= 1;
            self.token(WORDS, code.into(), ("unknown-", ""));
            let option = TcpOption { code, length: own, at, left };
            let value = match self.tcp_option(option, numbers)? {
                Ok(value) => value,
                Err(Stop::Bad) => {
                    self.tcp_bad(any);
                    return Ok(false);
                }
                Err(Stop::Cut) => {
                    self.cut();
                    self.text(if any { ">" } else { "" });
                    return Ok(false);
                }
            };
            at += value;
            left -= value;
            let head = if code == END || code == NOTHING { 1 } else { 2 };
            if value + head != own {
                put!(self, "[len {own}]");
            }
            any = true;
            if code == END {
                break;
            }
        }
        self.text("]");
        Ok(true)
    }

    fn tcp_number(&mut self, value: impl Into<u64>) {
        self.text(" ");
        self.dec(value);
    }

    fn tcp_bad(&mut self, any: bool) {
        self.text("[bad opt]");
        if any {
            self.text("]");
        }
    }

    /// One option's value, and how many bytes it has.
    fn tcp_option(&mut self, option: TcpOption, numbers: Numbers) -> Read<Result<usize, Stop>> {
        let TcpOption { code, length, at, left } = option;
        let rest = length.saturating_sub(2);
        let fixed = match code {
            END | NOTHING | 4 => 0,
            3 => 1,
            2 | 20 | 28 => 2,
            6 | 7 | 11 | 12 | 13 => 4,
            8 => 8,
            19 => 16,
            // These check as they go.
            5 | 29 => 0,
            30 | 34 | 254 => rest,
            _ => 0,
        };
        if fixed > left {
            return Ok(Err(Stop::Bad));
        }
        if fixed > 0 && !self.has(at, fixed) {
            return Ok(Err(Stop::Cut));
        }
        match code {
            END | NOTHING | 4 => {}
            2 => self.tcp_number(self.u16(at)?),
            3 => self.tcp_number(self.u8(at)?),
            5 => return self.tcp_sack(at, rest, left, numbers),
            6 | 7 | 11 | 12 | 13 => self.tcp_number(self.u32(at)?),
            8 => {
                let (value, echo) = (self.u32(at)?, self.u32(at + 4)?);
                self.text(" val ");
                self.dec(value);
                self.text(" ecr ");
                self.dec(echo);
            }
            19 => {
                let whole = numbers.segment_end <= self.end;
                let why =
                    if whole { "shared secret not supplied with -M" } else { "snaplen too short" };
                put!(self, " {why}, can't check - ");
                self.hex_bytes(at, 16, "")?;
            }
            20 => put!(self, " cap {:02x} id {}", self.u8(at)?, self.u8(at + 1)?),
            28 => {
                let value = self.u16(at)?;
                let s =
                    if value & 1 != 0 { u32::from(value >> 1) * 60 } else { u32::from(value >> 1) };
                put!(self, " 0x{value:x} {s}");
            }
            29 => return self.tcp_authentication(at, rest, left),
            30 => return self.tcp_multipath(at - 2, length, numbers.flags, rest),
            34 => {
                self.text(" ");
                self.tcp_fast_open(at, rest)?;
            }
            254 => return self.tcp_experiment(at, rest),
            _ => return self.tcp_unknown(at, rest, left),
        }
        Ok(Ok(if matches!(code, 34) { rest } else { fixed }))
    }

    fn tcp_sack(
        &mut self,
        at: usize,
        rest: usize,
        left: usize,
        numbers: Numbers,
    ) -> Read<Result<usize, Stop>> {
        if !rest.is_multiple_of(8) {
            self.text(" invalid sack");
            return Ok(Ok(rest));
        }
        put!(self, " {} ", rest / 8);
        for place in (0..rest).step_by(8) {
            for half in [4, 8] {
                if place + half > left {
                    return Ok(Err(Stop::Bad));
                }
                if !self.has(at, place + half) {
                    return Ok(Err(Stop::Cut));
                }
            }
            let start = self.u32(at + place)?.wrapping_sub(numbers.sack_begin);
            let end = self.u32(at + place + 4)?.wrapping_sub(numbers.sack_begin);
            self.text("{");
            self.dec(start);
            self.text(":");
            self.dec(end);
            self.text("}");
        }
        Ok(Ok(rest))
    }

    fn tcp_authentication(
        &mut self,
        at: usize,
        rest: usize,
        left: usize,
    ) -> Read<Result<usize, Stop>> {
        if rest < 2 {
            self.invalid();
            return Ok(Ok(rest));
        }
        for index in 0..rest {
            if index == 2 {
                self.text(" mac 0x");
            }
            if index + 1 > left {
                return Ok(Err(Stop::Bad));
            }
            if !self.has(at, index + 1) {
                return Ok(Err(Stop::Cut));
            }
            let byte = self.u8(at + index)?;
            match index {
                0 => put!(self, " keyid {byte}"),
                1 => put!(self, " rnextkeyid {byte}"),
                _ => self.hex2(byte),
            }
        }
        Ok(Ok(rest))
    }

    fn tcp_multipath(
        &mut self,
        at: usize,
        length: usize,
        flags: u8,
        rest: usize,
    ) -> Read<Result<usize, Stop>> {
        let mut good = false;
        self.within(at + length, |line| {
            good = line.mptcp(at, length, flags)?;
            Ok(())
        })?;
        Ok(if good { Ok(rest) } else { Err(Stop::Bad) })
    }

    fn tcp_fast_open(&mut self, at: usize, length: usize) -> Read {
        if length == 0 {
            self.text(" cookiereq");
        } else if !length.is_multiple_of(2) || !(4..=16).contains(&length) {
            self.invalid();
        } else {
            self.text(" cookie ");
            self.hex_bytes(at, length, "")?;
        }
        Ok(())
    }

    fn tcp_experiment(&mut self, at: usize, rest: usize) -> Read<Result<usize, Stop>> {
        if rest < 2 {
            return Ok(Err(Stop::Bad));
        }
        self.text("-");
        match self.u16(at)? {
            EXPERIMENT_FAST_OPEN => {
                self.text("tfo");
                self.tcp_fast_open(at + 2, rest - 2)?;
            }
            magic => put!(self, "{magic:04x}"),
        }
        Ok(Ok(rest))
    }

    fn tcp_unknown(&mut self, at: usize, rest: usize, left: usize) -> Read<Result<usize, Stop>> {
        if rest > 0 {
            self.text(" 0x");
        }
        for index in 0..rest {
            if index + 1 > left {
                return Ok(Err(Stop::Bad));
            }
            if !self.has(at, index + 1) {
                return Ok(Err(Stop::Cut));
            }
            let byte = self.u8(at + index)?;
            self.hex2(byte);
        }
        Ok(Ok(rest))
    }
}
