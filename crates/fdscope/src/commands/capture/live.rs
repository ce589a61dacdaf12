//! Packets of interfaces, as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use fdscope_bpf::SocketStates;
use fdscope_bpf::states::Told;
use fdscope_packet::Packet;
use fdscope_packet::ends::Ends;
use fdscope_packet::file::Statistics;
use fdscope_packet::link::LinkType;
use fdscope_proc::ProcRoot;
use fdscope_sys::clock;
use fdscope_sys::packet_ring::{Instruction, PacketRing};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

use super::block::{self, Frame, OUTGOING};
use super::devices::{self, Device, LOOPBACK};
use super::filter::Filter;
use super::late::{History, Waiting};
use super::lifecycle::Lifecycle;
use super::note::{self, Depth, UNKNOWN};
use super::opening::{announce, device, drop_privileges, open_ring, opening, snap_length};
use super::options::{Direction, Guise, Options};
use super::owners::{Known, Owners, Way};
use super::screen::Screen;
use super::sink::{Sink, Written};
use super::surveyor::Asked;
use super::watch::{Beside, Birth};
use super::whose::monotonic_ns;
use super::{printer, say};
use crate::ending::Ending;

/// How long the kernel may keep a block that is not full: what is printed must come soon, a file may wait.
const SOON_MS: u32 = 50;
/// Who asks for owners asks while they live.
const WHILE_ALIVE_MS: u32 = 10;
const LATER_MS: u32 = 200;
const AT_ONCE_MS: u32 = 1;
/// Without packets all else is looked after this often; more often while some wait to be known.
const IDLE_MS: i64 = 250;
const WAITING_MS: i64 = 20;

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
    if options.dump_program > 0 && options.interface.is_none() {
        let link = options.link.unwrap_or_else(|| {
            say("Warning: assuming Ethernet");
            LinkType::ETHERNET
        });
        Filter::new(options, guise, link, options.snap_length.unwrap_or(0))?.told(options)?;
        return Ok(Ending::Done);
    }
    let device = device(options)?;
    anyhow::ensure!(!options.monitor, "{}: That device doesn't support monitor mode", device.name);
    let snap_length = snap_length(options, guise);
    let filter = Filter::new(options, guise, device.link, snap_length)?;
    if filter.told(options)? {
        return Ok(Ending::Done);
    }
    let tells_owners = options.owners.unwrap_or(guise == Guise::Capture) || options.leaked;
    let timeout_ms = match (&options.write, options.print) {
        _ if options.immediate => AT_ONCE_MS,
        _ if tells_owners => WHILE_ALIVE_MS,
        (Some(_), false) => LATER_MS,
        _ => SOON_MS,
    };
    let ring = open_ring(options, &device, timeout_ms)?;
    let ask = set_up(&ring, options, &filter, &device)?;
    let signals = Signals::register()?;
    let beside = match options.watch.as_slice() {
        [] => None,
        targets => {
            let words = targets.iter().map(|target| target.to_string_lossy().into_owned());
            Some(Beside::begin(words.collect())?)
        }
    };
    let sink = match &options.write {
        Some(path) => {
            Some(Sink::open(options, path, device.link, snap_length, device.name.bytes(), now_s())?)
        }
        None => None,
    };
    let asks = tells_owners || filter.asks_processes() || beside.is_some() || options.lifecycle;
    let mut owners = asks.then(|| owners(options, guise, &filter)).transpose()?;
    ring.listen(device.index as i32).map_err(|error| opening(&device.name, &error))?;
    if let Some(user) = &options.user {
        // What finds owners is opened while it may be.
        if let Some(owners) = &mut owners {
            owners.survey_now();
        }
        drop_privileges(user)?;
    }
    announce(options, guise, &device, snap_length);
    let mut screen = Screen::new(printer(options), options);
    screen.printer().learn_interfaces(devices::names());
    let run = Run {
        options,
        guise,
        ask,
        owners,
        beside,
        lifecycle: options.lifecycle.then(Lifecycle::default),
        waiting: Waiting::default(),
        history: History::default(),
        device,
        filter,
        screen,
        sink,
        snap_length,
        tells_owners,
        now_ns: 0,
        clocks_apart_ns: clocks_apart_ns(),
        note: String::new(),
        captured: 0,
        over: false,
        received: 0,
        dropped: 0,
        told_dropped: 0,
        scratch: Vec::new(),
    };
    run.listen(ring, &signals, timeout_ms)
}

/// Tells the ring what is wanted, and says whether the kernel's answer is not the whole one.
fn set_up(ring: &PacketRing, options: &Options, filter: &Filter, device: &Device) -> Result<bool> {
    let (instructions, again) = filter.for_the_kernel(device.link);
    ring.filter(&instructions)?;
    if options.promiscuous && device.index != 0 {
        ring.promiscuous(device.index as i32)?;
    }
    if options.direction == Direction::In {
        ring.ignore_outgoing()?;
    }
    Ok(again || filter.asks_processes())
}

fn owners(options: &Options, guise: Guise, filter: &Filter) -> Result<Owners> {
    let asked = Asked {
        cgroups: filter.text().contains("cgroup"),
        holders: options.verbose > 0,
        silence: options.lifecycle,
    };
    let told = if options.lifecycle { Told::Every } else { Told::Doers };
    let states = SocketStates::open(told);
    if states.is_err() && guise == Guise::Capture {
        say(
            "fdscope capture: without eBPF (CAP_BPF and CAP_PERFMON), packets of processes that end at once may stay \
             unknown, and threads and changes of states are not told",
        );
    }
    let mut owners = Owners::new(ProcRoot::open()?, asked, states.ok())?;
    if options.lifecycle {
        owners.keep_changes();
    }
    Ok(owners)
}

pub(super) struct Run<'a> {
    pub(super) options: &'a Options,
    pub(super) guise: Guise,
    device: Device,
    pub(super) filter: Filter,
    /// The kernel's answer is not the whole one.
    pub(super) ask: bool,
    pub(super) owners: Option<Owners>,
    pub(super) beside: Option<Beside>,
    pub(super) lifecycle: Option<Lifecycle>,
    pub(super) waiting: Waiting,
    pub(super) history: History,
    pub(super) tells_owners: bool,
    screen: Screen,
    sink: Option<Sink>,
    snap_length: u32,
    /// When the block at hand was taken, on the monotonic clock.
    pub(super) now_ns: u64,
    /// How far the wall clock is ahead of the monotonic one.
    pub(super) clocks_apart_ns: u64,
    note: String,
    captured: u64,
    /// As many were told as were asked for.
    over: bool,
    received: u64,
    dropped: u64,
    told_dropped: u64,
    scratch: Vec<u8>,
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    More,
    Stop,
}

impl Run<'_> {
    fn listen(
        mut self,
        mut ring: PacketRing,
        signals: &Signals,
        timeout_ms: u32,
    ) -> Result<Ending> {
        let program = self.guise.program();
        let (mut failure, mut broken) = (None, None);
        let mut next = Next::More;
        while next == Next::More && !signals.ended.load(Ordering::Relaxed) {
            if signals.asked.swap(false, Ordering::Relaxed) {
                self.count(&ring);
                say(&format!("{program}: {}", self.statistics(", ")));
                self.tell_lifecycle(true)?;
                self.screen.flush()?;
            }
            let done = if ring.is_empty() {
                self.idle(&ring)
            } else {
                ring.block().map_or(Ok(Next::More), |block| self.block(block.bytes()))
            };
            match done {
                Ok(told) => next = told,
                // What came and was lost is told all the same.
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
            if ring.is_empty() && next == Next::More {
                let patience = if self.waiting.is_empty() { IDLE_MS } else { WAITING_MS };
                failure = wait(&ring, patience)?;
                if failure.is_some() {
                    break;
                }
            }
        }
        if next == Next::More && broken.is_none() {
            self.drain(&mut ring, timeout_ms)?;
        }
        let ended = signals.ended.load(Ordering::Relaxed);
        self.finish(&ring, ended, failure.as_deref(), broken)
    }

    /// Tells all that is left to be told.
    fn finish(
        mut self,
        ring: &PacketRing,
        ended: bool,
        failure: Option<&str>,
        broken: Option<anyhow::Error>,
    ) -> Result<Ending> {
        let program = self.guise.program();
        self.count(ring);
        let watched = self.end_watch();
        if let Some(owners) = self.owners.as_mut().filter(|_| self.lifecycle.is_some()) {
            owners.survey_now();
        }
        let told = self.tell_lifecycle(true);
        if self.sink.is_none() && ended {
            self.screen.line(b"\n")?;
        }
        let flushed = self.screen.flush();
        let losses = Statistics {
            at_ns: clock::wall_now_ns(),
            received: self.received,
            dropped: self.dropped,
        };
        let written = self.sink.as_mut().map_or(Ok(()), |sink| sink.finish(Some(losses)));
        if let Some(error) = failure {
            say(&format!("{program}: pcap_loop: {error}"));
        }
        say(&self.statistics("\n"));
        broken.map_or(Ok(()), Err)?;
        watched.and(told).and(flushed).and(written)?;
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
                Ok(0) => break,
                Ok(_) if fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR)) => break,
                _ => {}
            }
        }
        self.settle_all()
    }

    /// Between packets.
    fn idle(&mut self, ring: &PacketRing) -> Result<Next> {
        self.now_ns = clock::monotonic_now().0;
        // Without packets nobody needs to know owners, but for those that wait and for connections that nobody closes.
        if let Some(owners) = &mut self.owners
            && (!self.waiting.is_empty() || self.lifecycle.is_some())
        {
            owners.refresh(self.now_ns);
        }
        let next = self.settle()?;
        if next == Next::Stop || self.keep_watch()? == Next::Stop {
            return Ok(Next::Stop);
        }
        self.tell_changes(self.now_ns)?;
        self.tell_lifecycle(false)?;
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
        Ok(next)
    }

    fn block(&mut self, bytes: &[u8]) -> Result<Next> {
        if let Some(owners) = &mut self.owners {
            self.now_ns = clock::monotonic_now().0;
            owners.refresh(self.now_ns);
            self.clocks_apart_ns = clocks_apart_ns();
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
        if self.settle()? == Next::Stop || self.keep_watch()? == Next::Stop {
            return Ok(Next::Stop);
        }
        if self.waiting.is_empty() {
            self.tell_changes(self.now_ns)?;
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
        self.came(&packet, way)
    }

    /// Shows and writes a packet that is wanted, with what is known of whose it is.
    pub(super) fn tell(
        &mut self,
        packet: &Packet<'_>,
        ends: Option<(Ends, u8)>,
        known: Option<&Known>,
        birth: Option<&Birth>,
    ) -> Result<Next> {
        // What waits or was kept comes too late then.
        if self.over {
            return Ok(Next::Stop);
        }
        let is_shown = self.sink.is_none() || self.options.print;
        self.note.clear();
        if self.lifecycle.is_some() {
            self.tell_changes(monotonic_ns(packet.time, self.clocks_apart_ns))?;
        }
        // Files without comments need none.
        if self.tells_owners
            && ends.is_some()
            && (is_shown || self.sink.as_ref().is_some_and(Sink::takes_comments))
        {
            let sent_ns = monotonic_ns(packet.time, self.clocks_apart_ns);
            let is_deep = self.sink.is_some() || self.options.verbose > 0;
            let depth = if is_deep { Depth::Callers } else { Depth::Line };
            match known {
                Some(known) => note::write(&mut self.note, known, birth, sent_ns, depth),
                None => self.note.push_str(UNKNOWN),
            }
        }
        if let (Some(lifecycle), Some((ends, flags))) = (&mut self.lifecycle, ends) {
            lifecycle.see(ends, flags, packet.time);
        }
        if let Some(sink) = &mut self.sink
            && sink.packet(packet, self.note.as_bytes(), packet.time)? == Written::Enough
        {
            self.over = true;
            return Ok(Next::Stop);
        }
        self.captured += 1;
        if is_shown {
            self.screen.packet(packet, self.captured, self.note.as_bytes())?;
        }
        self.over = self.options.count.is_some_and(|most| self.captured >= most);
        Ok(if self.over { Next::Stop } else { Next::More })
    }

    /// A line that is no packet: among the packets where these are shown.
    pub(super) fn line(&mut self, line: &str) -> Result<()> {
        self.line_at(clock::wall_now_ns(), line)
    }

    /// The same of a moment, in ns since 1970.
    pub(super) fn line_at(&mut self, at_ns: u64, line: &str) -> Result<()> {
        if self.sink.is_some() && !self.options.print {
            say(line);
            return Ok(());
        }
        let mut whole = Vec::new();
        self.screen.printer().time(time_of(at_ns), &mut whole);
        whole.extend_from_slice(line.as_bytes());
        whole.push(b'\n');
        self.screen.line(&whole)
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

fn time_of(ns: u64) -> fdscope_packet::Time {
    let seconds = (ns / 1_000_000_000) as i64;
    fdscope_packet::Time { seconds, nanos: ns % 1_000_000_000 }
}

/// How far the wall clock is ahead of the monotonic one.
fn clocks_apart_ns() -> u64 {
    clock::wall_now_ns().saturating_sub(clock::monotonic_now().0)
}

fn now_s() -> i64 {
    time_of(clock::wall_now_ns()).seconds
}
