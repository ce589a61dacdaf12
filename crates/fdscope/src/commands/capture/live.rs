//! Packets of interfaces, as they come.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow};
use fdscope_model::Name;
use fdscope_packet::Packet;
use fdscope_packet::ends::Ends;
use fdscope_packet::file::Statistics;
use fdscope_packet::link::LinkType;
use fdscope_packet::print::{Dump, MOST_BYTES};
use fdscope_proc::ProcRoot;
use fdscope_sys::packet_ring::{Instruction, Layer, PacketRing};
use fdscope_sys::{clock, privileges};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

use super::block::{self, Frame, OUTGOING};
use super::devices::{self, Device, LOOPBACK};
use super::filter::Filter;
use super::options::{Direction, Guise, Options};
use super::owners::{Owners, Way};
use super::screen::Screen;
use super::sink::{Sink, Written};
use super::{link_words, printer, say};
use crate::ending::Ending;

/// Bytes kept of a packet by `fdscope capture`: all headers that are dissected, and DNS.
const HEADERS: u32 = 256;
/// The ring, if `-B` does not say. tcpdump's 2 MiB lose packets that 32 MiB do not.
const RING_KIB: u64 = 32 * 1024;
const BLOCK: u32 = 1 << 20;
/// How long the kernel may keep a block that is not full: what is printed must come soon, a file may wait.
const SOON_MS: u32 = 50;
/// Who asks for owners asks while they live.
const WHILE_ALIVE_MS: u32 = 10;
const LATER_MS: u32 = 200;
const AT_ONCE_MS: u32 = 1;

/// Signals that were seen.
struct Signals {
    ended: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
}

impl Signals {
    fn register() -> Result<Self> {
        let signals = Signals { ended: Arc::default(), asked: Arc::default() };
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // A second one is the first again: timeout(1) sends to the process and to its group.
            signal_hook::flag::register(signal, Arc::clone(&signals.ended))?;
        }
        signal_hook::flag::register(SIGUSR1, Arc::clone(&signals.asked))?;
        Ok(signals)
    }
}

/// Listens until a signal, a count or a failure ends it.
pub fn run(options: &Options, guise: Guise) -> Result<Ending> {
    let program = guise.program();
    if options.dump_program > 0 && options.interface.is_none() {
        let link = options.link.unwrap_or_else(|| {
            say("Warning: assuming Ethernet");
            LinkType::ETHERNET
        });
        Filter::new(options, guise, link, options.snap_length.unwrap_or(0))?.told(options)?;
        return Ok(Ending::Done);
    }
    let mut device = Device::find(options.interface.as_deref())?;
    if let Some(link) = options.link.filter(|link| *link != device.link) {
        anyhow::ensure!(
            link == LinkType::LINUX_SLL2,
            "{} is not one of the DLTs supported by this device",
            link_words(link)
        );
        device = Device { link, layer: Layer::Network, ..device };
    }
    let snap_length = snap_length(options, guise);
    let filter = Filter::new(options, guise, device.link, snap_length)?;
    if filter.told(options)? {
        return Ok(Ending::Done);
    }
    let wants_owners = options.owners.unwrap_or(guise == Guise::Capture);
    let timeout_ms = match (&options.write, options.print) {
        _ if options.immediate => AT_ONCE_MS,
        _ if wants_owners => WHILE_ALIVE_MS,
        (Some(_), false) => LATER_MS,
        _ => SOON_MS,
    };
    let ring = open_ring(options, &device, timeout_ms)?;
    let (instructions, again) = filter.for_the_kernel(device.link);
    ring.filter(&instructions)?;
    if options.promiscuous && device.index != 0 {
        ring.promiscuous(device.index as i32)?;
    }
    if options.direction == Direction::In {
        ring.ignore_outgoing()?;
    }
    let signals = Signals::register()?;
    let sink = match &options.write {
        Some(path) => {
            Some(Sink::open(options, path, device.link, snap_length, device.name.bytes(), now_s())?)
        }
        None => None,
    };
    ring.listen(device.index as i32).map_err(|error| opening(&device.name, &error))?;
    if let Some(user) = &options.user {
        drop_privileges(user)?;
    }
    announce(options, guise, &device, snap_length);
    let owners = (wants_owners || filter.asks_processes())
        .then(|| {
            ProcRoot::open().map(|root| {
                Owners::new(root, options.expression.windows(6).any(|word| word == b"cgroup"))
            })
        })
        .transpose()?;
    let mut screen = Screen::new(printer(options), options);
    screen.printer().learn_interfaces(devices::names());
    let ask = again || filter.asks_processes();
    let mut run = Run {
        options,
        guise,
        device,
        filter,
        ask,
        owners,
        screen,
        sink,
        snap_length,
        tells_owners: wants_owners,
        captured: 0,
        received: 0,
        dropped: 0,
        told_dropped: 0,
        scratch: Vec::new(),
    };
    run.listen(ring, &signals, timeout_ms, program)
}

struct Run<'a> {
    options: &'a Options,
    guise: Guise,
    device: Device,
    filter: Filter,
    /// The kernel's answer is not the whole one.
    ask: bool,
    owners: Option<Owners>,
    tells_owners: bool,
    screen: Screen,
    sink: Option<Sink>,
    snap_length: u32,
    captured: u64,
    received: u64,
    dropped: u64,
    told_dropped: u64,
    scratch: Vec<u8>,
}

/// Whether to go on.
#[derive(PartialEq)]
enum Next {
    More,
    Stop,
}

impl Run<'_> {
    fn listen(
        &mut self,
        mut ring: PacketRing,
        signals: &Signals,
        timeout_ms: u32,
        program: &str,
    ) -> Result<Ending> {
        let (mut failure, mut broken) = (None, None);
        let mut next = Next::More;
        while next == Next::More && !signals.ended.load(Ordering::Relaxed) {
            if signals.asked.swap(false, Ordering::Relaxed) {
                self.count(&ring);
                say(&format!("{program}: {}", self.statistics(", ")));
            }
            if let Some(block) = ring.block() {
                match self.block(block.bytes()) {
                    Ok(told) => next = told,
                    // What came and was lost is told all the same.
                    Err(error) => {
                        broken = Some(error);
                        break;
                    }
                }
                continue;
            }
            self.idle(&ring)?;
            failure = wait(&ring, 250)?;
            if failure.is_some() {
                break;
            }
        }
        if next == Next::More && broken.is_none() {
            self.drain(&mut ring, timeout_ms)?;
        }
        self.count(&ring);
        if self.sink.is_none() && signals.ended.load(Ordering::Relaxed) {
            self.screen.line(b"\n")?;
        }
        let flushed = self.screen.flush();
        let losses = Statistics {
            at_ns: clock::wall_now_ns(),
            received: self.received,
            dropped: self.dropped,
        };
        let written = self.sink.as_mut().map_or(Ok(()), |sink| sink.finish(Some(losses)));
        if let Some(error) = &failure {
            say(&format!("{program}: pcap_loop: {error}"));
        }
        say(&self.statistics("\n"));
        broken.map_or(Ok(()), Err)?;
        flushed.and(written)?;
        Ok(Ending::AsCommand(i32::from(failure.is_some())))
    }

    /// What stands in the ring when it is over: nothing new comes in any more.
    fn drain(&mut self, ring: &mut PacketRing, timeout_ms: u32) -> Result<()> {
        let nothing = Instruction { code: 6, jump_true: 0, jump_false: 0, operand: 0 };
        ring.filter(&[nothing])?;
        loop {
            match ring.block() {
                Some(block) if self.block(block.bytes())? == Next::Stop => return Ok(()),
                Some(_) => continue,
                None => {}
            }
            let mut fds = [PollFd::from_borrowed_fd(ring.socket(), PollFlags::IN)];
            // A block that is not full is handed over after its time.
            let patience = span(i64::from(timeout_ms) * 2 + 20);
            match poll(&mut fds, Some(&patience)) {
                Ok(0) => return Ok(()),
                Ok(_) if fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR)) => {
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    fn idle(&mut self, ring: &PacketRing) -> Result<()> {
        self.screen.flush()?;
        if let Some(sink) = &mut self.sink {
            sink.flush()?;
        }
        if self.guise == Guise::Capture {
            self.count(ring);
            if self.dropped > self.told_dropped {
                say(&format!(
                    "{}: {} packets lost so far: raise -B, lower -s, or narrow the filter",
                    self.guise.program(),
                    self.dropped
                ));
                self.told_dropped = self.dropped;
            }
        }
        Ok(())
    }

    fn block(&mut self, bytes: &[u8]) -> Result<Next> {
        if let Some(owners) = &mut self.owners {
            owners.refresh();
        }
        for frame in block::frames(bytes) {
            if !self.is_wanted_way(&frame) {
                continue;
            }
            let mut scratch = std::mem::take(&mut self.scratch);
            let next = self.frame(&frame, &mut scratch);
            self.scratch = scratch;
            if next? == Next::Stop {
                return Ok(Next::Stop);
            }
        }
        if self.options.write.is_none() || self.options.print {
            self.screen.flush()?;
        }
        Ok(Next::More)
    }

    /// The loopback shows every packet twice: the one that went is passed over, as libpcap does.
    fn is_wanted_way(&self, frame: &Frame<'_>) -> bool {
        let out = frame.kind == OUTGOING;
        if out && frame.hardware == LOOPBACK {
            return false;
        }
        match self.options.direction {
            Direction::InOut => true,
            Direction::In => !out,
            Direction::Out => out,
        }
    }

    fn frame(&mut self, frame: &Frame<'_>, scratch: &mut Vec<u8>) -> Result<Next> {
        let link = self.device.link;
        let (bytes, longer) = frame.whole(link, scratch);
        let bytes = bytes.get(..bytes.len().min(self.snap_length as usize)).unwrap_or(bytes);
        let packet = Packet { time: frame.time, length: frame.length + longer, bytes, link };
        let way = match (frame.hardware, frame.kind) {
            (LOOPBACK, _) => Way::Within,
            (_, OUTGOING) => Way::Out,
            _ => Way::In,
        };
        let ends = self.owners.is_some().then(|| Ends::of(&packet)).flatten();
        let owner = match (&mut self.owners, ends) {
            (Some(owners), Some(ends)) => owners.of(ends, way),
            _ => None,
        };
        if self.ask && !self.filter.accepts(&packet, owner.as_deref()) {
            return Ok(Next::More);
        }
        self.captured += 1;
        let note = match &owner {
            _ if !self.tells_owners || ends.is_none() => "",
            Some(owner) => &owner.text,
            None => "unknown",
        };
        if let Some(sink) = &mut self.sink
            && sink.packet(&packet, note.as_bytes(), packet.time)? == Written::Enough
        {
            return Ok(Next::Stop);
        }
        if self.sink.is_none() || self.options.print {
            self.screen.packet(&packet, self.captured, note.as_bytes())?;
        }
        let full = self.options.count.is_some_and(|most| self.captured >= most);
        Ok(if full { Next::Stop } else { Next::More })
    }

    fn count(&mut self, ring: &PacketRing) {
        if let Ok(counts) = ring.counts() {
            self.received += u64::from(counts.received);
            self.dropped += u64::from(counts.dropped);
        }
    }

    fn statistics(&self, between: &str) -> String {
        let packets = |count: u64| {
            if count == 1 { "1 packet".to_owned() } else { format!("{count} packets") }
        };
        format!(
            "{} captured{between}{} received by filter{between}{} dropped by kernel",
            packets(self.captured),
            packets(self.received),
            packets(self.dropped)
        )
    }
}

/// How much is kept: what was asked for, else all for tcpdump and who wants to see bytes, else the headers.
fn snap_length(options: &Options, guise: Guise) -> u32 {
    let shows_bytes = options.dump().0 != Dump::Nothing;
    match options.snap_length {
        Some(0) => MOST_BYTES,
        Some(length) => length,
        None if guise == Guise::Tcpdump || shows_bytes => MOST_BYTES,
        None => HEADERS,
    }
}

fn open_ring(options: &Options, device: &Device, timeout_ms: u32) -> Result<PacketRing> {
    let kib = options.buffer_kib.unwrap_or(RING_KIB);
    let blocks = u32::try_from((kib * 1024).div_ceil(BLOCK.into())).unwrap_or(u32::MAX).max(2);
    PacketRing::new(device.layer, BLOCK, blocks, timeout_ms)
        .map_err(|error| opening(&device.name, &error))
}

fn opening(name: &Name, error: &io::Error) -> anyhow::Error {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::PERM | Errno::ACCESS) => anyhow!(
            "{name}: You don't have permission to perform this capture on that device\n(socket: Operation not permitted)\n  \
             run it with sudo, or give the program what it needs: setcap cap_net_raw,cap_sys_ptrace+ep FDSCOPE; \
             -r reads files without either"
        ),
        Some(Errno::NETDOWN) => anyhow!("{name}: That device is not up"),
        Some(Errno::NOMEM) => anyhow!("{name}: no memory for the ring; a smaller one is -B 4096"),
        _ => anyhow!("{name}: {error}"),
    }
}

/// Waits for packets; the socket's error if it has one.
fn wait(ring: &PacketRing, timeout_ms: i64) -> Result<Option<String>> {
    let mut fds = [PollFd::from_borrowed_fd(ring.socket(), PollFlags::IN)];
    match poll(&mut fds, Some(&span(timeout_ms))) {
        Err(Errno::INTR) => return Ok(None),
        other => other?,
    };
    let failed = fds
        .iter()
        .any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL));
    if !failed {
        return Ok(None);
    }
    Ok(ring.error().map(|error| match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NETDOWN) => "The interface disappeared or went down".to_owned(),
        _ => error.to_string(),
    }))
}

fn span(ms: i64) -> Timespec {
    Timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 }
}

fn now_s() -> i64 {
    (clock::wall_now_ns() / 1_000_000_000) as i64
}

/// Becomes the user of `-Z`, all being open.
fn drop_privileges(user: &OsStr) -> Result<()> {
    let name = Name::from(user.as_bytes());
    let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
    let found = passwd.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        if fields.next() != Some(user.as_bytes()) {
            return None;
        }
        let number = |field: Option<&[u8]>| std::str::from_utf8(field?).ok()?.parse().ok();
        Some((number(fields.nth(1))?, number(fields.next())?))
    });
    let (uid, gid) = found.ok_or_else(|| anyhow!("Couldn't find user '{name}'"))?;
    privileges::become_user(uid, gid)
        .map_err(|error| anyhow!("Couldn't change to '{name}' uid={uid} gid={gid}: {error}"))?;
    say(&format!("dropped privs to {name}"));
    Ok(())
}

fn announce(options: &Options, guise: Guise, device: &Device, snap_length: u32) {
    let program = guise.program();
    if device.link == LinkType::LINUX_SLL2 {
        say(&format!("{program}: data link type LINUX_SLL2"));
    }
    let begin = if options.verbose == 0 && options.write.is_none() {
        say(&format!(
            "{program}: verbose output suppressed, use -v[v]... for full protocol decode"
        ));
        String::new()
    } else {
        format!("{program}: ")
    };
    let link = link_words(device.link);
    let whole = if snap_length < MOST_BYTES && options.snap_length.is_none() {
        " (headers; -s 0 keeps all)"
    } else {
        ""
    };
    say(&format!(
        "{begin}listening on {}, link-type {link}, snapshot length {snap_length} bytes{whole}",
        device.name
    ));
}
