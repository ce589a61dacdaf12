//! The leak watch beside a capture: where the sockets of some processes were opened, and which of these places leak.
//!
//! It runs in a thread of its own, so that no packet waits for it, and hands over a [`Book`] whenever that changed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Result, anyhow};
use clap::Parser;
use fdscope_analyze::Names;
use fdscope_model::stack::Frame;
use fdscope_model::{
    FdNumber, HandleKind, Level, Monotonic, Name, Pid, StackId, Symbolizer, Verdict,
};
use fdscope_proc::ProcRoot;
use fdscope_render::units::duration_s;
use fdscope_stack::{StackOptions, Stacks};
use fdscope_sys::clock::monotonic_now;

use super::surveyor::Owner;
use crate::args::{Arguments, Command, Leak};
use crate::commands::leak::{check_readable, is_compat};
use crate::live::source::{Live, Opened, Wanted, open};
use crate::live::watch::{self, Until, Watch};
use crate::target;

/// The book is made anew no more often than this, nor may it take more than a tenth of the time.
const BOOK_EVERY_NS: u64 = 50_000_000;
const JUDGE_EVERY_NS: u64 = 1_000_000_000;
const SHARE: u64 = 10;
/// A socket that is gone stays in the book for so long: its last packets come late.
const LINGER_NS: u64 = 10_000_000_000;

/// What a line of a note begins with that names a caller.
pub const CALLED_BY: &str = "  called by ";
/// More callers are not told.
const MOST_CALLERS: usize = 32;

/// Where and when a socket was opened.
#[derive(Clone, Debug)]
pub struct Birth {
    born: Monotonic,
    /// The place in words: `connect_upstream (conn.c:42)`.
    pub site: Arc<str>,
    /// Who called that place, each behind a newline and [`CALLED_BY`].
    pub callers: Arc<str>,
    /// It was seen to be opened.
    is_seen: bool,
    /// The thread that opened it, if it is not the process's first.
    thread: Option<Arc<str>>,
    level: Option<Level>,
    /// It must be older than this to count: the others of its place are closed by then.
    overdue_ns: u64,
    gone: Option<Monotonic>,
}

impl Birth {
    /// When it was opened, if that was seen.
    pub fn born(&self) -> Option<Monotonic> {
        self.is_seen.then_some(self.born)
    }

    /// How sure it is that sockets opened at its place leak; none below `Suspect`.
    pub fn finding(&self, now: Monotonic) -> Option<Level> {
        self.level.filter(|_| now.since_ns(self.born) >= self.overdue_ns)
    }

    /// What is said of it behind a packet.
    pub fn note(&self, now: Monotonic) -> String {
        let word = match self.finding(now) {
            Some(Level::Leak) => "leak, opened at ",
            Some(_) => "suspect, opened at ",
            None if self.site.starts_with("before ") => "opened ",
            None => "opened at ",
        };
        let thread = self.thread.as_ref().map_or_else(String::new, |name| format!(" by {name}"));
        format!("{word}{}{thread}", self.site)
    }
}

type Key = (Pid, FdNumber, u64);

/// What is known of the sockets of the watched processes.
#[derive(Default, Debug)]
pub struct Book {
    births: HashMap<Key, Birth>,
    pids: Vec<Pid>,
}

impl Book {
    /// The birth of the socket that an owner holds.
    pub fn birth(&self, owner: &Owner) -> Option<&Birth> {
        owner.holders().iter().find_map(|end| {
            let of = |inode| self.births.get(&(end.pid, end.fd, inode));
            of(owner.inode()).or_else(|| of(0))
        })
    }
}

/// What both threads know.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    ended: AtomicBool,
    edition: AtomicU64,
    book: Mutex<Arc<Book>>,
    news: Mutex<Vec<String>>,
}

/// The watch, seen from the capture.
pub struct Beside {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
    book: Arc<Book>,
    edition: u64,
}

impl Beside {
    /// Begins to watch the processes of these numbers or names, and waits until that has begun.
    ///
    /// # Errors
    /// If there are none, or they may not be watched.
    pub fn begin(targets: Vec<String>) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (ready, begun) = channel();
        let theirs = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("leak watch".to_owned()).spawn(move || {
                let done = watch(targets, &theirs, &ready);
                theirs.ended.store(true, Ordering::Release);
                done
            })?;
        let mut beside = Beside { shared, thread: Some(thread), book: Arc::default(), edition: 0 };
        if begun.recv().is_err() {
            // It ended before it began: why is told by its thread.
            beside.finish()?;
            return Err(anyhow!("the watch ended before it began"));
        }
        Ok(beside)
    }

    /// The book as it is now, and whether it is another one than at the last call.
    pub fn refresh(&mut self) -> bool {
        let edition = self.shared.edition.load(Ordering::Acquire);
        if edition == self.edition {
            return false;
        }
        self.edition = edition;
        self.book = Arc::clone(&self.shared.book.lock().unwrap_or_else(PoisonError::into_inner));
        true
    }

    /// True if a watched process holds the socket, whatever the book says of it by now.
    pub fn watches(&self, owner: &Owner) -> bool {
        owner.holders().iter().any(|end| self.book.pids.contains(&end.pid))
    }

    /// The book as it was at the last refresh.
    pub fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// What is to be told since the last call.
    pub fn news(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// True if all that was watched is gone, or the watch broke.
    pub fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }

    /// Ends the watch.
    ///
    /// # Errors
    /// If it broke.
    pub fn finish(&mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(anyhow!("the watch broke")))
    }
}

/// `fdscope leak`'s arguments for these targets.
fn arguments(targets: Vec<String>) -> Result<Leak> {
    let words = ["fdscope", "leak", "--quiet"].map(str::to_owned).into_iter().chain(targets);
    match Arguments::try_parse_from(words).map(|arguments| arguments.command) {
        Ok(Some(Command::Leak(leak))) => Ok(leak),
        _ => Err(anyhow!("no process's number or name")),
    }
}

/// The thread.
fn watch(targets: Vec<String>, shared: &Shared, ready: &Sender<()>) -> Result<()> {
    let leak = arguments(targets)?;
    let proc = ProcRoot::open()?;
    let processes = target::resolve(&proc, &leak.targets)?;
    check_readable(&proc, &processes)?;
    let pids: Vec<Pid> = processes.iter().map(|process| process.id.pid).collect();
    let compat = pids.iter().any(|&pid| is_compat(pid));
    let Opened { live, fallbacks, .. } = open(&proc, &Wanted { leak: &leak, pids: &pids, compat })?;
    let stacks = Stacks::new(StackOptions::from_environment(|name| std::env::var_os(name)));
    let mut watch = Watch::begin(
        live,
        proc,
        stacks,
        &processes,
        leak.interval,
        false,
        watch::Beside::default(),
    )?;
    let source = watch.live.sight().source.word();
    let mut news: Vec<String> = fallbacks.into_iter().map(|blind| blind.why).collect();
    news.push(format!("watching {} by {source}", who(&pids)));
    shared.tell(news);
    let mut clerk = Clerk::default();
    clerk.look(&mut watch, shared);
    // Nobody who does not wait any more needs to know.
    let _gone = ready.send(());
    let until = Until { deadline: None, interrupted: &shared.stop };
    watch.run(&until, &mut |watch| {
        clerk.look(watch, shared);
        Ok(true)
    })?;
    if !shared.stop.load(Ordering::Relaxed) {
        shared.tell(vec!["what was watched has ended".to_owned()]);
    }
    watch.end()?;
    clerk.looked = Monotonic(0);
    clerk.look(&mut watch, shared);
    if matches!(watch.live, Live::Bpf(..)) {
        // The child that it makes runs no code that another thread could hold a lock of.
        fdscope_sys::linger::release_behind();
    }
    Ok(())
}

fn who(pids: &[Pid]) -> String {
    match pids {
        [one] => format!("process {one}"),
        many => format!("{} processes", many.len()),
    }
}

impl Shared {
    fn tell(&self, news: Vec<String>) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).extend(news);
    }
}

/// The line of code that makes handles, as the ledger tells sites apart; none where no stack was seen.
type Place = Option<(Option<String>, Name, u64)>;

/// A place, and its words.
#[derive(Clone)]
struct Site {
    place: Place,
    words: Arc<str>,
    callers: Arc<str>,
}

/// Makes the book.
#[derive(Default)]
struct Clerk {
    births: HashMap<Key, Birth>,
    sites: HashMap<StackId, Site>,
    threads: HashMap<(Pid, u32), Arc<str>>,
    /// What the last judgement said of a process's places, and the age from which that holds.
    levels: HashMap<(Pid, Place), (Level, u64)>,
    looked: Monotonic,
    look_ns: u64,
    judged: Monotonic,
    judge_ns: u64,
    events: u64,
}

impl Clerk {
    fn look(&mut self, watch: &mut Watch, shared: &Shared) {
        let began = monotonic_now();
        let since = |then: Monotonic, every: u64, cost: u64| {
            began.since_ns(then) >= every.max(cost.saturating_mul(SHARE))
        };
        if !since(self.looked, BOOK_EVERY_NS, self.look_ns) {
            return;
        }
        let judges = since(self.judged, JUDGE_EVERY_NS, self.judge_ns);
        if judges {
            self.judge(watch, shared, began);
        }
        if judges || watch.ledger.events() != self.events {
            self.events = watch.ledger.events();
            self.write(watch, began);
            let book = Arc::new(Book { births: self.births.clone(), pids: watch.ledger.pids() });
            *shared.book.lock().unwrap_or_else(PoisonError::into_inner) = book;
            shared.edition.fetch_add(1, Ordering::Release);
        }
        self.looked = monotonic_now();
        self.look_ns = self.looked.since_ns(began);
    }

    fn judge(&mut self, watch: &mut Watch, shared: &Shared, began: Monotonic) {
        // Names are for examples, which nobody shows here; asking for those of sockets reads whole tables.
        let names = Names { handle: &|_, _| None, thread: &|_, _| None };
        let judgement = watch.ledger.judge(began, &mut watch.stacks, names);
        let before = std::mem::take(&mut self.levels);
        let mut news = Vec::new();
        for verdict in judgement.verdicts.iter().filter(|verdict| is_of_sockets(verdict)) {
            let site = site(verdict.site.at, &verdict.site.frames);
            let key = (verdict.pid, site.place);
            let known = before.get(&key).map(|found| found.0);
            if known.is_none_or(|known| known < verdict.level) {
                news.push(sentence(verdict, &site.words));
            }
            self.levels.insert(key, (verdict.level, overdue_ns(verdict)));
        }
        shared.tell(news);
        self.judged = monotonic_now();
        self.judge_ns = self.judged.since_ns(began);
    }

    /// Writes every socket down, and keeps those that went lately.
    fn write(&mut self, watch: &mut Watch, now: Monotonic) {
        let before = std::mem::take(&mut self.births);
        for pid in watch.ledger.pids() {
            for handle in watch.ledger.live(pid) {
                if !matches!(handle.kind, HandleKind::Socket | HandleKind::UnknownDescriptor) {
                    continue;
                }
                let site = self.site(watch, handle.stack, handle.birth_seen);
                let found = handle.birth_seen.then(|| self.levels.get(&(pid, site.place.clone())));
                let found = found.flatten().filter(|(level, _)| *level >= Level::Suspect);
                let (level, overdue_ns) =
                    found.map_or((None, 0), |(level, age)| (Some(*level), *age));
                let thread = self.thread(watch, pid, handle.tid.0);
                let key = (pid, handle.fd, handle.inode.map_or(0, |inode| inode.inode));
                let birth = Birth {
                    born: handle.born,
                    site: site.words,
                    callers: site.callers,
                    is_seen: handle.birth_seen,
                    thread,
                    level,
                    overdue_ns,
                    gone: None,
                };
                self.births.insert(key, birth);
            }
        }
        for (key, mut birth) in before {
            let gone = *birth.gone.get_or_insert(now);
            if now.since_ns(gone) < LINGER_NS {
                self.births.entry(key).or_insert(birth);
            }
        }
    }

    fn site(&mut self, watch: &mut Watch, stack: Option<StackId>, seen: bool) -> Site {
        let Some(stack) = stack else {
            let words = if seen { "a place not seen" } else { "before the watch" };
            return Site { place: None, words: words.into(), callers: "".into() };
        };
        let named = || {
            let symbolized = watch.stacks.symbolize(stack);
            site(symbolized.at, &symbolized.frames)
        };
        self.sites.entry(stack).or_insert_with(named).clone()
    }

    fn thread(&mut self, watch: &Watch, pid: Pid, tid: u32) -> Option<Arc<str>> {
        if tid == 0 || tid == pid.0 {
            return None;
        }
        let named = || {
            let name = watch.names.thread(pid, fdscope_model::Tid(tid));
            match name {
                Some(name) => format!("thread {tid} ({name})").into(),
                None => format!("thread {tid}").into(),
            }
        };
        Some(self.threads.entry((pid, tid)).or_insert_with(named).clone())
    }
}

/// True for what is said of sockets that are not healthy.
fn is_of_sockets(verdict: &Verdict) -> bool {
    let kinds = [HandleKind::Socket, HandleKind::UnknownDescriptor];
    let growing = verdict.level > Level::TooSoon || verdict.rate.is_some();
    verdict.level >= Level::TooSoon && growing && kinds.contains(&verdict.kind)
}

/// From which age a handle of a place counts: where most are closed, only those that outlived them leak.
fn overdue_ns(verdict: &Verdict) -> u64 {
    if verdict.rule == "hazard-break" { verdict.lifetimes.p999_ns.unwrap_or(0) * 3 } else { 0 }
}

fn sentence(verdict: &Verdict, words: &str) -> String {
    let word = verdict.level.word();
    let open = verdict.live.saturating_sub(verdict.existing);
    let (comm, pid) = (&verdict.comm, verdict.pid);
    let sockets = if open == 1 { "socket" } else { "sockets" };
    let when = match verdict.known_in_s {
        Some(seconds) if verdict.level == Level::TooSoon => {
            format!("; whether they leak is known in {}", duration_s(seconds.ceil()))
        }
        _ => String::new(),
    };
    format!("{word}: {comm}[{pid}] opened {open} {sockets} at {words} and did not close them{when}")
}

/// The frame that a person would look at, in the ledger's terms and in words, and those that called it.
fn site(at: Option<usize>, frames: &[Frame]) -> Site {
    let at = at.filter(|at| *at < frames.len()).unwrap_or(0);
    let Some(frame) = frames.get(at) else {
        return Site { place: None, words: "a place not seen".into(), callers: "".into() };
    };
    let place = Some((frame.symbol.function.clone(), frame.module.clone(), frame.offset));
    let callers = frames.iter().skip(at + 1).take(MOST_CALLERS);
    let callers: String = callers.map(|frame| format!("\n{CALLED_BY}{}", words(frame))).collect();
    Site { place, words: words(frame).into(), callers: callers.into() }
}

/// `connect_upstream (conn.c:42)`.
fn words(frame: &Frame) -> String {
    let symbol = &frame.symbol;
    let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let module = || format!("{}+{:#x}", last(&frame.module.to_string()), frame.offset);
    let line = match (&symbol.file, symbol.line) {
        (Some(file), Some(line)) => Some(format!("{}:{line}", last(file))),
        (Some(file), None) => Some(last(file)),
        _ => None,
    };
    let words = match (&symbol.function, line) {
        (Some(function), Some(line)) => format!("{function} ({line})"),
        (Some(function), None) => format!("{function} ({})", module()),
        (None, Some(line)) => line,
        (None, None) => module(),
    };
    // Names of symbols are whatever a program's file says.
    Name::from(words.as_str()).to_string()
}
