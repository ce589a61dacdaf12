//! What an engine tells, as strace's lines: who is in front, what is cut and taken up again, what is left out.
//!
//! Calls stand in [`crate::line`]; where bytes go and what only the machine knows is a [`Host`]'s business.

use std::collections::BTreeMap;
use std::rc::Rc;

use fdscope_model::{Monotonic, Pid, StackId, Tid};
use fdscope_syscall::Memory;
use fdscope_syscall::capture::When;
use fdscope_syscall::decode::{self, Names, Style, numbers};
use fdscope_syscall::traced::{Call, Ended, Happening, Traced};

use crate::line::{Entered, Finished, Sought, ended_word};
use crate::options::{Count, Options, Shape, Stamp, quiet, status};
use crate::summary::Summary;
use crate::time::write_fraction;
use crate::{dump, json};

/// What the writer needs of the machine.
pub trait Host {
    /// Takes a piece of a task's line. With a file for every task, it is that task's.
    fn put(&mut self, tid: Tid, bytes: &[u8]);
    /// Takes words for standard error, without the program's name and the line's end.
    fn say(&mut self, words: &[u8]);
    /// Nanoseconds since 1970 of a moment.
    fn wall_ns(&self, at: Monotonic) -> u64;
    /// Local time of a second since 1970.
    fn local(&self, second: u64, stamp: Stamp) -> Vec<u8>;
    /// A task's `comm`.
    fn comm(&self, tid: Tid) -> Vec<u8>;
    /// What numbers of a task stand for, before or after the call of which the engine tells this.
    fn names<'a>(&'a self, pid: Pid, tid: Tid, told: (&'a dyn Memory, When))
    -> Box<dyn Names + 'a>;
    /// A call returned: what is known of descriptors may not hold any more.
    fn returned(&mut self, pid: Pid, name: &str);
    /// The frames of a stack, a line each.
    fn frames(&mut self, pid: Pid, stack: StackId) -> Rc<[Vec<u8>]>;
}

/// A task.
#[derive(Default)]
struct Task {
    pid: Pid,
    /// The call it is in.
    entered: Option<Entered>,
    /// Where the pen stands in its line; 0 if no line is open.
    column: usize,
    /// The line must be begun again.
    reprint: bool,
    ip: Option<u64>,
    number: u64,
}

/// Writes lines.
pub struct Writer<'a> {
    options: &'a Options,
    /// Mostly few: a tree of them is quicker to ask than a table.
    tasks: BTreeMap<Tid, Task>,
    /// Whose line is open.
    printing: Option<Tid>,
    /// When the line before was begun.
    before: Option<Monotonic>,
    /// Counts of `-c`.
    pub summary: Summary,
    /// The same of each process, with its `comm`, if asked for.
    by_process: BTreeMap<Pid, (Vec<u8>, Summary)>,
    /// Calls written.
    pub calls: u64,
    /// Calls that an engine could not tell.
    pub lost: u64,
    lines: u64,
    scratch: Vec<u8>,
    /// The second that a stamp told last, and its text.
    second: (u64, Vec<u8>),
}

impl<'a> Writer<'a> {
    /// A writer for these options.
    pub fn new(options: &'a Options) -> Self {
        Writer {
            options,
            tasks: BTreeMap::new(),
            printing: None,
            before: None,
            summary: Summary::default(),
            by_process: BTreeMap::new(),
            calls: 0,
            lost: 0,
            lines: 0,
            scratch: Vec::new(),
            second: (u64::MAX, Vec::new()),
        }
    }

    /// A task that is traced from the beginning.
    pub fn expect(&mut self, pid: Pid, tid: Tid) {
        self.tasks.entry(tid).or_insert_with(|| Task { pid, ..Task::default() });
    }

    /// Writes what happened.
    pub fn saw(&mut self, told: &Traced<'_>, host: &mut dyn Host) {
        let (pid, tid) = (told.pid, told.tid);
        self.tasks.entry(tid).or_default().pid = pid;
        match told.what {
            Happening::Enter { call, memory, ip } => {
                self.remember(tid, &call, ip);
                self.enter(told, call, memory, host);
            }
            Happening::Exit { call, ip, .. } => {
                let ip = if ip == 0 { self.tasks[&tid].ip.unwrap_or(0) } else { ip };
                self.remember(tid, &call, ip);
                self.exit(told, host);
            }
            Happening::Signal { signal, siginfo } => self.signal(told, signal, siginfo, host),
            Happening::Stopped { signal } => {
                if self.shows_signal(signal) {
                    let words = format!("--- stopped by {} ---", decode::signal(signal));
                    self.remark(told, &words, host);
                }
            }
            Happening::Exited { status } => {
                self.end(told, &format!("+++ exited with {status} +++"), host);
            }
            Happening::Killed { signal, core } => {
                let core = if core { "(core dumped) " } else { "" };
                self.end(
                    told,
                    &format!("+++ killed by {} {core}+++", decode::signal(signal)),
                    host,
                );
            }
            Happening::Superseded { by } => self.superseded(told, by, host),
            Happening::Attached => {
                if !self.options.quiet.has(quiet::ATTACH) {
                    host.say(format!("Process {tid} attached").as_bytes());
                }
            }
            Happening::Detached => self.detached(told, host),
            Happening::Lost { count } => {
                self.lost += count;
                let words = match count {
                    0 => "+++ lost an unknown number of calls +++".to_owned(),
                    count => format!("+++ lost {count} calls +++"),
                };
                self.remark(told, &words, host);
            }
        }
    }

    fn remember(&mut self, tid: Tid, call: &Call, ip: u64) {
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.ip = Some(ip);
            task.number = call.number;
        }
    }

    fn counts_only(&self) -> bool {
        self.options.count == Count::Only
    }

    /// Lines that are whole when written: nothing is shown before a call is over.
    fn whole(&self) -> bool {
        let beyond = &self.options.beyond;
        !self.options.status.is_all()
            || beyond.errors.is_some()
            || beyond.least_ns.is_some()
            || !beyond.kinds.is_empty()
            || beyond.shape != Shape::Lines
    }

    fn style(&self, call: &Call) -> Style {
        let has = |set: &crate::set::CallSet| set.has(call.arch, call.number);
        Style {
            abbreviate: has(&self.options.abbreviate),
            dereference: has(&self.options.verbose),
            raw: has(&self.options.raw),
            ..self.options.style
        }
    }

    fn enter(&mut self, told: &Traced<'_>, call: Call, memory: &dyn Memory, host: &mut dyn Host) {
        let entered = self.entered(told, told.at, call, memory, host);
        let Some(mut entered) = entered else { return };
        if !entered.shown || self.counts_only() {
            return self.keep(told.tid, entered);
        }
        if self.whole() {
            return self.keep(told.tid, entered);
        }
        let text = std::mem::take(&mut entered.text);
        self.lead(told, told.at, host);
        self.put(told.tid, &text, host);
        entered.text = text;
        entered.begun = true;
        self.keep(told.tid, entered);
    }

    fn keep(&mut self, tid: Tid, entered: Entered) {
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.entered = Some(entered);
        }
    }

    /// The first half of a call; `None` if it is not traced.
    fn entered(
        &self,
        told: &Traced<'_>,
        at: Monotonic,
        call: Call,
        memory: &dyn Memory,
        host: &dyn Host,
    ) -> Option<Entered> {
        if !self.options.trace.has(call.arch, call.number) {
            return None;
        }
        let name = match decode::name(&call, memory) {
            Some(name) => name.to_owned(),
            None => format!("syscall_{:#x}", call.number),
        };
        let mut entered = Entered::new(call, name, at);
        if self.counts_only() && !self.options.chooses_by_handle() {
            return Some(entered);
        }
        let names = host.names(told.pid, told.tid, (memory, When::Enter));
        let sought = Sought::new(self.options, names.as_ref());
        entered.write(memory, &self.style(&call), &sought, self.options.beyond.secrets);
        entered.shown = sought.matches(&entered, memory);
        entered.of_kind = sought.is_of_kind();
        Some(entered)
    }

    fn exit(&mut self, told: &Traced<'_>, host: &mut dyn Host) {
        let Happening::Exit { call, entered, ended, memory, stack, system_ns, .. } = told.what
        else {
            return;
        };
        let kept = self.tasks.get_mut(&told.tid).and_then(|task| task.entered.take());
        let kept = kept.filter(|kept| kept.call.number == call.number);
        let first = match kept {
            Some(kept) => Some(kept),
            None => self.entered(told, entered.unwrap_or(told.at), call, memory, host),
        };
        if let Some(first) = &first {
            host.returned(told.pid, &first.name);
        }
        let Some(first) = first.filter(|first| first.shown) else { return };
        let Some(second) = self.finished(told, &first, host) else { return };
        if self.options.count != Count::No && ended != Ended::Unknown {
            self.count(told, &first, system_ns, host);
        }
        if self.counts_only() || !self.publishes(&first, told.at, ended) {
            return;
        }
        self.calls += 1;
        if self.options.beyond.shape == Shape::Json {
            return self.json_call(told, &first, &second, host);
        }
        self.take_up(told, &first, host);
        self.put(told.tid, &second.arguments, host);
        self.put(told.tid, b") ", host);
        self.pad(told.tid, host);
        self.put(told.tid, &second.result, host);
        if let (Some(digits), true) = (self.options.spent, ended != Ended::Unknown) {
            let ns = told.at.since_ns(first.at);
            let mut text = std::mem::take(&mut self.scratch);
            text.clear();
            text.extend_from_slice(b" <");
            numbers::decimal(&mut text, ns / 1_000_000_000);
            write_fraction(&mut text, ns, digits);
            text.push(b'>');
            self.put(told.tid, &text, host);
            self.scratch = text;
        }
        self.put(told.tid, b"\n", host);
        let mut dumped = std::mem::take(&mut self.scratch);
        dumped.clear();
        dump::write(&mut dumped, self.options, &first, ended, memory);
        self.put(told.tid, &dumped, host);
        self.scratch = dumped;
        self.line_over(told.tid);
        if let Some(stack) = stack.filter(|_| self.options.stacks) {
            let frames = host.frames(told.pid, stack);
            let mut text = std::mem::take(&mut self.scratch);
            text.clear();
            for frame in frames.iter().take(self.options.most_frames) {
                for piece in [b" > ", &frame[..], b"\n"] {
                    text.extend_from_slice(piece);
                }
            }
            host.put(told.tid, &text);
            self.scratch = text;
        }
    }

    /// The second half of a call; `None` if it is not of a kind that is asked for.
    fn finished(&self, told: &Traced<'_>, first: &Entered, host: &dyn Host) -> Option<Finished> {
        let Happening::Exit { call, ended, memory, .. } = told.what else { return None };
        let kinds = !self.options.beyond.kinds.is_empty();
        if self.counts_only() && !kinds {
            return Some(Finished::default());
        }
        let names = host.names(told.pid, told.tid, (memory, When::Exit));
        let sought = Sought::new(self.options, names.as_ref());
        let second = first.finish(ended, memory, &self.style(&call), &sought);
        (!kinds || first.of_kind || sought.is_of_kind()).then_some(second)
    }

    fn count(
        &mut self,
        told: &Traced<'_>,
        first: &Entered,
        system_ns: Option<u64>,
        host: &dyn Host,
    ) {
        let Happening::Exit { ended, .. } = told.what else { return };
        let wall = told.at.since_ns(first.at);
        let ns = if self.options.wall { wall } else { system_ns.unwrap_or(wall) };
        let overhead = self.options.overhead_ns.unwrap_or(0).max(0) as u64;
        let failed = matches!(ended, Ended::Failed(_));
        let of = (first.call.arch, first.call.number);
        let ns = ns.saturating_sub(overhead);
        self.summary.count(of, &first.name, failed, ns);
        if self.options.beyond.by_process {
            let (comm, summary) = self.by_process.entry(told.pid).or_default();
            // Another program has another name; of one that is gone by now none can be had.
            if comm.is_empty() || first.name.starts_with("execve") {
                let now = host.comm(Tid(told.pid.0));
                *comm = if now.is_empty() { std::mem::take(comm) } else { now };
            }
            summary.count(of, &first.name, failed, ns);
        }
    }

    /// The tables: of each process, if asked for, and of all.
    pub fn tables(&self, out: &mut Vec<u8>) {
        let Options { columns, sort, .. } = self.options;
        for (pid, (comm, summary)) in &self.by_process {
            out.extend_from_slice(format!("Process {pid}").as_bytes());
            if !comm.is_empty() {
                out.extend_from_slice(&[b" (", &comm[..], b")"].concat());
            }
            out.extend_from_slice(b":\n");
            summary.write(out, columns, *sort);
        }
        if !self.by_process.is_empty() {
            out.extend_from_slice(b"All processes:\n");
        }
        self.summary.write(out, columns, *sort);
    }

    /// Is a call with such an end to be written?
    fn publishes(&self, first: &Entered, at: Monotonic, ended: Ended) -> bool {
        let beyond = &self.options.beyond;
        let kind = match ended {
            Ended::Returned(_) => status::SUCCESSFUL,
            Ended::Failed(_) => status::FAILED,
            Ended::Unknown => status::UNFINISHED,
        };
        let errno = match ended {
            Ended::Failed(errno) => Some(u32::from(errno)),
            _ => None,
        };
        self.options.status.has(kind)
            && beyond.errors.as_ref().is_none_or(|set| errno.is_some_and(|errno| set.has(errno)))
            && beyond.least_ns.is_none_or(|least| at.since_ns(first.at) >= least)
    }

    /// Writes the first half if nothing of it stands there yet, or takes up a line that was cut.
    fn take_up(&mut self, told: &Traced<'_>, first: &Entered, host: &mut dyn Host) {
        let reprint =
            self.tasks.get_mut(&told.tid).is_some_and(|task| std::mem::take(&mut task.reprint));
        if !first.begun {
            self.lead(told, first.at, host);
            return self.put(told.tid, &first.text, host);
        }
        if reprint || !self.options.separately && self.printing != Some(told.tid) {
            self.lead(told, told.at, host);
            let words = format!("<... {} resumed>", first.name);
            self.put(told.tid, words.as_bytes(), host);
        }
        self.printing = Some(told.tid);
    }

    fn json_call(
        &mut self,
        told: &Traced<'_>,
        first: &Entered,
        second: &Finished,
        host: &mut dyn Host,
    ) {
        let Happening::Exit { ended, stack, ip, .. } = told.what else { return };
        let frames = stack.map(|stack| host.frames(told.pid, stack));
        let facts = json::CallFacts {
            told,
            first,
            second,
            ended,
            ip: self.options.ip.then_some(ip),
            frames: frames.as_deref(),
            wall_ns: host.wall_ns(first.at),
        };
        let line = json::call(&facts);
        host.put(told.tid, &line);
    }

    fn shows_signal(&self, signal: u32) -> bool {
        !self.counts_only() && self.options.signals.has(signal)
    }

    fn signal(&mut self, told: &Traced<'_>, signal: u32, info: &[u8], host: &mut dyn Host) {
        if !self.shows_signal(signal) {
            return;
        }
        let mut words = format!("--- {} ", decode::signal(signal)).into_bytes();
        decode::siginfo(info, &self.options.style, &decode::NoNames, &mut words);
        words.extend_from_slice(b" ---");
        self.remark(told, &String::from_utf8_lossy(&words), host);
    }

    /// A line that is not about a call.
    fn remark(&mut self, told: &Traced<'_>, words: &str, host: &mut dyn Host) {
        if self.counts_only() {
            return;
        }
        if self.options.beyond.shape == Shape::Json {
            let wall_ns = host.wall_ns(told.at);
            return host.put(told.tid, &json::remark(told, words, wall_ns));
        }
        self.lead(told, told.at, host);
        self.put(told.tid, words.as_bytes(), host);
        self.put(told.tid, b"\n", host);
        self.line_over(told.tid);
    }

    fn end(&mut self, told: &Traced<'_>, words: &str, host: &mut dyn Host) {
        if !self.options.quiet.has(quiet::EXIT) {
            self.remark(told, words, host);
        }
        self.drop_task(told, host);
    }

    /// A task is traced no more: a line of its that is open is closed.
    fn drop_task(&mut self, told: &Traced<'_>, host: &mut dyn Host) {
        let Some(task) = self.tasks.get(&told.tid) else { return };
        if task.column > 0 && (self.options.separately || self.printing == Some(told.tid)) {
            let words = b" <detached ...>\n";
            host.put(told.tid, words);
            self.line_over(told.tid);
        } else if let Some(first) = &task.entered
            && !first.begun
            && first.shown
            && !self.counts_only()
            && self.options.beyond.shape != Shape::Json
            && self.options.status.has(ended_word(&told.what))
        {
            let text = first.text.clone();
            self.lead(told, told.at, host);
            self.put(told.tid, &text, host);
            let words: &[u8] = match told.what {
                Happening::Detached => b" <detached ...>\n",
                _ => b" <unfinished ...>\n",
            };
            self.put(told.tid, words, host);
            self.line_over(told.tid);
        }
        self.tasks.remove(&told.tid);
    }

    fn detached(&mut self, told: &Traced<'_>, host: &mut dyn Host) {
        if !self.options.quiet.has(quiet::ATTACH) {
            host.say(format!("Process {} detached", told.tid).as_bytes());
        }
        self.drop_task(told, host);
    }

    /// A thread called exec and goes on under its leader's number.
    fn superseded(&mut self, told: &Traced<'_>, former: Tid, host: &mut dyn Host) {
        let leader = self.tasks.remove(&told.tid);
        let mut task = self.tasks.remove(&former).unwrap_or_default();
        if task.column > 0 {
            let words = format!(" <pid changed to {} ...>\n", told.tid);
            host.put(former, words.as_bytes());
            if self.printing == Some(former) {
                self.printing = None;
            }
        }
        if leader.is_some_and(|leader| leader.column > 0) {
            host.put(told.tid, b" <detached ...>\n");
            self.printing = self.printing.filter(|tid| *tid != told.tid);
        }
        task.column = 0;
        task.pid = told.pid;
        task.reprint = !self.options.quiet.has(quiet::EXECVE);
        let reprint = task.reprint;
        self.tasks.insert(told.tid, task);
        if reprint {
            self.remark(told, &format!("+++ superseded by execve in pid {former} +++"), host);
        }
    }

    /// Begins a line; cuts the one that is open.
    fn lead(&mut self, told: &Traced<'_>, at: Monotonic, host: &mut dyn Host) {
        if self.options.separately {
            self.printing = Some(told.tid);
        }
        if let Some(other) = self.printing
            && self.tasks.get(&other).is_some_and(|task| task.column > 0)
        {
            host.put(other, b" <unfinished ...>\n");
            if let Some(task) = self.tasks.get_mut(&other) {
                task.column = 0;
            }
        }
        self.printing = Some(told.tid);
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        self.write_task(&mut text, told, host);
        self.write_stamps(&mut text, at, host);
        self.write_place(&mut text, told.tid);
        if let Some(task) = self.tasks.get_mut(&told.tid) {
            task.column = 0;
        }
        self.put(told.tid, &text, host);
        self.scratch = text;
    }

    fn write_task(&mut self, text: &mut Vec<u8>, told: &Traced<'_>, host: &dyn Host) {
        self.lines += 1;
        if self.options.beyond.shape == Shape::Whole {
            text.extend_from_slice(format!("#{} ", self.lines).as_bytes());
        }
        let filed = self.options.output.is_some();
        let many = self.tasks.len() > 1 || self.options.always_pid;
        let comm = match self.options.pid_names {
            true => [b"<", &host.comm(told.tid)[..], b">"].concat(),
            false => Vec::new(),
        };
        if filed && (self.options.follow || self.options.always_pid) && !self.options.separately {
            let before = text.len();
            numbers::decimal(text, told.tid.0.into());
            if comm.is_empty() {
                text.resize(text.len().max(before + 5), b' ');
            }
            text.extend_from_slice(&comm);
            text.push(b' ');
        } else if many && !filed {
            text.extend_from_slice(format!("[pid {:>5}", told.tid.0).as_bytes());
            text.extend_from_slice(&comm);
            text.extend_from_slice(b"] ");
        }
    }

    fn write_stamps(&mut self, text: &mut Vec<u8>, at: Monotonic, host: &dyn Host) {
        if let Some((stamp, digits)) = self.options.stamp {
            let ns = host.wall_ns(at);
            let second = ns / 1_000_000_000;
            match stamp {
                Stamp::Unix => text.extend_from_slice(second.to_string().as_bytes()),
                _ => {
                    if self.second.0 != second {
                        self.second = (second, host.local(second, stamp));
                    }
                    text.extend_from_slice(&self.second.1);
                }
            }
            write_fraction(text, ns, digits);
            text.push(b' ');
        }
        if let Some(digits) = self.options.relative {
            let ns = at.since_ns(*self.before.get_or_insert(at));
            self.before = Some(at);
            let stamped = self.options.stamp.is_some();
            if stamped {
                text.extend_from_slice(b"(+");
            }
            text.extend_from_slice(format!("{:>6}", ns / 1_000_000_000).as_bytes());
            write_fraction(text, ns, digits);
            text.extend_from_slice(if stamped { b") " } else { b" " });
        }
    }

    fn write_place(&self, text: &mut Vec<u8>, tid: Tid) {
        let Some(task) = self.tasks.get(&tid) else { return };
        if self.options.numbers {
            text.extend_from_slice(format!("[{:>4}] ", task.number).as_bytes());
        }
        if self.options.ip {
            match task.ip.filter(|_| task.entered.is_some() || task.column == 0) {
                Some(ip) => text.extend_from_slice(format!("[{ip:016x}] ").as_bytes()),
                None => text.extend_from_slice(b"[????????????????] "),
            }
        }
    }

    fn put(&mut self, tid: Tid, bytes: &[u8], host: &mut dyn Host) {
        if bytes.is_empty() {
            return;
        }
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.column += bytes.len();
        }
        host.put(tid, bytes);
    }

    /// Blanks up to the column of results.
    fn pad(&mut self, tid: Tid, host: &mut dyn Host) {
        let at = self.tasks.get(&tid).map_or(0, |task| task.column);
        if at < self.options.column {
            self.put(tid, &vec![b' '; self.options.column - at], host);
        }
        self.put(tid, b"= ", host);
    }

    fn line_over(&mut self, tid: Tid) {
        if let Some(task) = self.tasks.get_mut(&tid) {
            task.column = 0;
        }
        self.printing = None;
    }
}
