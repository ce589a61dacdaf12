//! `fdscope strace` beside the real strace, on programs that do the same each time, and on its bad days.
//!
//! What must differ between two runs (addresses, process numbers, times) is made equal first. docs/strace.md lists what
//! differs besides, with reasons.

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{DEADLINE, fdscope};
use fdscope_bpf::Support;
use fdscope_fixtures::{c, in_path};

fn strace() -> Command {
    let mut command = fdscope();
    command.arg("strace").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// Is the real strace here, of the version whose lines these are?
fn real() -> Option<Command> {
    let said = Command::new("strace").arg("-V").output().map(|output| output.stdout);
    if !String::from_utf8_lossy(&said.unwrap_or_default()).contains("version 6.1") {
        println!("skipped: needs strace 6.1");
        return None;
    }
    let mut command = Command::new("strace");
    command.env("LC_ALL", "C").stdin(Stdio::null());
    Some(command)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The log of a run to its end, and the run.
fn logged(mut command: Command, arguments: &[&str]) -> (String, Output) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let output = command.arg("-o").arg(&log).args(arguments).output().expect("it runs");
    (lossy(&std::fs::read(&log).unwrap_or_default()), output)
}

#[test]
fn a_program_that_knows_its_lines_finds_them() {
    let called = c("called");
    let calls = "trace=openat,write,dup3,close,unlink,socket,connect,kill,chdir";
    for more in [&[][..], &["-f", "--seccomp-bpf"]] {
        let arguments = [more, &["-e", calls, called.to_str().expect("text")]].concat();
        let (log, output) = logged(strace(), &arguments);
        // With -f every line begins with a number, which takes its width from the blanks before the result.
        let told = |line: &str| match more.is_empty() {
            true => line.to_owned(),
            false => {
                let line = line.split_once(' ').map_or(line, |(_, rest)| rest).trim_start();
                line.split_whitespace().collect::<Vec<_>>().join(" ")
            }
        };
        let lines: Vec<String> = log.lines().map(told).collect();
        let at = |mark: &str| lines.iter().position(|line| line.starts_with(mark));
        let from = at("chdir(\"/begin\")").expect("it begins");
        let to = at("chdir(\"/end\")").expect("it ends");
        let expected: Vec<String> = lossy(&output.stdout)
            .lines()
            .map(|line| match more.is_empty() {
                true => line.to_owned(),
                false => line.split_whitespace().collect::<Vec<_>>().join(" "),
            })
            .collect();
        assert_eq!(lines[from + 1..to], expected, "{more:?}");
        assert!(lines.last().expect("lines").ends_with("+++ exited with 0 +++"));
    }
}

/// The line without what differs from run to run.
fn settled(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        out += before;
        let hex = number.starts_with("0x");
        let skip = if hex { 2 } else { 0 };
        let is_part =
            |letter: char| if hex { letter.is_ascii_hexdigit() } else { letter.is_ascii_digit() };
        let end =
            number[skip..].find(|letter| !is_part(letter)).map_or(number.len(), |end| end + skip);
        let (digits, after) = number.split_at(end);
        out += if digits.len() > 3 { "N" } else { digits };
        rest = after;
    }
    out += rest;
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The lines of a log, those that were cut put together again, each with its count.
fn lines(log: &str) -> HashMap<String, i64> {
    let mut cut: HashMap<String, String> = HashMap::new();
    let mut found = HashMap::new();
    for line in log.lines() {
        let (pid, rest) = line.split_once(' ').unwrap_or(("", line));
        let is_pid = pid.chars().all(|letter| letter.is_ascii_digit()) && !pid.is_empty();
        let (pid, rest) =
            if is_pid { (pid.to_owned(), rest.trim_start()) } else { ("".into(), line) };
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            cut.insert(pid, begun.to_owned());
            continue;
        }
        let resumed = rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>"));
        let whole = match resumed {
            Some((_, end)) => cut.remove(&pid).unwrap_or_default() + end,
            None => rest.to_owned(),
        };
        *found.entry(settled(&whole)).or_default() += 1;
    }
    found
}

#[test]
fn real_programs_have_straces_lines() {
    let shell = "ls /nowhere; echo a | cat; exit 3";
    let python = "import os,socket,threading;s=socket.socket();s.close();\
                  t=threading.Thread(target=os.getpid);t.start();t.join()";
    let runs: &[&[&str]] = &[
        &["true"],
        &["-f", "sh", "-c", shell],
        &["-s", "100", "-x", "cat", "/etc/passwd"],
        &["-xx", "-e", "trace=%file,%desc", "cat", "/etc/passwd"],
        &["-v", "-e", "trace=%process,%memory", "ls", "/"],
        &["-y", "-e", "trace=read,close,openat", "cat", "/etc/passwd"],
        &["-e", "read=3", "-e", "write=1", "cat", "/etc/passwd"],
        &["-Z", "-f", "sh", "-c", shell],
        &["-P", "/etc/passwd", "cat", "/etc/passwd"],
        &["-e", "raw=openat,close", "-e", "trace=openat,close", "ls", "/"],
        &["-f", "-e", "trace=!futex,munmap,sysinfo,getrandom", "python3", "-c", python],
    ];
    runs.iter().for_each(|arguments| compare("--source=ptrace", arguments));
}

#[test]
fn real_programs_have_straces_lines_by_ebpf_too() {
    if let Support::Missing(why) = Support::probe() {
        println!("skipped: needs BPF ({why})");
        return;
    }
    let shell = "ls /nowhere; echo a | cat; exit 3";
    let python = "import os,socket;s=socket.socket();s.close()";
    let all = "trace=%file,%desc,%network,%process";
    let runs: &[(&str, &[&str])] = &[
        ("sh", &["-f", "-e", all, "sh", "-c", shell]),
        ("cat", &["-xx", "-e", all, "cat", "/etc/passwd"]),
        ("ls", &["-v", "-e", "trace=%process,%memory,%signal", "ls", "/"]),
        ("find", &["-f", "-s", "100", "-e", all, "find", "/etc", "-maxdepth", "1"]),
        ("tar", &["-f", "-e", all, "tar", "-cf", "/dev/null", "/etc/passwd"]),
        ("python3", &["-f", "-e", all, "python3", "-c", python]),
        ("git", &["-f", "-e", "trace=%file", "git", "--version"]),
        ("cat", &["-yy", "-e", all, "cat", "/etc/passwd"]),
        ("ls", &["-y", "-P", "/etc", "ls", "/etc"]),
    ];
    let possible = runs.iter().filter(|(program, _)| in_path(program));
    possible.for_each(|(_, arguments)| compare("--source=bpf", arguments));
}

/// Of a hundred lines of strace's at most one is another's, in one of a few runs.
fn compare(engine: &str, arguments: &[&str]) {
    let differences = (0..5).map_while(|_| difference(engine, arguments));
    // Scheduling, and what other processes do, are different in every run; what is wrong is wrong in each.
    let mut told = None;
    for (lost, all, words) in differences {
        println!("{lost} of {all} lines differ: {engine} {arguments:?}");
        told = (lost * 100 > all + 200).then_some(words);
        if told.is_none() {
            break;
        }
    }
    assert_eq!(told, None, "{engine} {arguments:?}");
}

/// How many lines of strace's, of how many, are not ours in a run of each, and which; `None` without strace.
fn difference(engine: &str, arguments: &[&str]) -> Option<(i64, i64, String)> {
    let (theirs, their_run) = logged(real()?, arguments);
    let (ours, our_run) = logged(strace(), &[&[engine], arguments].concat());
    assert_eq!(our_run.status, their_run.status, "{arguments:?}");
    assert_eq!(our_run.stdout, their_run.stdout, "{arguments:?}");
    let (theirs, ours) = (lines(&theirs), lines(&ours));
    let all: i64 = theirs.values().sum();
    let missing: Vec<_> =
        theirs.iter().filter(|(line, count)| ours.get(*line) < Some(count)).collect();
    let extra: Vec<_> =
        ours.iter().filter(|(line, count)| theirs.get(*line) < Some(count)).collect();
    let lost: i64 =
        missing.iter().map(|(line, count)| *count - ours.get(*line).unwrap_or(&0)).sum();
    Some((lost, all, format!("- {missing:#?}\n+ {extra:#?}")))
}

#[test]
fn every_shape_of_siginfo_is_straces() {
    let program = c("informed");
    let arguments = ["-e", "trace=none", program.to_str().expect("UTF-8")];
    let Some(real) = real() else { return };
    let (theirs, ours) = (logged(real, &arguments).0, logged(strace(), &arguments).0);
    assert!(theirs.lines().count() > 1_000, "{theirs}");
    assert_eq!(ours, theirs);
}

#[test]
fn dates_are_those_of_local_clocks() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let begun = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    file.as_file().set_modified(begun).expect("a date");
    let path = file.path().to_str().expect("UTF-8");
    let dated = |mut command: Command| {
        command.env("TZ", "XXX-5:30");
        let (log, _) = logged(command, &["-v", "-e", "trace=statx", "stat", path]);
        let line = log.lines().find(|line| line.contains(path) && line.contains("1700000000"));
        let from = line.and_then(|line| line.split_once("1700000000")).map(|(_, rest)| rest);
        from.and_then(|rest| rest.split_once("*/")).map(|(date, _)| date.to_owned())
    };
    let ours = dated(strace()).expect("the file is looked at");
    assert!(ours.ends_with("/* 2023-11-15T03:43:20+0530 "), "{ours}");
    let Some(real) = real() else { return };
    assert_eq!(Some(ours), dated(real));
}

#[test]
fn mistakes_are_told_in_straces_words() {
    let mistakes: &[&[&str]] = &[
        &["-a", "x", "true"],
        &["-s", "x", "true"],
        &["-S", "foo", "true"],
        &["-U", "foo", "true"],
        &["-I", "9", "true"],
        &["-p", "x"],
        &["-p", "0"],
        &["-p", "1,x"],
        &["-e", "foo=bar", "true"],
        &["-e", "signal=foo", "true"],
        &["-e", "status=foo", "true"],
        &["-e", "quiet=foo", "true"],
        &["-e", "read=x", "true"],
        &["-e", "trace=%foo", "true"],
        &["-e", "trace=open@96", "true"],
        &["-e", "trace=", "true"],
        &["-e", "trace=99999", "true"],
        &["-e", "decode-fds=foo", "true"],
        &["-X", "foo", "true"],
        &["-O", "x", "true"],
        &["-b", "foo", "true"],
        &["-u", "no such user", "true"],
        &["-E"],
        &["-9"],
        &["--bogus"],
        &["--follow-forks=3", "true"],
        &["--output"],
        &["--absolute-timestamps=foo", "true"],
        &["--strings-in-hex=foo", "true"],
        &["--decode-pids=foo", "true"],
        &["-D", "-p", "1"],
        &["-c", "-C", "true"],
        &["-w", "true"],
        &["-tt", "--timestamps=unix,ns", "true"],
        &["-ff", "-o", "|cat", "true"],
        &["-o", "/nowhere/log", "true"],
        &["/nowhere"],
        &["no-such-program"],
        &["-p", "4194304"],
        &[],
    ];
    for arguments in mistakes {
        let Some(mut real) = real() else { return };
        let theirs = real.args(*arguments).output().expect("it was found");
        let ours = strace().args(*arguments).output().expect("fdscope is built for its tests");
        assert_eq!(lossy(&ours.stderr), lossy(&theirs.stderr), "{arguments:?}");
        assert_eq!(ours.status, theirs.status, "{arguments:?}");
    }
}

#[test]
fn tables_have_straces_shape() {
    let Some(mut real) = real() else { return };
    let arguments = ["-c", "-S", "name", "-U", "name,calls,errors", "-e", "trace=%file", "ls", "/"];
    let theirs = real.args(arguments).output().expect("it was found");
    let ours = strace().args(arguments).output().expect("fdscope is built for its tests");
    assert_eq!(lossy(&ours.stderr), lossy(&theirs.stderr));
}

#[test]
fn the_exit_status_is_the_programs() {
    let run = |script: &str| {
        let mut command = strace();
        command.args(["-o", "/dev/null", "sh", "-c", script]);
        command.status().expect("fdscope is built for its tests")
    };
    assert_eq!(run("exit 7").code(), Some(7));
    assert_eq!(run("kill -TERM $$").signal(), Some(15));
}

#[test]
fn a_thread_that_execs_takes_over_its_process() {
    let called = c("called");
    let (log, output) = logged(strace(), &["-f", called.to_str().expect("text"), "exec"]);
    assert!(output.status.success());
    let line = log.lines().find(|line| line.contains("+++ superseded by execve in pid "));
    let leader = line.and_then(|line| line.split_once(' ')).expect("a line of it").0;
    let resumed = format!("{leader:<5} <... execve resumed>)");
    assert!(log.contains(&resumed), "{log}");
    assert!(log.ends_with(&format!("{leader:<5} +++ exited with 0 +++\n")), "{log}");
}

#[test]
fn every_one_of_a_thousand_threads_ends() {
    let called = c("called");
    let arguments = ["-f", "-e", "trace=none", called.to_str().expect("text"), "many", "1000"];
    let (log, output) = logged(strace(), &arguments);
    assert!(output.status.success());
    assert_eq!(log.matches("+++ exited with 0 +++").count(), 1001);
}

#[test]
fn a_signal_ends_every_thread_and_fdscope() {
    let called = c("called");
    let (log, output) = logged(strace(), &["-f", called.to_str().expect("text"), "die"]);
    assert_eq!(output.status.signal(), Some(15));
    assert_eq!(log.matches("+++ killed by SIGTERM +++").count(), 2, "{log}");
}

/// A program that answers each line with the same.
struct Echo {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Echo {
    fn start() -> Echo {
        let mut command = Command::new("cat");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cat is everywhere");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut echo = Echo { child, answers };
        echo.check("begun");
        echo
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    fn check(&mut self, word: &str) {
        let input = self.child.stdin.as_mut().expect("piped");
        // In one piece, so that it is read in one.
        input.write_all(format!("{word}\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        assert_eq!(answer.trim(), word);
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Waits until the file has a text in it.
fn await_text(path: &Path, text: &str) -> String {
    let begun = Instant::now();
    loop {
        let found = lossy(&std::fs::read(path).unwrap_or_default());
        if found.contains(text) {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "no {text:?} in {found:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill is everywhere").success());
}

#[test]
fn who_is_attached_to_in_a_call_is_let_go_in_it() {
    let mut echo = Echo::start();
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut command = strace();
    command.args(["-f", "-p", &echo.pid(), "-o"]).arg(&log).stderr(Stdio::piped());
    let mut tracer = command.spawn().expect("fdscope is built for its tests");
    await_text(&log, "read(0, ");
    echo.check("traced");
    await_text(&log, "write(1, \"traced\\n\", 7) ");
    signal(&tracer, "-INT");
    let mut said = String::new();
    tracer.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert_eq!(tracer.wait().expect("it ends").signal(), Some(2));
    let pid = echo.pid();
    let expected = format!("strace: Process {pid} attached\nstrace: Process {pid} detached\n");
    assert_eq!(said, expected);
    assert!(await_text(&log, "detached").ends_with("read(0,  <detached ...>\n"));
    echo.check("free again");
}

/// A tracer that is attached to a program that waits for a line, its log, and the folder of that.
fn traced(echo: &Echo) -> (Child, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut command = strace();
    command.args(["-p", &echo.pid(), "-o"]).arg(&log).stderr(Stdio::null());
    let tracer = command.spawn().expect("fdscope is built for its tests");
    await_text(&log, "read(0, ");
    (tracer, log, folder)
}

#[test]
fn a_killed_tracer_leaves_the_target_running_and_a_whole_log() {
    let mut echo = Echo::start();
    let (mut tracer, log, _folder) = traced(&echo);
    echo.check("one");
    await_text(&log, "write(1, \"one\\n\", 4) ");
    tracer.kill().expect("it lives");
    tracer.wait().expect("it ends");
    echo.check("two");
    assert!(await_text(&log, "one").contains("write(1, \"one\\n\", 4)"));
}

#[test]
fn a_target_killed_while_it_is_traced_is_told() {
    let echo = Echo::start();
    let (mut tracer, log, _folder) = traced(&echo);
    signal(&echo.child, "-KILL");
    assert!(tracer.wait().expect("it ends").success());
    assert!(await_text(&log, "+++").ends_with("+++ killed by SIGKILL +++\n"));
}

#[test]
fn another_tracer_is_named() {
    let echo = Echo::start();
    let (mut tracer, _log, _folder) = traced(&echo);
    let second = strace().args(["-p", &echo.pid()]).output().expect("fdscope is built");
    let said = lossy(&second.stderr);
    assert!(said.contains(&format!("traced by process {}", tracer.id())), "{said}");
    assert_eq!(second.status.code(), Some(1));
    tracer.kill().expect("it lives");
    tracer.wait().expect("it ends");
}

#[test]
fn a_full_disk_and_a_reader_gone_end_tracing_not_the_program() {
    for output in ["/dev/full", "|head -n 1 >/dev/null"] {
        let mut command = strace();
        let script = "i=0; while [ $i -lt 300 ]; do : </dev/null; i=$((i+1)); done; echo done";
        let found =
            command.args(["-f", "-o", output, "sh", "-c", script]).output().expect("it runs");
        // The program may outlive its tracer: its output is read to the end all the same.
        assert_eq!(lossy(&found.stdout), "done\n", "{output}: {}", lossy(&found.stderr));
        assert_eq!(found.status.code(), Some(1), "{output}: {}", lossy(&found.stderr));
    }
}

#[test]
fn trace_shows_what_handles_do() {
    let mut command = fdscope();
    command.args(["trace", "--json", "--", "sh", "-c", "exec 7</dev/null; exec 7<&-"]);
    let output = command.stdin(Stdio::null()).output().expect("fdscope is built for its tests");
    let lines: Vec<serde_json::Value> = lossy(&output.stderr)
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    assert_eq!(lines[0]["schema"], "fdscope/trace/1");
    let calls: Vec<&str> = lines.iter().filter_map(|line| line["call"].as_str()).collect();
    assert!(calls.contains(&"openat") && calls.contains(&"close") && calls.contains(&"dup2"));
    assert!(!calls.contains(&"read"), "{calls:?}");
    let last = lines.last().expect("lines");
    assert_eq!((&last["event"], &last["lost"]), (&"end".into(), &0.into()));
}
