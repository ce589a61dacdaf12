//! `--json`: one object a line, by the schema `fdscope/trace/1`.

use std::fmt::Write;

use fdscope_syscall::traced::{Ended, Happening, Traced};
use fdscope_syscall::{decode, errno};

use crate::line::{Entered, Finished};

/// The schema's name.
pub const SCHEMA: &str = "fdscope/trace/1";

/// The first line.
pub fn header(source: &str, wall_ns: u64, command: &[Vec<u8>]) -> Vec<u8> {
    let mut line = format!("{{\"schema\":\"{SCHEMA}\",\"source\":\"{source}\"");
    let _infallible = write!(line, ",\"begun_unix_ns\":{wall_ns},\"command\":[");
    for (index, word) in command.iter().enumerate() {
        line += if index > 0 { "," } else { "" };
        quote(&mut line, word);
    }
    line += "]}\n";
    line.into_bytes()
}

/// The last line.
pub fn footer(calls: u64, lost: u64) -> Vec<u8> {
    format!("{{\"event\":\"end\",\"calls\":{calls},\"lost\":{lost}}}\n").into_bytes()
}

/// What a line about a call says.
pub struct CallFacts<'a> {
    /// Who and when.
    pub told: &'a Traced<'a>,
    /// The first half.
    pub first: &'a Entered,
    /// The second half.
    pub second: &'a Finished,
    /// How it ended.
    pub ended: Ended,
    /// The instruction pointer, if asked for.
    pub ip: Option<u64>,
    /// The stack, if asked for.
    pub frames: Option<&'a [Vec<u8>]>,
    /// When it was entered, since 1970.
    pub wall_ns: u64,
}

/// A line about a call.
pub fn call(facts: &CallFacts<'_>) -> Vec<u8> {
    let CallFacts { told, first, second, ended, .. } = facts;
    let mut line = begin("call", told, facts.wall_ns);
    let call = &first.call;
    let _infallible = write!(
        line,
        ",\"arch\":\"{}\",\"number\":{},\"call\":\"{}\",\"raw\":[",
        call.arch.word(),
        call.number,
        first.name
    );
    for (index, argument) in call.arguments.iter().enumerate() {
        let _infallible = write!(line, "{}{argument}", if index > 0 { "," } else { "" });
    }
    line += "],\"arguments\":";
    let begun = first.text.get(first.name.len() + 1..).unwrap_or_default();
    quote(&mut line, &[begun, &second.arguments].concat());
    match ended {
        Ended::Returned(value) => {
            let _infallible = write!(line, ",\"returned\":{value}");
        }
        Ended::Failed(number) => {
            let _infallible = write!(line, ",\"errno\":{number}");
            if let Some((name, _)) = errno::errno(*number) {
                let _infallible = write!(line, ",\"error\":\"{name}\"");
            }
        }
        Ended::Unknown => line += ",\"unfinished\":true",
    }
    line += ",\"result\":";
    quote(&mut line, &second.result);
    let _infallible = write!(line, ",\"duration_ns\":{}", told.at.since_ns(first.at));
    if let Some(ip) = facts.ip {
        let _infallible = write!(line, ",\"ip\":\"{ip:#x}\"");
    }
    if let Some(frames) = facts.frames {
        line += ",\"stack\":[";
        for (index, frame) in frames.iter().enumerate() {
            line += if index > 0 { "," } else { "" };
            quote(&mut line, frame);
        }
        line += "]";
    }
    line += "}\n";
    line.into_bytes()
}

/// A line about anything else; `words` are those of strace.
pub fn remark(told: &Traced<'_>, words: &str, wall_ns: u64) -> Vec<u8> {
    let (event, more) = match &told.what {
        Happening::Signal { signal, .. } => ("signal", named(*signal)),
        Happening::Stopped { signal } => ("stopped", named(*signal)),
        Happening::Exited { status } => ("exited", format!(",\"status\":{status}")),
        Happening::Killed { signal, core } => {
            ("killed", format!("{},\"core\":{core}", named(*signal)))
        }
        Happening::Superseded { by } => ("superseded", format!(",\"former_tid\":{by}")),
        Happening::Lost { count } => ("lost", format!(",\"count\":{count}")),
        _ => ("note", String::new()),
    };
    let mut line = begin(event, told, wall_ns);
    line += &more;
    line += ",\"text\":";
    quote(&mut line, words.as_bytes());
    line += "}\n";
    line.into_bytes()
}

fn named(signal: u32) -> String {
    format!(",\"signal\":{signal},\"name\":\"{}\"", decode::signal(signal))
}

fn begin(event: &str, told: &Traced<'_>, wall_ns: u64) -> String {
    let (pid, tid) = (told.pid, told.tid);
    format!("{{\"event\":\"{event}\",\"unix_ns\":{wall_ns},\"pid\":{pid},\"tid\":{tid}")
}

/// A JSON string; bytes that are not UTF-8 become replacement characters.
fn quote(line: &mut String, bytes: &[u8]) {
    line.push('"');
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '"' => *line += "\\\"",
            '\\' => *line += "\\\\",
            '\n' => *line += "\\n",
            '\t' => *line += "\\t",
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _infallible = write!(line, "\\u{:04x}", c as u32);
            }
            c => line.push(c),
        }
    }
    line.push('"');
}
