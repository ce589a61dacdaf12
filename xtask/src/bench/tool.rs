//! A tool at work on a running program: started, known to be attached, stopped.

use super::Bench;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A tool as users would call it on a pid.
pub struct Tool {
    /// Its name in the table.
    pub name: &'static str,
    /// The program; `fdscope` is the one just built.
    pub program: &'static str,
    /// What stands before its arguments.
    subcommand: Option<&'static str>,
    /// It is held to the first processor.
    pinned: bool,
    /// Its arguments before the pids.
    pub arguments: &'static [&'static str],
    /// What stands before each pid.
    pub pid_flag: Option<&'static str>,
    /// What it prints on stderr once it is attached.
    attached: &'static str,
}

pub const BPF_FP: Tool =
    fdscope("fdscope leak, eBPF, frame pointers", &["--source", "bpf", "--stacks", "fp"]);
pub const BPF_DWARF: Tool =
    fdscope("fdscope leak, eBPF, DWARF", &["--source", "bpf", "--stacks", "dwarf"]);
pub const PTRACE: Tool = fdscope("fdscope leak, ptrace", &["--source", "ptrace"]);
pub const STRACE: Tool =
    strace("strace -f -e trace=file,desc", &["-f", "-e", "trace=file,desc", "-o", "/dev/null"]);
pub const STRACE_K: Tool = strace(
    "strace -k -f -e trace=file,desc",
    &["-k", "-f", "-e", "trace=file,desc", "-o", "/dev/null"],
);

const fn fdscope(name: &'static str, arguments: &'static [&'static str]) -> Tool {
    let subcommand = Some("leak");
    let attached = "fdscope: watching";
    Tool {
        name,
        program: "fdscope",
        subcommand,
        pinned: false,
        arguments,
        pid_flag: None,
        attached,
    }
}

const fn strace(name: &'static str, arguments: &'static [&'static str]) -> Tool {
    let (pid_flag, attached) = (Some("-p"), "attached");
    Tool { name, program: "strace", subcommand: None, pinned: false, arguments, pid_flag, attached }
}

/// strace, held to the first processor: where its target is, it is fastest.
pub const fn strace_beside(name: &'static str, arguments: &'static [&'static str]) -> Tool {
    Tool { pinned: true, ..strace(name, arguments) }
}

/// `fdscope trace`, which takes strace's arguments.
pub const fn trace(name: &'static str, arguments: &'static [&'static str]) -> Tool {
    Tool { program: "fdscope", subcommand: Some("trace"), ..strace(name, arguments) }
}

/// The same, held to the first processor.
pub const fn trace_beside(name: &'static str, arguments: &'static [&'static str]) -> Tool {
    Tool { pinned: true, ..trace(name, arguments) }
}

/// Holds a process with all its threads to the first processor.
pub fn pin(pid: u32) -> Result<()> {
    let pid = pid.to_string();
    Command::new("taskset").args(["-acp", "0", &pid]).stdout(Stdio::null()).status()?;
    Ok(())
}

/// A tool that watches.
pub struct Running {
    child: Child,
    /// Kept so that the tool never writes into a closed pipe.
    lines: Receiver<String>,
}

impl Tool {
    /// Whether the tool is installed; says so if not.
    pub fn is_here(&self) -> bool {
        self.program == "fdscope" || fdscope_fixtures::in_path(self.program)
    }

    /// Starts the tool and waits until it says that it is attached.
    pub fn attach(&self, bench: &Bench, pids: &[u32], more: &[&str]) -> Result<Running> {
        let own = self.program == "fdscope";
        let program = if own { bench.fdscope.as_path() } else { Path::new(self.program) };
        let mut command = match self.pinned {
            true => Command::new("taskset"),
            false => Command::new(program),
        };
        if self.pinned {
            command.args(["-c", "0"]).arg(program);
        }
        command.args(self.subcommand).args(self.arguments).args(more);
        for pid in pids {
            command.args(self.pid_flag).arg(pid.to_string());
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("failed to run {}", program.display()))?;
        let lines = read_lines(child.stderr.take().context("piped above")?);
        let running = Running { child, lines };
        running.wait_for(self.attached)?;
        Ok(running)
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_for(&self, word: &str) -> Result<()> {
        let mut said = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(30)) {
            if line.contains(word) {
                return Ok(());
            }
            said.push(line);
        }
        bail!("did not say {word:?} within 30 s, but: {}", said.join(" / "))
    }

    /// Interrupts the tool as Ctrl-C does, and returns what it printed.
    pub fn stop(self) -> Result<String> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status()?;
        self.finish()
    }

    /// Waits for the tool's own end, and returns what it printed.
    pub fn finish(self) -> Result<String> {
        let done = self.child.wait_with_output()?;
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }
}

/// User and system time of a process in hundredths of a second (`USER_HZ` is 100 on every Linux).
pub fn processor_ticks(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let behind_name = stat.rsplit(") ").next().context("stat has a name in brackets")?;
    let field = |index: usize| behind_name.split(' ').nth(index).and_then(|text| text.parse().ok());
    let (user, system): (Option<u64>, Option<u64>) = (field(11), field(12));
    Ok(user.context("utime")? + system.context("stime")?)
}

/// Lines of a stream as they come; a live line's carriage returns end lines too.
fn read_lines(stream: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            // Reading goes on without a receiver: a full pipe would stop the tool.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// The number behind `"key":` in one line of JSON.
pub fn json_number(json: &str, key: &str) -> Option<f64> {
    let rest = json.split(&format!("\"{key}\":")).nth(1)?;
    let digits = rest.trim_start().split([',', '}', ']']).next()?;
    digits.trim().parse().ok()
}
