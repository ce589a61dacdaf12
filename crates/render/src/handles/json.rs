//! The columns of handles that are more than one value: lists and objects of JSON.

use fdscope_model::inventory::{End, EpollTarget, FanotifyMark, InotifyWatch, Lock};
use fdscope_model::name::escape;
use fdscope_model::{Facts, Name};
use serde::Serialize;

use super::row::HandleRow;
use super::vocabulary::access_word;
use super::words;
use crate::column::write_json as write;

/// Arguments as a list.
pub(super) fn cmdline(row: &HandleRow, out: &mut Vec<u8>) {
    write(&crate::json::arguments(row.holder.process.cmdline.bytes()), out);
}

pub(super) fn ports(row: &HandleRow, out: &mut Vec<u8>) {
    write(&row.ports().into_iter().flatten().collect::<Vec<u16>>(), out);
}

pub(super) fn ends(row: &HandleRow, out: &mut Vec<u8>) {
    write(&row.entry.ends().iter().map(EndForm::of).collect::<Vec<_>>(), out);
}

pub(super) fn end_pids(row: &HandleRow, out: &mut Vec<u8>) {
    write(&row.entry.ends().iter().map(|end| end.pid.0).collect::<Vec<_>>(), out);
}

pub(super) fn locks(row: &HandleRow, out: &mut Vec<u8>) {
    write(&row.entry.locks.iter().map(LockForm::of).collect::<Vec<_>>(), out);
}

pub(super) fn timer(row: &HandleRow, out: &mut Vec<u8>) {
    let timer = row.socket().and_then(|socket| socket.timer);
    let form = timer.map(|timer| TimerForm {
        timer: timer_word(timer.class),
        remaining_ns: timer.remaining_ns,
        retries: timer.retries,
    });
    write(&form, out);
}

pub(super) fn facts(row: &HandleRow, out: &mut Vec<u8>) {
    write(&facts_form(&row.entry.facts), out);
}

/// The kernel's number of a socket's timer (net/ipv4/inet_diag.c) as a word.
pub(super) fn timer_word(class: u8) -> &'static str {
    match class {
        1 => "retransmission",
        2 => "keepalive",
        3 => "time-wait",
        4 => "zero-window-probe",
        5 => "delayed-ack",
        _ => "timer",
    }
}

#[derive(Serialize)]
struct EndForm {
    pid: u32,
    comm: String,
    fd: u32,
    access: Option<&'static str>,
}

impl EndForm {
    fn of(end: &End) -> Self {
        let access = end.access.map(access_word);
        EndForm { pid: end.pid.0, comm: text(&end.comm), fd: end.fd.0, access }
    }
}

#[derive(Serialize)]
struct LockForm {
    class: String,
    mode: String,
    access: &'static str,
    start_bytes: u64,
    end_bytes: Option<u64>,
}

impl LockForm {
    fn of(lock: &Lock) -> Self {
        LockForm {
            class: text(&lock.class),
            mode: text(&lock.mode),
            access: access_word(lock.access),
            start_bytes: lock.start,
            end_bytes: lock.end,
        }
    }
}

#[derive(Serialize)]
struct TimerForm {
    timer: &'static str,
    remaining_ns: u64,
    retries: u32,
}

/// What a kind tells; `of` says which kind of facts it is.
#[derive(Serialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
enum FactsForm {
    Terminal { index: Option<u32> },
    Eventfd { count: u64, id: Option<u64>, semaphore: Option<bool> },
    Timerfd { clock: String, ticks: u64, remaining_ns: u64, interval_ns: u64 },
    Signalfd { signals: Vec<String> },
    Epoll { targets: Vec<TargetForm> },
    Inotify { watches: Vec<WatchForm> },
    Fanotify { marks: Vec<MarkForm> },
    Pidfd { pid: Option<u32>, comm: Option<String> },
    Memfd { seals: Vec<String> },
    DmaBuf { size_bytes: u64, references: u64, exporter: Option<String>, name: Option<String> },
    IoUring { files: Vec<SlotForm>, buffers: u64 },
    Bpf { object: &'static str, id: Option<u32>, class: Option<String>, name: Option<String> },
    Namespace { class: String, inode: u64 },
    Tun { interface: Option<String> },
    Other { lines: Vec<[String; 2]> },
}

#[derive(Serialize)]
struct TargetForm {
    fd: u32,
    events: Vec<String>,
    inode: Option<u64>,
    name: Option<String>,
}

#[derive(Serialize)]
struct WatchForm {
    wd: u32,
    inode: u64,
    device: String,
    events: Vec<String>,
    path: Option<String>,
}

#[derive(Serialize)]
struct MarkForm {
    on: &'static str,
    inode: Option<u64>,
    device: Option<String>,
    mount_id: Option<u32>,
    events: Vec<String>,
}

#[derive(Serialize)]
struct SlotForm {
    slot: u32,
    name: Option<String>,
}

/// `None` where there is nothing to tell, and for what columns of their own tell: sockets, and ends of pipes.
fn facts_form(facts: &Facts) -> Option<FactsForm> {
    Some(match facts {
        Facts::Nothing | Facts::Socket(_) | Facts::Pipe { .. } => return None,
        Facts::Terminal { index, .. } => FactsForm::Terminal { index: *index },
        Facts::EventFd { count, id, semaphore, .. } => {
            FactsForm::Eventfd { count: *count, id: *id, semaphore: *semaphore }
        }
        Facts::TimerFd { clock, ticks, remaining_ns, interval_ns } => FactsForm::Timerfd {
            clock: super::masks::clock(*clock),
            ticks: *ticks,
            remaining_ns: *remaining_ns,
            interval_ns: *interval_ns,
        },
        Facts::SignalFd { mask } => FactsForm::Signalfd { signals: super::masks::signals(*mask) },
        Facts::Epoll { targets } => FactsForm::Epoll { targets: each(targets, target) },
        Facts::Inotify { watches } => FactsForm::Inotify { watches: each(watches, watch) },
        Facts::Fanotify { marks } => FactsForm::Fanotify { marks: each(marks, mark) },
        Facts::PidFd { pid, comm } => {
            FactsForm::Pidfd { pid: pid.map(|pid| pid.0), comm: known(comm) }
        }
        Facts::Memfd { seals } => {
            FactsForm::Memfd { seals: list(&seals.map(super::masks::seals).unwrap_or_default()) }
        }
        Facts::DmaBuf { size, count, exporter, name } => FactsForm::DmaBuf {
            size_bytes: *size,
            references: *count,
            exporter: known(exporter),
            name: known(name),
        },
        Facts::IoUring { files, buffers } => {
            let slot = |(slot, name): &(u32, Name)| SlotForm { slot: *slot, name: known(name) };
            FactsForm::IoUring { files: each(files, slot), buffers: *buffers }
        }
        Facts::Bpf { object, id, class, name } => {
            FactsForm::Bpf { object, id: *id, class: known(class), name: known(name) }
        }
        Facts::Namespace { class, inode } => {
            FactsForm::Namespace { class: text(class), inode: *inode }
        }
        Facts::Tun { interface } => FactsForm::Tun { interface: known(interface) },
        Facts::Other(pairs) => {
            FactsForm::Other { lines: each(pairs, |(key, value)| [text(key), text(value)]) }
        }
    })
}

fn each<T, U>(list: &[T], form: impl Fn(&T) -> U) -> Vec<U> {
    list.iter().map(form).collect()
}

fn target(target: &EpollTarget) -> TargetForm {
    TargetForm {
        fd: target.fd.0,
        events: list(&super::masks::epoll_events(target.events)),
        inode: target.inode,
        name: target.name.as_ref().map(text),
    }
}

fn watch(watch: &InotifyWatch) -> WatchForm {
    WatchForm {
        wd: watch.wd,
        inode: watch.inode.inode,
        device: words::device(watch.inode.device),
        events: list(&super::masks::inotify_events(watch.mask)),
        path: watch.path.as_ref().map(text),
    }
}

fn mark(mark: &FanotifyMark) -> MarkForm {
    let (on, mask) = match mark {
        FanotifyMark::Inode { mask, .. } => ("inode", mask),
        FanotifyMark::Mount { mask, .. } => ("mount", mask),
        FanotifyMark::FileSystem { mask, .. } => ("file-system", mask),
    };
    let (mut inode, mut device, mut mount_id) = (None, None, None);
    match mark {
        FanotifyMark::Inode { inode: id, .. } => {
            (inode, device) = (Some(id.inode), Some(words::device(id.device)));
        }
        FanotifyMark::Mount { mount, .. } => mount_id = Some(*mount),
        FanotifyMark::FileSystem { device: id, .. } => device = Some(words::device(*id)),
    }
    let events = list(&super::masks::fanotify_events(*mask));
    MarkForm { on, inode, device, mount_id, events }
}

/// Words between blanks as a list.
fn list(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn text(name: &Name) -> String {
    escape(name.bytes())
}

fn known(name: &Name) -> Option<String> {
    (!name.is_empty()).then(|| text(name))
}
