//! Perf maps: the names that just-in-time compilers (Node, Java agents, .NET, Python with `-X perf`) write for their
//! code into /tmp/perf-PID.map, one line `START SIZE NAME` each, in hexadecimal.
//!
//! The file is that of the target's mount and PID namespaces. It is opened when the process is first seen running
//! such code, and read when names are wanted; the process may be gone by then.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use fdscope_model::{Pid, Symbol};

use crate::open::open_below;

/// The largest map that is read: a Java server with 100,000 methods writes about 10 MB.
const LARGEST: u64 = 128 << 20;

/// Opens the map of a process, if it writes one.
pub fn open(proc_root: &Path, pid: Pid) -> Option<File> {
    let process = proc_root.join(pid.to_string());
    let status = std::fs::read(process.join("status")).ok()?;
    let inner = innermost_pid(&status).unwrap_or(pid.0);
    open_below(&process.join("root"), format!("/tmp/perf-{inner}.map").as_bytes())
}

/// The process's number in its own PID namespace: the last of `NSpid:` (proc_pid_status(5)).
fn innermost_pid(status: &[u8]) -> Option<u32> {
    let line = status.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next_back()?.parse().ok()
}

/// A perf map as text, with its lines parsed.
#[derive(Debug, Default)]
pub struct PerfMap {
    entries: Vec<Entry>,
    text: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    start: u64,
    size: u64,
    name: std::ops::Range<usize>,
}

impl PerfMap {
    /// Reads what was written so far.
    pub fn read(file: &File) -> PerfMap {
        let size = file.metadata().map_or(0, |facts| facts.len().min(LARGEST));
        let mut text = vec![0; usize::try_from(size).unwrap_or(0)];
        match file.read_exact_at(&mut text, 0) {
            Ok(()) => PerfMap::parse(text),
            Err(_) => PerfMap::default(),
        }
    }

    /// Parses the text; lines that make no sense are left out.
    pub fn parse(text: Vec<u8>) -> PerfMap {
        let mut entries = Vec::new();
        let mut from = 0;
        for line in text.split(|&b| b == b'\n') {
            entries.extend(parse_line(line, from));
            from += line.len() + 1;
        }
        PerfMap { entries, text }
    }

    /// Bytes of text read so far.
    pub fn size(&self) -> u64 {
        self.text.len() as u64
    }

    /// The name of the code at `address`: the last written, for memory is reused.
    pub fn symbol(&self, address: u64) -> Option<Symbol> {
        let holds = |e: &&Entry| address >= e.start && address - e.start < e.size;
        let entry = self.entries.iter().rev().find(holds)?;
        Some(symbol_of(&String::from_utf8_lossy(&self.text[entry.name.clone()])))
    }
}

fn parse_line(line: &[u8], from: usize) -> Option<Entry> {
    let mut words = line.splitn(3, |&b| b == b' ');
    let mut number = || {
        let word = std::str::from_utf8(words.next()?).ok()?;
        u64::from_str_radix(word.trim_start_matches("0x"), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    let name = words.next().filter(|name| !name.is_empty())?;
    let end = from + line.len();
    Some(Entry { start, size, name: end - name.len()..end })
}

/// Takes a name apart: `py::function:/path/file.py` of Python, `JS:*function /path/file.js:12:5` of V8.
fn symbol_of(name: &str) -> Symbol {
    let plain = |function: &str| Symbol { function: Some(function.into()), ..Symbol::default() };
    if let Some((function, file)) = name.strip_prefix("py::").and_then(|rest| rest.split_once(':'))
    {
        return Symbol { file: Some(file.into()), ..plain(function) };
    }
    let Some((tag, rest)) = name.split_once(':') else { return plain(name) };
    let v8 = ["JS", "LazyCompile", "Function", "Script", "Eval"].contains(&tag);
    let Some((function, place)) = rest.rsplit_once(' ').filter(|_| v8) else { return plain(name) };
    let function = match function.trim_start_matches(['*', '~', '^', '+']) {
        "" => "(anonymous)",
        function => function,
    };
    let mut parts = place.rsplitn(3, ':');
    let (_column, line, file) = (parts.next(), parts.next(), parts.next());
    match (file, line.map(str::parse)) {
        (Some(file), Some(Ok(line))) => {
            let file = file.strip_prefix("file://").unwrap_or(file);
            Symbol { file: Some(file.into()), line: Some(line), ..plain(function) }
        }
        _ => Symbol { file: Some(place.into()), ..plain(function) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, function: &str, file: Option<&str>, line: Option<u32>) {
        let symbol = symbol_of(name);
        let got = (symbol.function.as_deref(), symbol.file.as_deref(), symbol.line);
        assert_eq!(got, (Some(function), file, line), "{name}");
    }

    #[test]
    fn names_of_known_compilers_are_taken_apart() {
        check("py::leak:/srv/app.py", "leak", Some("/srv/app.py"), None);
        check("JS:~open /srv/app.js:12:5", "open", Some("/srv/app.js"), Some(12));
        check("JS:* file:///srv/app.mjs:3:1", "(anonymous)", Some("/srv/app.mjs"), Some(3));
        check("LazyCompile:*read node:fs:40:9", "read", Some("node:fs"), Some(40));
        check("Lcom/example/App;::leak", "Lcom/example/App;::leak", None, None);
        check("void [App] Program::Main()[Tier0]", "void [App] Program::Main()[Tier0]", None, None);
    }

    #[test]
    fn the_last_name_written_for_an_address_wins() {
        let text = "1000 10 old\nnonsense\n1000 20 new one\n0x2000 0x8 hex\n3000 10\n";
        let map = PerfMap::parse(text.into());
        let name = |address| map.symbol(address).and_then(|s| s.function);
        assert_eq!(name(0x1008).as_deref(), Some("new one"));
        assert_eq!(name(0x2007).as_deref(), Some("hex"));
        assert_eq!(name(0x2008), None);
        assert_eq!(name(0x3000), None);
    }

    #[test]
    fn the_innermost_pid_is_the_last() {
        assert_eq!(innermost_pid(b"Name:\tx\nNSpid:\t4711\t12\t3\nx: 1\n"), Some(3));
        assert_eq!(innermost_pid(b"Name:\tx\n"), None);
    }
}
