//! `fdscope sockets --summary`: sockstat and sockstat6 with their meaning.

use std::io::Write;

use fdscope_proc::ProcRoot;
use fdscope_proc::net::{Detail, Owners, Survey};
use fdscope_proc::parse::{parse_netstat, parse_sockstat};
use fdscope_render::column::write_json;
use fdscope_render::units::{bytes, count, share};

use crate::Done;
use crate::ending::Ending;
use crate::machine;

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

/// Runs it.
pub fn run(root: &ProcRoot, json: bool) -> Done {
    let counts = Counts::read(root)?;
    let survey = Survey::take(root, Detail::Ends, Owners::All)?;
    let mut figures =
        vec![counts.here("sockets", "used", "used_sockets", "sockets of every family")];
    figures.extend(counts.tcp(&survey));
    figures.extend(counts.others());
    let losses = LOSSES.iter().map(|(name, meaning)| {
        let number = parse_netstat(&counts.netstat, b"TcpExt", name.as_bytes());
        (*name, (*meaning).to_owned(), number)
    });
    let losses: Vec<Figure> = losses.filter(|figure| figure.2.is_some()).collect();
    let mut out = std::io::stdout().lock();
    match json {
        true => out.write_all(&object(&figures, &losses))?,
        false => {
            section(&mut out, "Now", &figures)?;
            section(&mut out, "Since this network namespace began", &losses)?;
        }
    }
    let faults: Vec<String> = survey.faults.iter().map(ToString::to_string).collect();
    super::said(survey.unreadable, &faults);
    Ok(Ending::Done)
}

fn section(out: &mut dyn Write, title: &str, figures: &[Figure]) -> std::io::Result<()> {
    writeln!(out, "{title}")?;
    for (name, meaning, number) in figures {
        let number = number.map_or_else(|| "?".to_owned(), count);
        writeln!(out, "  {name:<20} {number:>11}  {meaning}")?;
    }
    Ok(())
}

fn object(figures: &[Figure], losses: &[Figure]) -> Vec<u8> {
    let mut bytes =
        format!("{{{}", super::head(&machine::describe(), fdscope_sys::clock::wall_now_ns()))
            .into_bytes();
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
    bytes.extend(b"}\n");
    bytes
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

    fn get(&self, line: &str, word: &str) -> Option<u64> {
        let file = if line.ends_with('6') { &self.six } else { &self.four };
        parse_sockstat(file, line.as_bytes(), word.as_bytes())
    }

    fn here(&self, line: &str, word: &str, key: &'static str, what: &str) -> Figure {
        (key, format!("{what}, in this network namespace"), self.get(line, word))
    }

    fn tcp(&self, survey: &Survey) -> Vec<Figure> {
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
                    "TCP sockets on the whole system, never-connected ones included: {} held by processes that could be \
                     read, of which no table lists {}",
                    count(survey.held_tcp()),
                    count(survey.unlisted_tcp()),
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
