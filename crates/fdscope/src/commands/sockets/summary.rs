//! `fdscope sockets --summary`: sockstat and sockstat6 with their meaning.

use std::cell::RefCell;
use std::io::Write;

use fdscope_model::{Monotonic, Name};
use fdscope_proc::ProcRoot;
use fdscope_proc::net::{Detail, Owners, Survey};
use fdscope_proc::parse::{parse_netstat, parse_sockstat};
use fdscope_record::Net;
use fdscope_render::Charset;
use fdscope_render::column::write_json;
use fdscope_render::units::{bytes, count, duration_ns, share, wall_time};
use fdscope_sys::clock::wall_now_ns;

use super::watch::Counters as Changed;
use crate::args::Sockets;
use crate::ending::{Ending, Failure};
use crate::inventories::Surveyor;
use crate::past::Past;
use crate::{Done, terminal};

/// A figure: its key, what is said of it, and the number.
type Figure = (&'static str, String, Option<u64>);

/// What the kernel counts.
struct Counts {
    four: Vec<u8>,
    six: Vec<u8>,
    netstat: Vec<u8>,
    tcp_mem: Option<u64>,
    udp_mem: Option<u64>,
    most_orphans: Option<u64>,
    most_time_wait: Option<u64>,
    page: u64,
}

/// Counters that tell of losses, with what each means.
const LOSSES: &[(&str, &str)] = &[
    (
        "ListenOverflows",
        "connections refused because a listener's accept queue was full: accept faster",
    ),
    ("ListenDrops", "connections dropped at listeners for any reason, full queues among them"),
    (
        "TCPAbortOnMemory",
        "connections reset because there were too many orphans, or memory ran out",
    ),
    ("TCPTimeWaitOverflow", "TIME_WAIT cut short because tcp_max_tw_buckets was reached"),
    ("PruneCalled", "times that receive queues were pressed because a buffer was over its limit"),
    ("RcvPruned", "segments thrown away when that did not help"),
    ("TCPBacklogDrop", "segments dropped because the owner was busy and its backlog full"),
    ("TCPMemoryPressures", "times that TCP came under memory pressure"),
];

/// The counters of losses that this kernel has, since this network namespace began.
pub fn losses(root: &ProcRoot) -> Vec<(&'static str, u64)> {
    let netstat = root.read("net/netstat").unwrap_or_default();
    let of =
        |name: &'static str| Some((name, parse_netstat(&netstat, b"TcpExt", name.as_bytes())?));
    LOSSES.iter().filter_map(|(name, _)| of(name)).collect()
}

/// One reading of all.
struct Reading {
    figures: Vec<Figure>,
    losses: Vec<Figure>,
    survey: Survey,
}

impl Reading {
    fn take(root: &ProcRoot, surveyor: &mut Surveyor) -> anyhow::Result<Reading> {
        let counts = Counts::read(root)?;
        let survey = surveyor.take(Detail::Ends, Owners::All)?;
        let (figures, losses) = (counts.figures(Some(&survey)), counts.losses());
        Ok(Reading { figures, losses, survey })
    }

    fn numbers(&self) -> Vec<(&'static str, u64)> {
        let all = self.figures.iter().chain(&self.losses);
        all.filter_map(|(name, _, number)| Some((*name, (*number)?))).collect()
    }

    fn text(&self, change: &dyn Fn(&str) -> Option<i64>) -> String {
        sections("Now", &self.figures, &self.losses, change)
    }
}

fn sections(
    when: &str,
    figures: &[Figure],
    losses: &[Figure],
    change: &dyn Fn(&str) -> Option<i64>,
) -> String {
    let mut text = String::new();
    section(&mut text, when, figures, change);
    section(&mut text, "Since this network namespace began", losses, change);
    text
}

/// The last counts before a recorded moment.
pub fn of_recording(past: &Past, json: bool) -> Done {
    let Some(net) = past.net() else {
        let what = "the recording has no counts of the kernel's up to that moment";
        return Err(Failure::new(Ending::Failed, what)
            .cure("recordings of fdscope record have them, from version 2 of the form on")
            .into());
    };
    let counts = Counts::of(net);
    let (figures, losses) = (counts.figures(None), counts.losses());
    let at_ns = past.wall_ns_of(net.at);
    let mut out = std::io::stdout().lock();
    if json {
        let mut bytes = object(&super::head_of(past.machine(), at_ns), &figures, &losses);
        bytes.extend(b"}\n");
        out.write_all(&bytes)?;
    } else {
        let text = sections(&format!("At {}", wall_time(at_ns)), &figures, &losses, &|_| None);
        out.write_all(fitting(terminal::form(crate::args::Color::Auto).charset, &text).as_bytes())?;
    }
    Ok(Ending::Done)
}

/// Runs it once.
pub fn run(root: &ProcRoot, surveyor: &mut Surveyor, json: bool) -> Done {
    let reading = Reading::take(root, surveyor)?;
    let mut out = std::io::stdout().lock();
    match json {
        true => {
            let mut bytes = object(&super::head(), &reading.figures, &reading.losses);
            bytes.extend(b"}\n");
            out.write_all(&bytes)?;
        }
        false => out.write_all(reading.text(&|_| None).as_bytes())?,
    }
    super::gaps_of(&reading.survey).iter().for_each(|line| eprintln!("{line}"));
    Ok(Ending::Done)
}

/// Runs it again and again, with what changed since the last reading; at the end, since the first.
pub fn watch(
    root: &ProcRoot,
    surveyor: &mut Surveyor,
    sockets: &Sockets,
    pace: super::Pace,
) -> Done {
    let redraw = !sockets.json && terminal::can_redraw();
    let form = terminal::form(sockets.color);
    let state = RefCell::new((Changed::default(), None::<Reading>));
    let mut look = |passed: Option<u64>| {
        let reading = Reading::take(root, surveyor)?;
        let (changed, last) = &mut *state.borrow_mut();
        changed.take(reading.numbers());
        let page = match sockets.json {
            true => changes_object(&reading, changed, passed),
            false => {
                let mut page = wall_time(wall_now_ns());
                if let Some(passed) = passed {
                    page.push_str(&format!(", changes in {}", duration_ns(passed)));
                }
                page.push_str(&format!("\n{}", reading.text(&|name| changed.change(name))));
                if redraw { shortened(&page, form.width) } else { format!("{page}\n") }
            }
        };
        if !redraw && last.is_none() {
            super::gaps_of(&reading.survey).iter().for_each(|line| eprintln!("{line}"));
        }
        *last = Some(reading);
        Ok(fitting(form.charset, &page))
    };
    pace.keep(redraw, &mut look, &mut |passed| {
        let (changed, last) = &*state.borrow();
        let Some(reading) = last.as_ref().filter(|_| !sockets.json && changed.has_changes()) else {
            return Ok(String::new());
        };
        let title = format!("Changes since the watch began, {} ago\n", duration_ns(passed));
        let change = |name: &str| changed.change_since_first(name).filter(|change| *change != 0);
        let is_changed = |figure: &&Figure| change(figure.0).is_some();
        let all = reading.figures.iter().chain(&reading.losses);
        let all: Vec<Figure> = all.filter(is_changed).cloned().collect();
        let mut text = String::new();
        match all.is_empty() {
            true => text.push_str("  none\n"),
            false => rows(&mut text, &all, &change),
        }
        Ok(fitting(form.charset, &format!("{title}{text}")))
    })
}

/// The same text in the characters that may be printed.
fn fitting(charset: Charset, text: &str) -> String {
    text.lines().map(|line| charset.sentence(line) + "\n").collect()
}

/// Lines no longer than the terminal is wide: what a figure means may be cut, the figure stands before it.
fn shortened(page: &str, width: usize) -> String {
    let line = |line: &str| line.chars().take(width).collect::<String>() + "\n";
    page.lines().map(line).collect()
}

fn changes_object(reading: &Reading, changed: &Changed, passed: Option<u64>) -> String {
    let mut bytes = object(&super::head(), &reading.figures, &reading.losses);
    bytes.extend(b",\"interval_ns\":");
    write_json(&passed, &mut bytes);
    for (key, list) in [("count_changes", &reading.figures), ("counter_changes", &reading.losses)] {
        let one = |(name, _, _): &Figure| {
            let change =
                changed.change(name).map_or("null".to_owned(), |change| change.to_string());
            format!("\"{name}\":{change}")
        };
        let list: Vec<String> = list.iter().map(one).collect();
        bytes.extend(format!(",\"{key}\":{{{}}}", list.join(",")).as_bytes());
    }
    bytes.extend(b"}\n");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn section(
    out: &mut String,
    title: &str,
    figures: &[Figure],
    change: &dyn Fn(&str) -> Option<i64>,
) {
    out.push_str(title);
    out.push('\n');
    rows(out, figures, change);
}

fn rows(out: &mut String, figures: &[Figure], change: &dyn Fn(&str) -> Option<i64>) {
    let changes: Vec<Option<i64>> = figures.iter().map(|(name, ..)| change(name)).collect();
    let has_changes = changes.iter().any(Option::is_some);
    for ((name, meaning, number), change) in figures.iter().zip(changes) {
        let number = number.map_or_else(|| "?".to_owned(), count);
        let change = match change {
            _ if !has_changes => String::new(),
            None | Some(0) => format!("  {:>9}", ""),
            Some(change) => format!("  {change:>+9}"),
        };
        out.push_str(&format!("  {name:<20} {number:>11}{change}  {meaning}\n"));
    }
}

/// An object that is still open at its end.
fn object(head: &str, figures: &[Figure], losses: &[Figure]) -> Vec<u8> {
    let mut bytes = format!("{{{head}").into_bytes();
    for (key, list) in [("counts", figures), ("counters", losses)] {
        bytes.extend(format!(",\"{key}\":{{").as_bytes());
        for (index, (name, _, number)) in list.iter().enumerate() {
            bytes.extend(if index > 0 { &b","[..] } else { b"" });
            write_json(name, &mut bytes);
            bytes.push(b':');
            write_json(number, &mut bytes);
        }
        bytes.push(b'}');
    }
    bytes
}

/// How many of all are known.
fn held(survey: &Survey) -> String {
    format!(
        ": {} held by processes that could be read, of which no table lists {}",
        count(survey.held_tcp()),
        count(survey.unlisted_tcp()),
    )
}

/// What the kernel counts now, for a recording; `None` if it cannot be read.
pub fn recorded(root: &ProcRoot, at: Monotonic) -> Option<Net> {
    Counts::read(root).ok().map(|counts| counts.recorded(at))
}

impl Counts {
    fn read(root: &ProcRoot) -> anyhow::Result<Counts> {
        let number = |path: &str, word: usize| {
            let bytes = root.read(path).ok()?;
            String::from_utf8(bytes).ok()?.split_whitespace().nth(word)?.parse().ok()
        };
        Ok(Counts {
            four: root.read("net/sockstat")?,
            // A kernel without IPv6 has none.
            six: root.read("net/sockstat6").unwrap_or_default(),
            netstat: root.read("net/netstat").unwrap_or_default(),
            tcp_mem: number("sys/net/ipv4/tcp_mem", 2),
            udp_mem: number("sys/net/ipv4/udp_mem", 2),
            most_orphans: number("sys/net/ipv4/tcp_max_orphans", 0),
            most_time_wait: number("sys/net/ipv4/tcp_max_tw_buckets", 0),
            page: rustix::param::page_size() as u64,
        })
    }

    /// As they were recorded.
    fn of(net: &Net) -> Counts {
        let limit = |path: &str| {
            let row = net.limits.iter().find(|(name, _)| name.bytes() == path.as_bytes());
            row.map(|row| row.1)
        };
        let (mut names, mut numbers) = (b"TcpExt:".to_vec(), "TcpExt:".to_owned());
        for (name, number) in &net.losses {
            names.push(b' ');
            names.extend(name.bytes());
            numbers.push_str(&format!(" {number}"));
        }
        Counts {
            four: net.sockstat.bytes().to_vec(),
            six: net.sockstat6.bytes().to_vec(),
            netstat: [names, numbers.into_bytes()].join(&b'\n'),
            tcp_mem: limit("ipv4/tcp_mem"),
            udp_mem: limit("ipv4/udp_mem"),
            most_orphans: limit("ipv4/tcp_max_orphans"),
            most_time_wait: limit("ipv4/tcp_max_tw_buckets"),
            page: net.page,
        }
    }

    /// The same for a recording.
    fn recorded(&self, at: Monotonic) -> Net {
        let losses = self
            .losses()
            .into_iter()
            .filter_map(|(name, _, number)| Some((Name::from(name), number?)));
        let limits = [
            ("ipv4/tcp_mem", self.tcp_mem),
            ("ipv4/udp_mem", self.udp_mem),
            ("ipv4/tcp_max_orphans", self.most_orphans),
            ("ipv4/tcp_max_tw_buckets", self.most_time_wait),
        ];
        Net {
            at,
            sockstat: Name::from(self.four.as_slice()),
            sockstat6: Name::from(self.six.as_slice()),
            losses: losses.collect(),
            limits: limits
                .into_iter()
                .filter_map(|(name, limit)| Some((Name::from(name), limit?)))
                .collect(),
            page: self.page,
        }
    }

    fn figures(&self, survey: Option<&Survey>) -> Vec<Figure> {
        let mut figures =
            vec![self.here("sockets", "used", "used_sockets", "sockets of every family")];
        figures.extend(self.tcp(survey));
        figures.extend(self.others());
        figures
    }

    fn losses(&self) -> Vec<Figure> {
        let losses = LOSSES.iter().map(|(name, meaning)| {
            let number = parse_netstat(&self.netstat, b"TcpExt", name.as_bytes());
            (*name, (*meaning).to_owned(), number)
        });
        losses.filter(|figure| figure.2.is_some()).collect()
    }

    fn get(&self, line: &str, word: &str) -> Option<u64> {
        let file = if line.ends_with('6') { &self.six } else { &self.four };
        parse_sockstat(file, line.as_bytes(), word.as_bytes())
    }

    fn here(&self, line: &str, word: &str, key: &'static str, what: &str) -> Figure {
        (key, format!("{what}, in this network namespace"), self.get(line, word))
    }

    fn tcp(&self, survey: Option<&Survey>) -> Vec<Figure> {
        let of = |number: Option<u64>, most: Option<u64>, name: &str| match number.zip(most) {
            Some((number, most)) if most > 0 => {
                format!("; {} of {name} ({})", share(number, most), count(most))
            }
            _ => String::new(),
        };
        let orphans = self.get("TCP", "orphan");
        let waiting = self.get("TCP", "tw");
        let alloc = self.get("TCP", "alloc");
        vec![
            self.here("TCP", "inuse", "tcp_inuse", "TCP over IPv4, connected or listening"),
            self.here("TCP6", "inuse", "tcp6_inuse", "the same over IPv6"),
            (
                "tcp_time_wait",
                format!(
                    "connections that are over, in this network namespace{}",
                    of(waiting, self.most_time_wait, "tcp_max_tw_buckets")
                ),
                waiting,
            ),
            (
                "tcp_orphan",
                format!(
                    "closed by their processes, still sending, on the whole system{}",
                    of(orphans, self.most_orphans, "tcp_max_orphans")
                ),
                orphans,
            ),
            (
                "tcp_alloc",
                format!(
                    "TCP sockets on the whole system, never-connected ones included{}",
                    survey.map_or_else(String::new, held)
                ),
                alloc,
            ),
            self.memory("TCP", "tcp_mem_bytes", self.tcp_mem, "tcp_mem"),
        ]
    }

    fn memory(&self, line: &str, key: &'static str, most: Option<u64>, name: &str) -> Figure {
        let pages = self.get(line, "mem");
        let size = pages.map(|pages| pages * self.page);
        let share = match pages.zip(most) {
            Some((pages, most)) if most > 0 => {
                format!("; {} of {name} ({})", share(pages, most), bytes(most * self.page))
            }
            _ => String::new(),
        };
        let shown = size.map_or_else(String::new, |size| format!(" ({})", bytes(size)));
        (key, format!("bytes of buffers of {line}{shown}, on the whole system{share}"), size)
    }

    fn others(&self) -> Vec<Figure> {
        vec![
            self.here("UDP", "inuse", "udp_inuse", "UDP over IPv4, bound"),
            self.here("UDP6", "inuse", "udp6_inuse", "the same over IPv6"),
            self.memory("UDP", "udp_mem_bytes", self.udp_mem, "udp_mem"),
            self.here("UDPLITE", "inuse", "udplite_inuse", "UDP-Lite over IPv4"),
            self.here("UDPLITE6", "inuse", "udplite6_inuse", "the same over IPv6"),
            self.here("RAW", "inuse", "raw_inuse", "raw sockets over IPv4"),
            self.here("RAW6", "inuse", "raw6_inuse", "the same over IPv6"),
            self.here("FRAG", "inuse", "frag_inuse", "IPv4 packets being put together"),
            self.here("FRAG", "memory", "frag_memory_bytes", "bytes of those"),
        ]
    }
}
