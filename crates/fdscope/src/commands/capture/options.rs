//! What can be typed behind `capture` and `tcpdump`: tcpdump's options, read as getopt_long(3) reads them, and ours.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use fdscope_packet::link::LinkType;
use fdscope_packet::print::{Dump, MOST_BYTES, TimeForm};

/// As whom the command was called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guise {
    /// `fdscope capture`.
    Capture,
    /// As `tcpdump`: nothing is added to its output.
    Tcpdump,
}

impl Guise {
    /// What messages begin with.
    pub fn program(self) -> &'static str {
        match self {
            Guise::Capture => "fdscope capture",
            Guise::Tcpdump => "tcpdump",
        }
    }
}

/// Which packets of an interface are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    InOut,
    /// Those that came.
    In,
    /// Those that went.
    Out,
}

/// What is to be done instead of capturing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instead {
    /// `-h`.
    Help,
    /// `--version`.
    Version,
    /// `-D`.
    Interfaces,
    /// `-L`.
    LinkTypes,
    /// `-J`.
    TimeStampTypes,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub instead: Option<Instead>,
    pub interface: Option<OsString>,
    pub read: Option<OsString>,
    pub read_list: Option<OsString>,
    pub write: Option<OsString>,
    pub filter_file: Option<OsString>,
    pub expression: Vec<u8>,
    pub count: Option<u64>,
    pub file_bytes: Option<u64>,
    pub file_seconds: Option<u64>,
    pub files: Option<u32>,
    pub snap_length: Option<u32>,
    pub buffer_kib: Option<u64>,
    pub direction: Direction,
    pub user: Option<OsString>,
    pub link: Option<LinkType>,
    pub dump_program: u8,
    pub unoptimized: bool,
    pub numeric: u8,
    pub verbose: u8,
    pub quiet: u8,
    pub link_header: bool,
    pub absolute: bool,
    pub unchecked: bool,
    pub text: u8,
    pub hex: u8,
    pub hex_text: u8,
    pub time: TimeForm,
    pub nanos: bool,
    pub numbered: bool,
    pub line_buffered: bool,
    pub packet_buffered: bool,
    pub immediate: bool,
    pub print: bool,
    pub only_count: bool,
    pub promiscuous: bool,
    pub explain: bool,
    pub pcapng: bool,
    /// Processes whose sockets' sites are told.
    pub watch: Vec<OsString>,
    /// Only packets of sockets of sites that leak are wanted.
    pub leaked: bool,
    /// Only what begins and ends connections is wanted.
    pub lifecycle: bool,
    /// Whose packets they are is looked up and told.
    pub owners: Option<bool>,
    pub rotate_command: Option<OsString>,
    /// Addresses of other networks stay numbers, as all do here.
    pub foreign: bool,
    /// Radio frames are asked for.
    pub monitor: bool,
}

/// Why reading the arguments ended.
#[derive(Debug)]
pub enum Refused {
    /// What getopt says, then the usage.
    Usage(String),
    /// One sentence.
    Error(String),
}

/// What `-j` may be; packets are stamped by the machine, whatever is asked for.
const STAMPS: [&str; 5] = ["host", "host_lowprec", "host_hiprec", "adapter", "adapter_unsynced"];
/// What `-T` may be; only what is dissected without it is.
const PAYLOADS: [&str; 20] = [
    "vat",
    "wb",
    "rpc",
    "rtp",
    "rtcp",
    "snmp",
    "cnfp",
    "tftp",
    "aodv",
    "carp",
    "radius",
    "zmtp1",
    "vxlan",
    "pgm",
    "pgm_zmtp1",
    "lmp",
    "resp",
    "ptp",
    "someip",
    "domain",
];

/// Options that take a value (as in tcpdump's own table).
const VALUED: &[u8] = b"BcCEFGijmMQrsTVwWyzZ";
/// Options that take none.
const PLAIN: &[u8] = b"aAbdDefhHIJKlLnNOpqStuUvxXY#";

/// Long options: name, whether a value follows, and the short one that it is; letters above 127 are our own.
const LONG: &[(&str, bool, u8)] = &[
    ("buffer-size", true, b'B'),
    ("list-interfaces", false, b'D'),
    ("help", false, b'h'),
    ("interface", true, b'i'),
    ("monitor-mode", false, b'I'),
    ("time-stamp-type", true, b'j'),
    ("list-time-stamp-types", false, b'J'),
    ("micro", false, MICRO),
    ("nano", false, NANO),
    ("time-stamp-precision", true, PRECISION),
    ("dont-verify-checksums", false, b'K'),
    ("list-data-link-types", false, b'L'),
    ("no-optimize", false, b'O'),
    ("no-promiscuous-mode", false, b'p'),
    ("direction", true, b'Q'),
    ("snapshot-length", true, b's'),
    ("absolute-tcp-sequence-numbers", false, b'S'),
    ("packet-buffered", false, b'U'),
    ("linktype", true, b'y'),
    ("immediate-mode", false, IMMEDIATE),
    ("debug-filter-parser", false, b'Y'),
    ("relinquish-privileges", true, b'Z'),
    ("count", false, COUNT),
    ("number", false, b'#'),
    ("print", false, PRINT),
    ("version", false, VERSION),
    ("promiscuous", false, PROMISCUOUS),
    ("explain", false, EXPLAIN),
    ("pcapng", false, PCAPNG),
    ("owners", false, OWNERS),
    ("no-owners", false, NO_OWNERS),
    ("leaked-by", true, LEAKED_BY),
    ("watch", true, WATCH),
    ("lifecycle", false, LIFECYCLE),
];

const MICRO: u8 = 128;
const NANO: u8 = 129;
const PRECISION: u8 = 130;
const IMMEDIATE: u8 = 131;
const COUNT: u8 = 132;
const PRINT: u8 = 133;
const VERSION: u8 = 134;
const PROMISCUOUS: u8 = 135;
const EXPLAIN: u8 = 136;
const PCAPNG: u8 = 137;
const OWNERS: u8 = 138;
const NO_OWNERS: u8 = 139;
const LEAKED_BY: u8 = 140;
const WATCH: u8 = 141;
const LIFECYCLE: u8 = 142;

impl Options {
    /// Reads the arguments.
    pub fn read(arguments: Vec<OsString>, guise: Guise) -> Result<Self, Refused> {
        let mut options = Options::default();
        let mut words: Vec<Vec<u8>> = Vec::new();
        let mut times = 0;
        let mut rest = arguments.into_iter();
        while let Some(argument) = rest.next() {
            let bytes = argument.as_bytes();
            if bytes == b"--" {
                words.extend(rest.by_ref().map(OsStringExt::into_vec));
            } else if let Some(long) = bytes.strip_prefix(b"--") {
                let (letter, value) = long_option(long, &mut rest, guise)?;
                options.take(letter, value, &mut times)?;
            } else if bytes.len() > 1 && bytes.first() == Some(&b'-') {
                options.cluster(
                    bytes.get(1..).unwrap_or_default(),
                    &mut rest,
                    guise,
                    &mut times,
                )?;
            } else {
                // As glibc's getopt: words may stand between options.
                words.push(bytes.to_vec());
            }
        }
        options.expression = words.join(&b' ');
        options.time = match times {
            0 => TimeForm::Day,
            1 => TimeForm::Absent,
            2 => TimeForm::Epoch,
            3 => TimeForm::SincePrevious,
            4 => TimeForm::Date,
            5 => TimeForm::SinceFirst,
            _ => {
                let what = "only -t, -tt, -ttt, -tttt and -ttttt are supported";
                return Err(Refused::Error(what.into()));
            }
        };
        if options.read.is_some() && options.read_list.is_some() {
            return Err(Refused::Error("-V and -r are mutually exclusive.".into()));
        }
        if options.foreign && (options.read.is_some() || options.read_list.is_some()) {
            return Err(Refused::Error("-f can not be used with -V or -r".into()));
        }
        options.check_watch()?;
        Ok(options)
    }

    /// Watching processes needs them here, and the right to look into them.
    fn check_watch(&self) -> Result<(), Refused> {
        let name = if self.leaked { "--leaked-by" } else { "--watch" };
        let why = match () {
            () if self.watch.is_empty() => return Ok(()),
            () if self.read.is_some() || self.read_list.is_some() => {
                "watches living processes: it cannot be had of a file"
            }
            () if self.user.is_some() => "goes on looking into processes: leave out -Z",
            () if self.owners == Some(false) => "needs owners: leave out --no-owners",
            () => return Ok(()),
        };
        Err(Refused::Error(format!("{name} {why}")))
    }

    fn cluster(
        &mut self,
        letters: &[u8],
        rest: &mut impl Iterator<Item = OsString>,
        guise: Guise,
        times: &mut u8,
    ) -> Result<(), Refused> {
        let program = guise.program();
        for (index, &letter) in letters.iter().enumerate() {
            if VALUED.contains(&letter) {
                let attached = letters.get(index + 1..).filter(|value| !value.is_empty());
                let value = match attached {
                    Some(value) => OsString::from_vec(value.to_vec()),
                    None => rest.next().ok_or_else(|| {
                        let letter = char::from(letter);
                        Refused::Usage(format!(
                            "{program}: option requires an argument -- '{letter}'"
                        ))
                    })?,
                };
                return self.take(letter, value, times);
            }
            if !PLAIN.contains(&letter) {
                let letter = letter.escape_ascii();
                return Err(Refused::Usage(format!("{program}: invalid option -- '{letter}'")));
            }
            self.take(letter, OsString::new(), times)?;
        }
        Ok(())
    }

    fn take(&mut self, letter: u8, value: OsString, times: &mut u8) -> Result<(), Refused> {
        match letter {
            b'A' => self.text += 1,
            b'd' => self.dump_program += 1,
            b'D' => self.instead = Some(Instead::Interfaces),
            b'e' => self.link_header = true,
            b'f' => self.foreign = true,
            b'I' => self.monitor = true,
            b'h' => self.instead = self.instead.or(Some(Instead::Help)),
            b'J' => self.instead = Some(Instead::TimeStampTypes),
            b'K' => self.unchecked = true,
            b'l' => self.line_buffered = true,
            b'L' => self.instead = Some(Instead::LinkTypes),
            b'n' => self.numeric += 1,
            b'O' => self.unoptimized = true,
            b'q' => self.quiet = self.quiet.saturating_add(1),
            b'S' => self.absolute = true,
            b't' => *times = times.saturating_add(1),
            b'U' => self.packet_buffered = true,
            b'v' => self.verbose = self.verbose.saturating_add(1),
            b'x' => self.hex += 1,
            b'X' => self.hex_text += 1,
            b'#' => self.numbered = true,
            MICRO => self.nanos = false,
            NANO => self.nanos = true,
            IMMEDIATE => self.immediate = true,
            COUNT => self.only_count = true,
            PRINT => self.print = true,
            VERSION => self.instead = self.instead.or(Some(Instead::Version)),
            PROMISCUOUS => self.promiscuous = true,
            EXPLAIN => self.explain = true,
            PCAPNG => self.pcapng = true,
            OWNERS => self.owners = Some(true),
            NO_OWNERS => self.owners = Some(false),
            LIFECYCLE => self.lifecycle = true,
            _ => return self.take_value(letter, value),
        }
        Ok(())
    }

    fn take_value(&mut self, letter: u8, value: OsString) -> Result<(), Refused> {
        let text = value.to_string_lossy().into_owned();
        let error = |what: String| Err(Refused::Error(what));
        match letter {
            LEAKED_BY | WATCH if value.is_empty() => {
                return error("no process's number or name".into());
            }
            LEAKED_BY | WATCH => {
                self.leaked |= letter == LEAKED_BY;
                self.watch.push(value);
            }
            b'F' => self.filter_file = Some(value),
            b'i' => self.interface = Some(value),
            b'r' => self.read = Some(value),
            b'V' => self.read_list = Some(value),
            b'w' => self.write = Some(value),
            b'z' => self.rotate_command = Some(value),
            b'Z' => self.user = Some(value),
            b'B' => match leading_number(&text).filter(|kib| *kib > 0) {
                Some(kib) => self.buffer_kib = Some(kib),
                None => return error(format!("invalid packet buffer size {text}")),
            },
            b'c' => match leading_number(&text).filter(|count| *count > 0) {
                Some(count) => self.count = Some(count),
                None => return error(format!("invalid packet count {text}")),
            },
            b'C' => match text.parse::<u64>().ok().filter(|size| *size > 0) {
                Some(size) if size > i64::MAX as u64 / 1_000_000 => {
                    return error(format!("file size {text} is too large"));
                }
                Some(size) => self.file_bytes = Some(size * 1_000_000),
                None => return error(format!("invalid file size {text}")),
            },
            b'G' if text.starts_with('-') => {
                return error(format!("invalid number of seconds {text}"));
            }
            b'G' => self.file_seconds = leading_number(&text).filter(|seconds| *seconds > 0),
            b'W' => match leading_number(&text).filter(|files| (1..1 << 31).contains(files)) {
                Some(files) => self.files = Some(files as u32),
                None => return error(format!("invalid number of output files {text}")),
            },
            b's' => match whole_number(&text).filter(|length| *length <= MOST_BYTES) {
                Some(length) => self.snap_length = Some(length),
                None => {
                    return error(format!(
                        "invalid snaplen {text} (must be >= 0 and <= {MOST_BYTES})"
                    ));
                }
            },
            b'Q' => match text.to_ascii_lowercase().as_str() {
                "in" => self.direction = Direction::In,
                "out" => self.direction = Direction::Out,
                "inout" => self.direction = Direction::InOut,
                _ => return error(format!("unknown capture direction `{text}'")),
            },
            b'y' => match LinkType::named(&text) {
                Some(link) => self.link = Some(link),
                None => return error(format!("invalid data link type {text}")),
            },
            b'j' if !STAMPS.contains(&text.to_ascii_lowercase().as_str()) => {
                return error(format!("invalid time stamp type {text}"));
            }
            b'T' if !PAYLOADS.contains(&text.to_ascii_lowercase().as_str()) => {
                return error(format!("unknown packet type `{text}'"));
            }
            PRECISION if text.starts_with("nano") => self.nanos = true,
            PRECISION if text.starts_with("micro") => self.nanos = false,
            PRECISION => return error("unsupported time stamp precision".into()),
            // Taken and without work: what they change is not dissected or not done here.
            _ => {}
        }
        Ok(())
    }

    /// What is printed of the bytes.
    pub fn dump(&self) -> (Dump, bool) {
        if self.hex_text > 0 {
            (Dump::HexAndText, self.hex_text > 1)
        } else if self.hex > 0 {
            (Dump::Hex, self.hex > 1)
        } else if self.text > 0 {
            (Dump::Text, self.text > 1)
        } else {
            (Dump::Nothing, false)
        }
    }
}

fn long_option(
    long: &[u8],
    rest: &mut impl Iterator<Item = OsString>,
    guise: Guise,
) -> Result<(u8, OsString), Refused> {
    let program = guise.program();
    let split = long.iter().position(|&byte| byte == b'=');
    let (name, attached) = match split {
        Some(at) => (long.get(..at).unwrap_or_default(), long.get(at + 1..)),
        None => (long, None),
    };
    let shown = name.escape_ascii().to_string();
    let exact = LONG.iter().find(|row| row.0.as_bytes() == name);
    let mut starting = LONG.iter().filter(|row| row.0.as_bytes().starts_with(name));
    let row = match (exact, starting.next(), starting.next()) {
        (Some(row), _, _) | (None, Some(row), None) => row,
        (None, Some(_), Some(_)) => {
            let all = LONG.iter().filter(|row| row.0.as_bytes().starts_with(name));
            let all: String = all.map(|row| format!(" '--{}'", row.0)).collect();
            return Err(Refused::Usage(format!(
                "{program}: option '--{shown}' is ambiguous; possibilities:{all}"
            )));
        }
        _ => return Err(Refused::Usage(format!("{program}: unrecognized option '--{shown}'"))),
    };
    let (name, valued, letter) = *row;
    let value = match (valued, attached) {
        (true, Some(value)) => OsString::from_vec(value.to_vec()),
        (true, None) => rest.next().ok_or_else(|| {
            Refused::Usage(format!("{program}: option '--{name}' requires an argument"))
        })?,
        (false, None) => OsString::new(),
        (false, Some(_)) => {
            return Err(Refused::Usage(format!(
                "{program}: option '--{name}' doesn't allow an argument"
            )));
        }
    };
    Ok((letter, value))
}

/// The number that a text begins with, as atoi(3) takes it.
fn leading_number(text: &str) -> Option<u64> {
    let digits: String = text.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A number that is the whole text: decimal, 0x or 0 in front, as strtol(3) takes it.
fn whole_number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Guise, Options, Refused};
    use std::ffi::OsString;

    fn read(arguments: &[&str]) -> Result<Options, Refused> {
        let arguments = arguments.iter().map(OsString::from).collect();
        Options::read(arguments, Guise::Tcpdump)
    }

    fn refused(arguments: &[&str]) -> String {
        match read(arguments) {
            Err(Refused::Usage(why) | Refused::Error(why)) => why,
            Ok(options) => panic!("taken: {options:?}"),
        }
    }

    #[test]
    fn letters_may_stand_together_and_values_be_attached() {
        let options = read(&["-nnvvi", "lo", "-c5", "tcp", "-s0x40", "port", "80"]).expect("good");
        assert_eq!((options.numeric, options.verbose), (2, 2));
        assert_eq!(options.interface, Some("lo".into()));
        assert_eq!((options.count, options.snap_length), (Some(5), Some(64)));
        assert_eq!(options.expression, b"tcp port 80");
    }

    #[test]
    fn long_options_may_be_cut_where_that_is_clear() {
        let options = read(&["--snapshot=96", "--dir", "in", "--", "-x"]).expect("good");
        assert_eq!(options.snap_length, Some(96));
        assert_eq!(options.expression, b"-x");
    }

    #[test]
    fn mistakes_are_told_as_tcpdump_tells_them() {
        assert_eq!(refused(&["-c", "x"]), "invalid packet count x");
        assert_eq!(refused(&["-k"]), "tcpdump: invalid option -- 'k'");
        assert_eq!(refused(&["-c"]), "tcpdump: option requires an argument -- 'c'");
        assert_eq!(refused(&["--no-such"]), "tcpdump: unrecognized option '--no-such'");
        assert_eq!(refused(&["-tttttt"]), "only -t, -tt, -ttt, -tttt and -ttttt are supported");
        assert_eq!(
            refused(&["-s", "9999999"]),
            "invalid snaplen 9999999 (must be >= 0 and <= 262144)"
        );
    }
}
