//! `fdscope proc PID [SECTION]`: what /proc says of a process, with names and units.

use std::io::Write;

use anyhow::Result;
use fdscope_model::section::Section;
use fdscope_model::{Fault, Pid, Tid};
use fdscope_proc::ProcRoot;
use fdscope_proc::section::OVERVIEW;
use fdscope_render::json::section as json;
use fdscope_render::section as text;
use fdscope_sys::clock::wall_now_ns;

use crate::Done;
use crate::args::Proc;
use crate::commands::threads::seat::call_facts;
use crate::ending::{Ending, Failure};
use crate::{target, terminal};

/// What `maps` shows: the groups, and those that may grow.
const MAPS: &[&str] = &["maps", "candidates"];
/// Bytes of memory shown unless told otherwise.
const LENGTH: u64 = 256;
/// Bytes of memory shown at most.
const MOST_BYTES: u64 = 16 << 20;
/// What a name of a secret has in it.
const SECRET: &[&[u8]] = &[b"KEY", b"TOKEN", b"SECRET", b"PASS", b"CREDENTIAL", b"AUTH"];

/// Runs the command.
pub fn run(proc: &Proc) -> Done {
    let root = ProcRoot::open()?;
    let processes = target::resolve(&root, std::slice::from_ref(&proc.target))?;
    let is_memory = proc.section.as_deref() == Some("mem");
    if !is_memory && !proc.place.is_empty() {
        let what = "only mem takes an address and a length";
        return Err(Failure::new(Ending::Usage, what).into());
    }
    let mut gap = "";
    target::each_living(&processes, |process| {
        let pid = process.id.pid;
        if is_memory {
            write!(std::io::stdout().lock(), "{gap}")?;
            memory(pid, &proc.place)?;
            gap = "\n";
            return Ok(Ending::Done);
        }
        let (text, ending) = sections(&root, pid, proc)?;
        let gap = if proc.json { "" } else { std::mem::replace(&mut gap, "\n") };
        write!(std::io::stdout().lock(), "{gap}{text}")?;
        Ok(ending)
    })
}

/// The page of a process, and how it was to read it.
fn sections(root: &ProcRoot, pid: Pid, proc: &Proc) -> Result<(String, Ending)> {
    let one = proc.section.as_deref();
    let words = match one.as_ref() {
        None => OVERVIEW,
        Some(&"maps") => MAPS,
        Some(word) => std::slice::from_ref(word),
    };
    let mut sections: Vec<Section> = Vec::new();
    for word in words {
        let read = root.section(pid, word, call_facts).map_err(|error| match error.is_gone() {
            true => Failure::new(Ending::TargetGone, error.to_string()).into(),
            false => anyhow::Error::from(error),
        });
        sections.extend(read?);
    }
    if proc.mask {
        sections.iter_mut().filter(|section| section.name == "environ").for_each(mask);
    }
    let text = match proc.json {
        true => json::sections(pid.0, wall_now_ns(), &sections),
        false => text::page(&sections, terminal::form(proc.color)),
    };
    let is_refused = |fault: &Fault| fault.cause == "permission denied";
    let refused =
        one.is_some() && sections.iter().all(|section| section.faults.iter().any(is_refused));
    Ok((text, if refused { Ending::NotPermitted } else { Ending::Done }))
}

/// Hides the values of variables whose names sound like secrets.
fn mask(section: &mut Section) {
    for row in &mut section.rows {
        let name = row.name.bytes().to_ascii_uppercase();
        let is_secret =
            SECRET.iter().any(|word| name.windows(word.len()).any(|part| part == *word));
        if is_secret {
            row.value = "***".into();
        }
    }
}

fn memory(pid: Pid, place: &[String]) -> Result<()> {
    let usage = || {
        Failure::new(Ending::Usage, "mem needs an address, and may have a length")
            .cure("fdscope proc PID mem 0x7ffe00001000 256")
    };
    let address = number(place.first().ok_or_else(usage)?).ok_or_else(usage)?;
    let length = place.get(1).map_or(Some(LENGTH), |text| number(text)).ok_or_else(usage)?;
    let mut bytes = vec![0; length.min(MOST_BYTES) as usize];
    let mut read = 0;
    while read < bytes.len() {
        let at = address.wrapping_add(read as u64);
        match fdscope_sys::vm::read(Tid(pid.0), at, &mut bytes[read..]) {
            0 => break,
            more => read += more,
        }
    }
    std::io::stdout().lock().write_all(text::memory(address, &bytes[..read]).as_bytes())?;
    if read == 0 && length > 0 {
        let what = format!("nothing is readable at {address:#x} of process {pid}");
        return Err(Failure::new(Ending::Failed, what)
            .cure("fdscope proc PID maps tells what is mapped; other users' memory needs sudo")
            .into());
    }
    if (read as u64) < length {
        eprintln!("fdscope: {read} of {length} bytes are readable");
    }
    Ok(())
}

/// A number, hexadecimal with `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
