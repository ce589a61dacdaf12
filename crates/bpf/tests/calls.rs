//! The engine of trace on the real kernel: it tells a program's calls with their memory, and counts what it loses.

use std::process::{Command, Stdio};
use std::time::Duration;

use fdscope_bpf::{BpfCalls, CallOptions, Support};
use fdscope_model::Progress;
use fdscope_sys::spawn::paused;
use fdscope_syscall::decode::{self, NoNames, Style};
use fdscope_syscall::names;
use fdscope_syscall::traced::{CallSource, Happening, Traced};

fn is_possible() -> bool {
    match Support::probe() {
        Support::Likely => true,
        Support::Missing(why) => {
            println!("skipped: needs BPF ({why})");
            false
        }
    }
}

/// What was told of a script, a line each, and how many calls were lost. With `late`, reading begins when it has ended.
fn trace(script: &str, calls: &[&str], ring_bytes: u32, late: bool) -> (Vec<String>, u64) {
    let wanted = |arch, number| names::name(arch, number).is_some_and(|name| calls.contains(&name));
    let options =
        CallOptions { wanted: &wanted, follow: true, ring_bytes, ..CallOptions::default() };
    let mut source = BpfCalls::open(options).expect("BPF is permitted");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::null());
    let held = paused(command).expect("a process");
    source.watch_launched(held.pid()).expect("it waits");
    let pid = rustix::process::Pid::from_raw(held.pid().0 as i32).expect("a number");
    let _started = held.go().expect("it waits");
    if late {
        let options =
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).expect("a child");
    }
    let (mut lines, mut lost) = (Vec::new(), 0);
    let mut sink = |told: &Traced<'_>| match told.what {
        Happening::Lost { count } => lost += count,
        _ => lines.extend(line(told)),
    };
    while source.poll(Duration::from_millis(20), &mut sink).expect("works") == Progress::Open {}
    source.stop(&mut sink).expect("works");
    (lines, lost)
}

fn line(told: &Traced<'_>) -> Option<String> {
    let (style, names) = (Style::default(), &NoNames);
    let mut out = Vec::new();
    match told.what {
        Happening::Exit { call, ended, memory, .. } => {
            let name = decode::name(&call, memory).unwrap_or("?");
            let state = decode::enter(&call, memory, &style, names, &mut out);
            let result = decode::exit(&call, ended, state, memory, &style, names, &mut out);
            let texts = [out, result.0].map(|text| String::from_utf8_lossy(&text).into_owned());
            Some(format!("{name}({}) = {}", texts[0], texts[1]))
        }
        Happening::Exited { status } => Some(format!("exited {status}")),
        Happening::Killed { signal, .. } => Some(format!("killed {signal}")),
        Happening::Attached => Some("attached".to_owned()),
        _ => None,
    }
}

#[test]
fn a_scripts_calls_are_told_with_what_their_pointers_lead_to() {
    if !is_possible() {
        return;
    }
    let script = "read x < /etc/hostname; (exit 5); kill -9 $$";
    let (lines, lost) = trace(script, &["openat", "execve", "exit_group"], 4 << 20, false);
    let has = |text: &str| assert!(lines.iter().any(|l| l.contains(text)), "{text} in {lines:#?}");
    assert_eq!(lost, 0);
    has("execve(\"/bin/sh\", [\"/bin/sh\", \"-c\"");
    has("openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY");
    has("attached");
    has("exit_group(5) = ?");
    has("exited 5");
    assert_eq!(lines.last().map(String::as_str), Some("killed 9"));
}

#[test]
fn every_lost_call_is_counted() {
    if !is_possible() {
        return;
    }
    let script = "i=0; while [ $i -lt 12000 ]; do : < /dev/null; i=$((i+1)); done";
    let (whole, none) = trace(script, &["openat"], 64 << 20, true);
    assert_eq!(none, 0);
    let (told, lost) = trace(script, &["openat"], 1 << 20, true);
    assert!(lost > 0, "a ring of 1 MiB has no room for 12,000 records");
    assert_eq!(told.len() as u64 + lost, whole.len() as u64);
}
