//! The two engines of `fdscope trace` tell the same; which one looks, why, and what helps where none may.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio};

use common::fdscope;
use fdscope_bpf::Support;
use fdscope_fixtures::{Variant, c, try_c};

/// The engines that can be used here.
fn engines() -> Vec<&'static str> {
    match Support::probe() {
        Support::Likely => vec!["--source=ptrace", "--source=bpf"],
        Support::Missing(why) => {
            println!("skipped: needs BPF ({why})");
            vec!["--source=ptrace"]
        }
    }
}

fn has_bpf() -> bool {
    engines().len() == 2
}

fn trace() -> Command {
    let mut command = fdscope();
    command.arg("trace").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The log of a run to its end, and the run.
fn logged(engine: &str, arguments: &[&str]) -> (String, Output) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut command = trace();
    command.args([engine, "-o"]).arg(&log).args(arguments);
    let output = command.output().expect("fdscope is built for its tests");
    (lossy(&std::fs::read(&log).unwrap_or_default()), output)
}

/// Words with single blanks between them.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_program_that_knows_its_lines_finds_them_by_each_engine() {
    let called = c("called");
    let calls = "trace=openat,write,dup3,close,unlink,socket,connect,kill,chdir";
    for engine in engines() {
        for more in [&[][..], &["-f"], &["-f", "-tt", "-T"]] {
            let arguments = [more, &["-e", calls, called.to_str().expect("text")]].concat();
            let (log, output) = logged(engine, &arguments);
            // Numbers and times stand in front, the time taken behind.
            let bare = |line: &str| {
                let is_prefix = |letter: char| letter.is_ascii_digit() || " .:".contains(letter);
                let line = line.trim_start_matches(is_prefix);
                words(line.rsplit_once(" <").filter(|_| more.len() > 1).map_or(line, |cut| cut.0))
            };
            let lines: Vec<String> = log.lines().map(bare).collect();
            let at = |mark: &str| lines.iter().position(|line| line.starts_with(mark));
            let from = at("chdir(\"/begin\")").expect("it begins");
            let to = at("chdir(\"/end\")").expect("it ends");
            let expected: Vec<String> = lossy(&output.stdout).lines().map(words).collect();
            assert_eq!(lines[from + 1..to], expected, "{engine} {more:?}");
        }
    }
}

#[test]
fn a_fatal_signal_is_told_before_what_it_ends() {
    let called = c("called");
    for engine in engines() {
        let (log, output) = logged(engine, &["-f", called.to_str().expect("text"), "die"]);
        assert_eq!(output.status.signal(), Some(15), "{engine}");
        let told: Vec<&str> = log.lines().filter(|line| line.contains("SIGTERM")).collect();
        assert_eq!(told.len(), 3, "{engine} {told:?}");
        assert!(told[0].contains("--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER"), "{told:?}");
        assert!(told[1..].iter().all(|line| line.ends_with("+++ killed by SIGTERM +++")), "{log}");
    }
}

#[test]
fn a_thread_that_execs_takes_over_its_process_by_each_engine() {
    let called = c("called");
    for engine in engines() {
        let arguments = ["-f", "-e", "trace=%process", called.to_str().expect("text"), "exec"];
        let (log, output) = logged(engine, &arguments);
        assert!(output.status.success());
        let line = log.lines().find(|line| line.contains("+++ superseded by execve in pid "));
        let leader = line.and_then(|line| line.split_once(' ')).expect("a line of it").0;
        let resumed = format!("{leader:<5} <... execve resumed>)");
        assert!(log.contains(&resumed), "{engine} {log}");
        assert!(log.ends_with(&format!("{leader:<5} +++ exited with 0 +++\n")), "{engine} {log}");
    }
}

/// The calls of a log, without what differs from run to run, in order.
fn calls(log: &str) -> Vec<String> {
    let name = |line: &str| line.split('(').next().map(str::to_owned);
    log.lines().filter(|line| line.contains(") ")).filter_map(name).collect()
}

#[test]
fn the_engines_tell_the_same_calls_of_a_32_bit_program() {
    let Ok(program) = try_c("called", Variant::M32) else {
        println!("skipped: needs a C compiler for 32-bit programs");
        return;
    };
    let told: Vec<Vec<String>> = engines()
        .into_iter()
        .map(|engine| {
            let set = "trace=openat,write,dup3,close,unlink,chdir,exit_group,execve";
            let (log, output) = logged(engine, &["-e", set, program.to_str().expect("text")]);
            assert!(output.status.success());
            calls(&log)
        })
        .collect();
    assert!(told[0].len() > 10, "{told:?}");
    assert!(told.iter().all(|calls| *calls == told[0]), "{told:?}");
}

#[test]
fn no_call_of_the_first_32_bit_program_is_missing() {
    let Ok(program) = try_c("called", Variant::M32) else {
        println!("skipped: needs a C compiler for 32-bit programs");
        return;
    };
    if !has_bpf() {
        return;
    }
    let script = format!("{0}; {0}; :", program.display());
    let (log, _) = logged("--source=bpf", &["-f", "-e", "trace=chdir,execve", "sh", "-c", &script]);
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!((count("called\""), count("\"/begin\""), count("\"/end\"")), (2, 2, 2), "{log}");
    assert!(!log.contains("+++ lost"), "{log}");
}

/// The lines of `named` between its marks, without numbers of inodes, ports and processes.
fn named_lines(engine: &str, option: &str) -> Vec<String> {
    let program = c("named");
    let set = "trace=%desc,%network,%file";
    let (log, output) = logged(engine, &[option, "-e", set, program.to_str().expect("text")]);
    assert!(output.status.success(), "{engine} {log}");
    let lines = log.lines().map(without_numbers);
    let begun = lines.skip_while(|line| !line.starts_with("chdir(\"/begin\")"));
    begun.take_while(|line| !line.starts_with("chdir(\"/end\")")).collect()
}

/// The line with numbers of several digits, addresses and random names made equal.
fn without_numbers(line: &str) -> String {
    let mut out = String::new();
    let mut digits = 0;
    let mut pieces = line.split("/tmp/named-");
    let begin = pieces.next().unwrap_or_default().to_owned();
    let line = pieces.fold(begin, |before, after| {
        let name = after.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(after.len());
        format!("{before}/tmp/named-{}", &after[name..])
    });
    let is_digit = |letter: char| letter.is_ascii_hexdigit() && !letter.is_ascii_uppercase();
    for letter in line.chars().chain(Some(' ')) {
        if letter.is_ascii_digit() || digits > 0 && is_digit(letter) {
            digits += 1;
            out.push(letter);
            continue;
        }
        if digits >= 2 {
            out.truncate(out.len() - digits);
            out.push('N');
        }
        digits = 0;
        out.push(letter);
    }
    // What is left of the column's blanks depends on the numbers, too.
    words(&out)
}

#[test]
fn descriptors_have_the_same_names_by_each_engine() {
    for option in ["-y", "-yy"] {
        let told: Vec<Vec<String>> =
            engines().into_iter().map(|engine| named_lines(engine, option)).collect();
        assert!(told[0].len() > 60, "{told:?}");
        for (ours, first) in told.iter().flat_map(|lines| lines.iter().zip(&told[0])) {
            assert_eq!(ours, first, "{option}");
        }
        assert!(told.iter().all(|lines| lines.len() == told[0].len()));
        let has = |text: &str| told[0].iter().any(|line| line.contains(text));
        assert!(has("write(3</tmp/named->(deleted), \"y\", 1) = 1"), "{told:?}");
        assert!(has("close(N<pipe:[N]>) = 0"), "{told:?}");
        assert!(option == "-y" || has("send") && has("<TCP:[N.0.0.1:N->N.0.0.1:N]>"));
        assert!(has("[{nlmsg_len=N, nlmsg_type=RTM_GETADDR, nlmsg_flags=NLM_F_REQUEST|NLM_F_DUMP"));
    }
}

#[test]
fn paths_choose_calls_by_each_engine() {
    let script = "exec 7</etc/passwd; exec 8</etc/group; exec 8<&-; exec 7<&-";
    for engine in engines() {
        for option in [["-P", "/etc/passwd"], ["--path-glob", "/etc/pass*"]] {
            let arguments =
                [&option[..], &["-e", "trace=openat,close", "sh", "-c", script]].concat();
            let (log, _) = logged(engine, &arguments);
            assert!(
                log.contains("openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) = "),
                "{engine} {log}"
            );
            assert!(log.contains("close(7) "), "{engine} {log}");
            assert!(!log.contains("group") && !log.contains("close(8)"), "{engine} {log}");
        }
    }
}

#[test]
fn calls_by_the_32_bit_gate_of_a_64_bit_program_are_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = (folder.path().join("gate.c"), folder.path().join("gate"));
    let text = "int main(void) { for (int i = 0; i < 5; i++) { long r = 20; \
                __asm__ volatile(\"int $0x80\" : \"+a\"(r) : : \"memory\", \"r8\", \"r9\", \"r10\", \"r11\"); } \
                return 0; }";
    std::fs::write(&source, text).expect("its own folder");
    let made = Command::new("cc").arg("-o").arg(&program).arg(&source).status();
    if !cfg!(target_arch = "x86_64") || !made.is_ok_and(|status| status.success()) {
        println!("skipped: needs a C compiler for x86-64");
        return;
    }
    for engine in engines() {
        let arguments = ["-e", "trace=getpid,execve", program.to_str().expect("text")];
        let (log, output) = logged(engine, &arguments);
        if output.status.success() {
            assert_eq!(log.matches("getpid()").count(), 5, "{engine} {log}");
        } else {
            println!("skipped: needs a kernel with the 32-bit interface");
        }
    }
}

#[test]
fn time_asleep_is_not_the_systems() {
    for engine in engines() {
        let arguments = ["-c", "-U", "total-time,calls,name", "-e", "trace=/nanosleep"];
        let (table, _) = logged(engine, &[&arguments[..], &["sleep", "0.3"]].concat());
        let row = table.lines().find(|line| line.contains("nanosleep")).expect("a row");
        let seconds: f64 = row.split_whitespace().next().and_then(|s| s.parse().ok()).expect("s");
        // A machine that is busy enough may take long to fall asleep, but not so long.
        assert!(seconds < 0.25, "{engine} {table}");
    }
}

#[test]
fn the_engine_and_the_reason_are_named_unless_quiet() {
    let said = |arguments: &[&str]| {
        let run = [&["-o", "/dev/null"], arguments, &["true"]].concat();
        lossy(&trace().args(run).output().expect("fdscope is built for its tests").stderr)
    };
    let words = "fdscope trace: by ptrace: -e read= needs ptrace\n";
    assert_eq!(said(&["-e", "read=3"]), words);
    assert_eq!(said(&["-q"]), "");
    assert_eq!(said(&["--json", "-o", "/dev/null", "-q"]), "");
    if has_bpf() {
        let told = said(&[]);
        assert!(told.starts_with("fdscope trace: by eBPF, "), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(said(&["-e", "trace=all"]).contains("tracepoints of all calls"));
    }
    let wrong = trace().args(["-b", "execve", "--source=bpf", "true"]).output().expect("it runs");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn who_may_not_look_is_told_what_helps() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    // Its own copy: the folder of the build may be closed to others.
    let folder = tempfile::tempdir().expect("a folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("its own");
    let program = folder.path().join("fdscope");
    fdscope_fixtures::copy_program(env!("CARGO_BIN_EXE_fdscope"), &program);
    let run = |manner: &str, pid: &str| {
        let mut command = Command::new(&program);
        command.args([manner, "-p", pid]).uid(65534).gid(65534);
        command.output().expect("runs as nobody")
    };
    let refused = run("trace", "1");
    let said = lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(77), "{said}");
    assert!(said.contains("  run: sudo ") && said.contains("setcap cap_bpf"), "{said}");
    assert_eq!(run("trace", "4194304").status.code(), Some(4));
    assert_eq!(run("strace", "1").status.code(), Some(1));
}

#[test]
fn what_a_program_waits_in_is_told_at_once() {
    for engine in engines() {
        let mut echo = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("cat is everywhere");
        let mut command = trace();
        command.args([engine, "-e", "trace=read", "-p", &echo.id().to_string()]);
        let mut tracer = command.stderr(Stdio::piped()).spawn().expect("fdscope is built");
        let mut told = BufReader::new(tracer.stderr.take().expect("piped"));
        let mut seen = Vec::new();
        while !lossy(&seen).ends_with("read(0, ") {
            let mut byte = [0];
            assert_eq!(told.read(&mut byte).expect("readable"), 1, "{engine} {}", lossy(&seen));
            seen.extend_from_slice(&byte);
        }
        echo.stdin.take().expect("piped").write_all(b"word\n").expect("it reads");
        let mut line = String::new();
        told.read_line(&mut line).expect("readable");
        assert_eq!(words(&line), "\"word\\n\", 131072) = 5", "{engine}");
        assert!(echo.wait().expect("it ends with its input").success());
        assert!(tracer.wait().expect("it ends with its target").success());
    }
}

#[test]
fn calls_are_chosen_by_the_kind_of_descriptor() {
    let script = "exec 7</dev/null; exec 8</etc/passwd; exec 8<&-; exec 7<&-";
    let arguments = ["--kind=char-device", "-e", "trace=openat,close,dup2", "sh", "-c", script];
    for engine in engines() {
        let (log, _) = logged(engine, &arguments);
        assert!(log.contains("openat(AT_FDCWD, \"/dev/null\", O_RDONLY) = 3"), "{engine} {log}");
        assert!(log.contains("close(7) "), "{engine} {log}");
        assert!(!log.contains("passwd") && !log.contains("close(8)"), "{engine} {log}");
    }
    let wrong = trace().args(["--kind=sock", "true"]).output().expect("it runs");
    assert!(lossy(&wrong.stderr).contains("invalid kind 'sock'; the kinds are file, "));
}

#[test]
fn a_table_of_each_process_is_told() {
    for engine in engines() {
        let options =
            ["-f", "-c", "--summary-by-process", "-U", "calls,name", "-e", "trace=execve"];
        let (tables, _) =
            logged(engine, &[&options[..], &["sh", "-c", "cat </dev/null; :"]].concat());
        let headings = tables.lines().filter(|line| line.ends_with(':')).count();
        assert_eq!(headings, 3, "{engine} {tables}");
        let total = tables.lines().last().expect("a table");
        assert_eq!(words(total), "2 total", "{engine} {tables}");
    }
}
