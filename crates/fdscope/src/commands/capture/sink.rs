//! Files that packets are written to: `-w` with its rotation by size (`-C`), time (`-G`) and number (`-W`).
//!
//! A file is made 0600 and given to who called sudo.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::fchown;
use std::process::Command;

use anyhow::{Context, Result};
use fdscope_packet::file::{Format, Statistics, Writer};
use fdscope_packet::link::LinkType;
use fdscope_packet::{Packet, Time};
use fdscope_sys::zone;

use super::options::Options;
use crate::private;

/// Bytes that are gathered before they are written.
const CHUNK: usize = 256 * 1024;

/// Where packets go.
pub struct Sink {
    plan: Plan,
    writer: Writer<Out>,
    name: OsString,
    /// Files opened since the name's time changed.
    part: u32,
    /// Periods begun.
    periods: u32,
    period_began: i64,
}

/// What was asked for.
struct Plan {
    path: OsString,
    format: Format,
    link: LinkType,
    snap_length: u32,
    device: Vec<u8>,
    filter: Vec<u8>,
    most_bytes: Option<u64>,
    period_s: Option<u64>,
    files: Option<u32>,
    unbuffered: bool,
    command: Option<OsString>,
}

/// Whether there is more to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// Go on.
    More,
    /// As many files as were asked for are full.
    Enough,
}

impl Sink {
    /// Opens the first file.
    pub fn open(
        options: &Options,
        path: &OsStr,
        link: LinkType,
        snap_length: u32,
        device: &[u8],
        now_s: i64,
    ) -> Result<Self> {
        let pcapng = options.pcapng || path.as_bytes().ends_with(b".pcapng");
        let format = match (pcapng, options.nanos) {
            (true, _) => Format::Pcapng,
            (false, true) => Format::PcapNanos,
            (false, false) => Format::Pcap,
        };
        let plan = Plan {
            path: path.to_owned(),
            format,
            link,
            snap_length,
            device: device.to_vec(),
            filter: options.expression.clone(),
            most_bytes: options.file_bytes,
            period_s: options.file_seconds,
            files: options.files,
            unbuffered: options.packet_buffered,
            command: options.rotate_command.clone(),
        };
        let name = plan.name(0, now_s);
        let writer = plan.open(&name)?;
        Ok(Sink { plan, writer, name, part: 0, periods: 0, period_began: now_s })
    }

    /// Writes a packet, into the next file if it is time for that.
    pub fn packet(&mut self, packet: &Packet<'_>, comment: &[u8], now: Time) -> Result<Written> {
        if self.turn(now.seconds)? == Written::Enough {
            return Ok(Written::Enough);
        }
        self.writer.packet(packet, comment).with_context(|| self.failure())?;
        if self.plan.unbuffered {
            self.flush()?;
        }
        Ok(Written::More)
    }

    /// Whether comments of packets are kept.
    pub fn takes_comments(&self) -> bool {
        self.plan.format == Format::Pcapng
    }

    fn turn(&mut self, now_s: i64) -> Result<Written> {
        let passed = now_s.saturating_sub(self.period_began);
        if let Some(period) = self.plan.period_s
            && passed >= period as i64
        {
            self.period_began = now_s;
            self.periods += 1;
            if self.plan.most_bytes.is_none()
                && self.plan.files.is_some_and(|most| self.periods >= most)
            {
                return Ok(Written::Enough);
            }
            self.part = 0;
            self.next(now_s)?;
        } else if let Some(most) = self.plan.most_bytes
            && self.writer.written() > most
        {
            self.part += 1;
            if self.plan.files.is_some_and(|files| self.part >= files) {
                if self.plan.period_s.is_some() {
                    return Ok(Written::Enough);
                }
                self.part = 0;
            }
            self.next(self.period_began)?;
        }
        Ok(Written::More)
    }

    fn next(&mut self, time_s: i64) -> Result<()> {
        self.flush()?;
        let before = std::mem::replace(&mut self.name, self.plan.name(self.part, time_s));
        self.writer = self.plan.open(&self.name)?;
        if let Some(command) = &self.plan.command {
            // As tcpdump: it runs beside the capture, at the lowest priority, and how it ends is its own affair.
            let started = Command::new("nice").arg("-n19").arg(command).arg(&before).spawn();
            started.with_context(|| format!("can't run {}", command.to_string_lossy()))?;
        }
        Ok(())
    }

    /// Hands all to the system.
    pub fn flush(&mut self) -> Result<()> {
        self.writer.flush().with_context(|| self.failure())
    }

    /// Writes what was lost, if the format keeps that, and all that is left.
    pub fn finish(&mut self, statistics: Option<Statistics>) -> Result<()> {
        if let Some(statistics) = statistics {
            self.writer.statistics(statistics).with_context(|| self.failure())?;
        }
        self.flush()
    }

    fn failure(&self) -> String {
        format!("Unable to write output to {}", self.name.to_string_lossy())
    }
}

impl Plan {
    /// The name of a file: with the time that `-G` asks for and the number that `-C` asks for.
    fn name(&self, part: u32, time_s: i64) -> OsString {
        let mut name = match self.period_s {
            Some(_) => with_time(self.path.as_bytes(), time_s),
            None => self.path.as_bytes().to_vec(),
        };
        let width = self.files.map_or(0, |files| digits(files.saturating_sub(1)));
        if self.most_bytes.is_some() && (part > 0 || width > 0) {
            name.extend_from_slice(format!("{part:0width$}").as_bytes());
        }
        OsString::from_vec(name)
    }

    fn open(&self, name: &OsStr) -> Result<Writer<Out>> {
        let what = || name.to_string_lossy().into_owned();
        let file = if name == "-" { None } else { Some(create(name).with_context(what)?) };
        let mut writer = Writer::new(
            Out { file, pending: Vec::new(), ends: Vec::new(), written: 0 },
            self.format,
            self.link,
            self.snap_length,
            (&self.device, &self.filter),
        )
        .with_context(what)?;
        // The header is there at once: a file is readable from its first moment on.
        writer.flush().with_context(what)?;
        Ok(writer)
    }
}

/// A file or the standard output, to which whole records go: one that does not fit any more leaves no piece behind.
struct Out {
    file: Option<File>,
    pending: Vec<u8>,
    /// Where records end in `pending`.
    ends: Vec<usize>,
    written: u64,
}

impl Write for Out {
    /// Takes a whole record.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(record);
        self.ends.push(self.pending.len());
        if self.pending.len() >= CHUNK {
            self.flush()?;
        }
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            let mut out = io::stdout().lock();
            out.write_all(&self.pending)?;
            self.forget();
            return out.flush();
        };
        let mut done = 0;
        while let Some(rest) = self.pending.get(done..).filter(|rest| !rest.is_empty()) {
            match file.write(rest) {
                Ok(count) if count > 0 => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                failed => {
                    let whole =
                        self.ends.iter().rev().find(|end| **end <= done).copied().unwrap_or(0);
                    // A pipe or a device cannot be shortened, and need not be.
                    let _shortened = file.set_len(self.written + whole as u64);
                    self.forget();
                    return Err(failed.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into()));
                }
            }
        }
        self.written += done as u64;
        self.forget();
        Ok(())
    }
}

impl Out {
    fn forget(&mut self) {
        self.pending.clear();
        self.ends.clear();
    }
}

fn digits(number: u32) -> usize {
    if number == 0 { 0 } else { number.ilog10() as usize + 1 }
}

/// Makes a file that only its owner may read: who called sudo, if anybody did.
fn create(name: &OsStr) -> io::Result<File> {
    let file = private::create(name)?;
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    if rustix::process::geteuid().is_root()
        && let (Some(user), Some(group)) = (number("SUDO_UID"), number("SUDO_GID"))
        && file.metadata()?.is_file()
    {
        fchown(&file, Some(user), Some(group))?;
    }
    Ok(file)
}

/// A name by a strftime(3) format; the format itself where that gives nothing.
fn with_time(format: &[u8], time_s: i64) -> Vec<u8> {
    zone::local_time_of(format, time_s).unwrap_or_else(|| format.to_vec())
}

#[cfg(test)]
mod tests {
    use super::{Sink, Written, digits, with_time};
    use crate::commands::capture::options::{Guise, Options};
    use fdscope_packet::link::LinkType;
    use fdscope_packet::{Packet, Time};
    use std::ffi::OsString;
    use std::path::Path;

    /// Writes a packet a second, so many of them; how many were taken, and the files.
    fn written(arguments: &[&str], seconds: i64) -> (i64, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = write_into(folder.path(), arguments, seconds);
        let names = std::fs::read_dir(folder.path()).expect("listed");
        let mut names: Vec<String> = names
            .map(|entry| entry.expect("listed").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        (taken, names)
    }

    fn write_into(folder: &Path, arguments: &[&str], seconds: i64) -> i64 {
        let arguments = arguments.iter().map(OsString::from).collect();
        let options = Options::read(arguments, Guise::Tcpdump).expect("good");
        let path = folder.join(options.write.clone().expect("a file"));
        let mut sink =
            Sink::open(&options, path.as_os_str(), LinkType::RAW, 99, b"lo", 0).expect("made");
        for second in 0..seconds {
            let time = Time { seconds: second, nanos: 0 };
            let packet = Packet { time, length: 9, bytes: &[7; 9], link: LinkType::RAW };
            if sink.packet(&packet, b"", time).expect("written") == Written::Enough {
                return second;
            }
        }
        sink.finish(None).expect("written");
        seconds
    }

    #[test]
    fn files_are_turned_over_by_time_and_number() {
        let names = |count: i64, step: i64| -> Vec<String> {
            (0..count).map(|file| format!("p{}", file * step)).collect()
        };
        assert_eq!(
            written(&["-w", "p%s", "-G", "10"], 35),
            (35, ["p0", "p10", "p20", "p30"].map(str::to_owned).to_vec())
        );
        assert_eq!(written(&["-w", "p%s", "-G", "10", "-W", "2"], 35), (20, names(2, 10)));
        // The same name again and again: the file has what came last.
        assert_eq!(written(&["-w", "p", "-G", "10"], 35), (35, vec!["p".to_owned()]));
    }

    #[test]
    fn what_is_full_is_handed_to_the_command() {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = write_into(folder.path(), &["-w", "p%s", "-G", "10", "-z", "rm"], 15);
        assert_eq!(taken, 15);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
        while folder.path().join("p0").exists() {
            assert!(std::time::Instant::now() < deadline, "the command was not run");
            std::thread::yield_now();
        }
        assert!(folder.path().join("p10").exists());
    }

    #[test]
    fn names_take_the_time() {
        let time_s = 951_782_401 - super::zone::offset_s(951_782_401);
        assert_eq!(with_time(b"a-%Y%m%d-%H%M%S.pcap", time_s), b"a-20000229-000001.pcap");
        assert_eq!(with_time(b"100%%", 0), b"100%");
    }

    #[test]
    fn numbers_are_as_wide_as_the_last_one() {
        assert_eq!([1, 2, 10, 11, 100].map(|files| digits(files - 1)), [0, 1, 1, 2, 2]);
    }
}
