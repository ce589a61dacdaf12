//! Names are found wherever they are: separate debug files, files deleted, processes gone, other mount namespaces.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Copied, Fixture, can_compile, check, compile, have, names, run};
use fdscope_model::{StackId, Symbolized, Symbolizer, Trace};
use fdscope_stack::{StackOptions, Stacks};

struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    /// A directory with the compiled fixture `chain`; `None` where none can be compiled.
    fn new() -> Option<Bench> {
        let bench = Bench { directory: tempfile::tempdir().unwrap() };
        can_compile().then(|| {
            compile("cc", "chain.c", &["-O2", "-Wl,--build-id"], &bench.path("chain"));
            bench
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Splits `chain` into a stripped file and its debug file `chain.debug`.
    fn split(&self) {
        run("objcopy", &["--only-keep-debug", &self.text("chain"), &self.text("chain.debug")]);
        run("strip", &["--strip-all", &self.text("chain")]);
    }

    fn build_id(&self) -> String {
        let output = Command::new("readelf").arg("-n").arg(self.path("chain")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find_map(|line| line.trim().strip_prefix("Build ID: ")).unwrap().to_owned()
    }

    fn start(&self) -> (Fixture, Copied) {
        let mut fixture = Fixture::start(Command::new(self.path("chain")).arg("plain"));
        let copied = fixture.capture();
        (fixture, copied)
    }
}

fn options(directory: &Path) -> StackOptions {
    StackOptions { debug_dirs: vec![directory.to_path_buf()], ..StackOptions::default() }
}

/// The site is `third`, above `take` and `copy_stack`: nothing of the fixture is plumbing, so it is the innermost.
fn assert_lines(symbolized: &Symbolized) {
    let first = symbolized.frames.iter().find(|f| f.symbol.function.as_deref() == Some("first"));
    let symbol = &first.unwrap().symbol;
    assert!(symbol.file.as_deref().unwrap().ends_with("chain.c"), "{symbol:?}");
    let source = fs::read_to_string(common::source("chain.c")).unwrap();
    let line = source.lines().position(|line| line.contains("NOINLINE int first")).unwrap() + 1;
    assert_eq!(symbol.line, Some(line as u32));
}

#[test]
fn lines_come_from_the_file_itself() {
    let Some(bench) = Bench::new() else { return };
    let (fixture, copied) = bench.start();
    let mut stacks = Stacks::new(options(bench.directory.path()));
    let symbolized = check(&mut stacks, fixture.pid(), &copied);
    assert_lines(&symbolized);
    let frame = &symbolized.frames[0];
    assert_eq!(frame.module.bytes(), bench.text("chain").as_bytes());
    assert_eq!(frame.build_id.as_deref(), Some(&*bench.build_id()));
}

#[test]
fn lines_come_from_a_debug_link() {
    let Some(bench) = Bench::new() else { return };
    bench.split();
    run(
        "objcopy",
        &[&format!("--add-gnu-debuglink={}", bench.text("chain.debug")), &bench.text("chain")],
    );
    fs::create_dir(bench.path(".debug")).unwrap();
    fs::rename(bench.path("chain.debug"), bench.path(".debug/chain.debug")).unwrap();
    let (fixture, copied) = bench.start();
    let mut stacks = Stacks::new(options(Path::new("/nonexistent")));
    assert_lines(&check(&mut stacks, fixture.pid(), &copied));
}

#[test]
fn lines_come_from_a_build_id_directory() {
    let Some(bench) = Bench::new() else { return };
    bench.split();
    let id = bench.build_id();
    let home = bench.path("debug/.build-id").join(&id[..2]);
    fs::create_dir_all(&home).unwrap();
    fs::rename(bench.path("chain.debug"), home.join(format!("{}.debug", &id[2..]))).unwrap();
    let (fixture, copied) = bench.start();
    let mut stacks = Stacks::new(options(&bench.path("debug")));
    assert_lines(&check(&mut stacks, fixture.pid(), &copied));
}

#[test]
fn lines_come_from_the_debuginfod_cache() {
    let Some(bench) = Bench::new() else { return };
    bench.split();
    let home = bench.path("cache").join(bench.build_id());
    fs::create_dir_all(&home).unwrap();
    fs::rename(bench.path("chain.debug"), home.join("debuginfo")).unwrap();
    let (fixture, copied) = bench.start();
    let cache = Some(bench.path("cache"));
    let mut stacks =
        Stacks::new(StackOptions { debuginfod_cache: cache, ..StackOptions::default() });
    assert_lines(&check(&mut stacks, fixture.pid(), &copied));
}

#[test]
fn a_debug_file_of_another_build_is_refused() {
    let Some(bench) = Bench::new() else { return };
    bench.split();
    fs::rename(bench.path("chain"), bench.path("mine")).unwrap();
    compile("cc", "chain.c", &["-O1", "-Wl,--build-id", "-DOTHER"], &bench.path("chain"));
    fs::rename(bench.path("chain"), bench.path("other")).unwrap();
    fs::rename(bench.path("mine"), bench.path("chain")).unwrap();
    let id = bench.build_id();
    let home = bench.path("debug/.build-id").join(&id[..2]);
    fs::create_dir_all(&home).unwrap();
    fs::rename(bench.path("other"), home.join(format!("{}.debug", &id[2..]))).unwrap();
    let (fixture, copied) = bench.start();
    let mut stacks = Stacks::new(options(&bench.path("debug")));
    let id = copied.intern(&mut stacks, fixture.pid());
    let symbolized = stacks.symbolize(id);
    let own = |f: &&fdscope_model::Frame| f.module.bytes() == bench.text("chain").as_bytes();
    assert!(symbolized.frames.iter().filter(own).all(|frame| frame.symbol.line.is_none()));
}

#[test]
fn a_stripped_program_keeps_module_and_offset_and_says_what_it_lacks() {
    let Some(bench) = Bench::new() else { return };
    bench.split();
    let mut stacks = Stacks::new(StackOptions::default());
    let mut ids: Vec<StackId> = Vec::new();
    for _ in 0..2 {
        let (fixture, copied) = bench.start();
        ids.push(copied.intern(&mut stacks, fixture.pid()));
    }
    assert_eq!(ids[0], ids[1], "one place in the code is one group, whatever its address");
    let symbolized = stacks.symbolize(ids[0]);
    let site = &symbolized.frames[symbolized.at.unwrap()];
    assert_eq!(site.module.bytes(), bench.text("chain").as_bytes());
    assert_eq!(site.symbol.function, None);
    assert_ne!(site.offset, 0);
    let wanted = stacks.wanted_debug_files(ids[0]);
    let wanted =
        wanted.iter().find(|w| w.module.bytes() == bench.text("chain").as_bytes()).unwrap();
    let id = bench.build_id();
    let file = format!("/usr/lib/debug/.build-id/{}/{}.debug", &id[..2], &id[2..]);
    assert_eq!(wanted.file.as_deref(), Some(Path::new(&file)));
}

#[test]
fn names_come_from_a_packed_symbol_table() {
    let Some(bench) = Bench::new().filter(|_| have("xz")) else { return };
    // As rpm's find-debuginfo does it: the symbol table alone, packed, in a section of the stripped file.
    run("objcopy", &["--only-keep-debug", &bench.text("chain"), &bench.text("mini")]);
    run(
        "objcopy",
        &[
            "-S",
            "--remove-section",
            ".comment",
            "--keep-symbol=first",
            "--keep-symbol=second",
            &bench.text("mini"),
        ],
    );
    run("xz", &[&bench.text("mini")]);
    run("strip", &["--strip-all", &bench.text("chain")]);
    let section = format!(".gnu_debugdata={}", bench.text("mini.xz"));
    run("objcopy", &["--add-section", &section, &bench.text("chain")]);
    let (fixture, copied) = bench.start();
    let mut stacks = Stacks::new(StackOptions::default());
    let id = copied.intern(&mut stacks, fixture.pid());
    let got = names(&stacks.symbolize(id));
    assert!(got.windows(2).any(|pair| pair == ["first", "second"]), "{got:?}");
}

#[test]
fn names_outlive_the_process_and_the_file() {
    let Some(bench) = Bench::new() else { return };
    let (mut fixture, copied) = bench.start();
    let mut stacks = Stacks::new(StackOptions::default());
    let id = copied.intern(&mut stacks, fixture.pid());
    fixture.end();
    stacks.exit(fixture.pid());
    fs::remove_file(bench.path("chain")).unwrap();
    let symbolized = stacks.symbolize(id);
    common::assert_truth(&copied, &symbolized, stacks.stack(id));
    assert_lines(&symbolized);
}

#[test]
fn a_file_deleted_or_replaced_before_it_was_seen_is_still_read() {
    let Some(bench) = Bench::new() else { return };
    for replacement in [None, Some("something else")] {
        compile("cc", "chain.c", &["-O2"], &bench.path("chain"));
        let (fixture, copied) = bench.start();
        fs::remove_file(bench.path("chain")).unwrap();
        if let Some(text) = replacement {
            fs::write(bench.path("chain"), text).unwrap();
        }
        let mut stacks = Stacks::new(StackOptions::default());
        let symbolized = check(&mut stacks, fixture.pid(), &copied);
        assert_lines(&symbolized);
        assert_eq!(symbolized.frames[0].module.bytes(), bench.text("chain").as_bytes());
    }
}

#[test]
fn a_program_in_another_mount_namespace_is_read_there() {
    let Some(bench) = Bench::new() else { return };
    let script = format!(
        "mount -t tmpfs none {0}/inside && cp {0}/chain {0}/inside/chain && exec {0}/inside/chain plain",
        bench.directory.path().display()
    );
    fs::create_dir(bench.path("inside")).unwrap();
    let probe = Command::new("unshare").args(["-m", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("skipped: needs CAP_SYS_ADMIN");
        return;
    }
    let mut fixture = Fixture::start(Command::new("unshare").args(["-m", "sh", "-c", &script]));
    let copied = fixture.capture();
    assert!(!bench.path("inside/chain").exists());
    let mut stacks = Stacks::new(StackOptions::default());
    let symbolized = check(&mut stacks, fixture.pid(), &copied);
    assert_lines(&symbolized);
    assert_eq!(symbolized.frames[0].module.bytes(), bench.text("inside/chain").as_bytes());
}

#[test]
fn code_made_at_run_time_is_named_by_its_perf_map() {
    let Some(bench) = Bench::new() else { return };
    compile("cc", "jit.c", &["-O2", "-fomit-frame-pointer"], &bench.path("jit"));
    let mut bare = Command::new(bench.path("jit"));
    bare.arg("without frame pointer");
    let mut commands = vec![Command::new(bench.path("jit")), bare];
    let mut inside = Command::new("unshare");
    inside.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(bench.path("jit"));
    if Command::new("unshare").args(["-p", "-f", "true"]).status().is_ok_and(|s| s.success()) {
        commands.push(inside);
    } else {
        eprintln!("skipped: needs CAP_SYS_ADMIN");
    }
    for mut command in commands {
        let mut fixture = Fixture::start(&mut command);
        let mut copied = fixture.capture();
        // unshare is the parent of the program when it makes a PID namespace.
        let children = format!("/proc/{0}/task/{0}/children", fixture.pid());
        let child = fs::read_to_string(children).unwrap();
        let pid = child.trim().parse().map_or(fixture.pid(), fdscope_model::Pid);
        let mut stacks = Stacks::new(StackOptions::default());
        let id = copied.intern(&mut stacks, pid);
        assert!(!stacks.stack(id).truncated);
        assert_eq!(fixture.line(), "MAP");
        copied.truth[1] = "leak".into();
        let symbolized = stacks.symbolize(id);
        common::assert_truth(&copied, &symbolized, stacks.stack(id));
        let leak = symbolized.frames.iter().find(|f| f.symbol.function.as_deref() == Some("leak"));
        assert_eq!(leak.unwrap().symbol.file.as_deref(), Some("/srv/app.py"));
        fixture.end();
    }
}

#[test]
fn inlined_and_mangled_names_of_cpp_are_shown() {
    let Some(bench) = Bench::new() else { return };
    if !have("g++") {
        return;
    }
    compile("g++", "inlined.cpp", &["-O2"], &bench.path("inlined"));
    let mut fixture = Fixture::start(&mut Command::new(bench.path("inlined")));
    let copied = fixture.capture();
    let mut stacks = Stacks::new(StackOptions::default());
    let id = copied.intern(&mut stacks, fixture.pid());
    let symbolized = stacks.symbolize(id);
    let got = names(&symbolized);
    let mut rest = got.iter();
    for wanted in &copied.truth {
        assert!(rest.any(|name| name.contains(wanted.as_str())), "{wanted} in {got:?}");
    }
    let inlined = symbolized.frames.iter().find(|f| f.symbol.inlined).unwrap();
    assert!(inlined.symbol.function.as_deref().unwrap().contains("load_inlined"), "{got:?}");
    // The call of take is on the inlined function's only line; the call of that is on load's.
    let source = fs::read_to_string(common::source("inlined.cpp")).unwrap();
    let line = |text: &str| source.lines().position(|l| l.contains(text)).unwrap() as u32 + 1;
    assert_eq!(inlined.symbol.line, Some(line("int load_inlined(int n)")));
    let outer = symbolized.frames.iter().position(|f| f.symbol.inlined).unwrap() + 1;
    assert_eq!(symbolized.frames[outer].symbol.line, Some(line("T load(T n)")));
    assert!(got.iter().any(|name| name.contains("(anonymous namespace)::Worker::run")), "{got:?}");
}

#[test]
fn stripped_go_programs_are_named_by_their_own_table() {
    if !cfg!(target_arch = "x86_64") || Command::new("go").arg("version").output().is_err() {
        eprintln!("skipped: needs go");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("stripped");
    let mut build = Command::new("go");
    build.args(["build", "-ldflags=-s -w", "-o"]).arg(&program).arg(common::source("callers.go"));
    build.env("GOCACHE", directory.path().join("cache")).env("GOFLAGS", "-mod=mod");
    assert!(build.status().unwrap().success());
    let mut fixture = Fixture::start(&mut Command::new(&program));
    let mut truth: Vec<(u64, String)> = Vec::new();
    loop {
        let line = fixture.line();
        let Some((address, rest)) = line.split_once(' ') else { break };
        truth.push((address.parse().unwrap(), rest.to_owned()));
    }
    assert!(truth.len() >= 4, "{truth:?}");
    let addresses: Vec<u64> = truth.iter().map(|(address, _)| *address).collect();
    let mut stacks = Stacks::new(StackOptions::default());
    let id = common::id(stacks.intern(fixture.pid(), &Trace::Addresses(&addresses)));
    let symbolized = stacks.symbolize(id);
    let text = |symbol: &fdscope_model::Symbol| {
        let (function, file) = (symbol.function.as_deref(), symbol.file.as_deref());
        format!("{} {}:{}", function.unwrap(), file.unwrap(), symbol.line.unwrap())
    };
    let got: Vec<String> = symbolized.frames.iter().map(|frame| text(&frame.symbol)).collect();
    let truth: Vec<String> = truth.into_iter().map(|(_, text)| text).collect();
    assert_eq!(got, truth);
}

mod shop {
    #[inline(never)]
    pub fn rust_function(n: u32) -> u32 {
        std::hint::black_box(n) + 1
    }
}

#[test]
fn names_of_rust_are_demangled() {
    let address = shop::rust_function as fn(u32) -> u32 as usize as u64 + 4;
    let mut stacks = Stacks::new(StackOptions::default());
    let pid = fdscope_model::Pid(std::process::id());
    let id = common::id(stacks.intern(pid, &Trace::Addresses(&[address])));
    let symbolized = stacks.symbolize(id);
    let site = &symbolized.frames[symbolized.at.unwrap()].symbol;
    assert_eq!(site.function.as_deref(), Some("symbols::shop::rust_function"));
    assert!(site.file.as_deref().unwrap().ends_with("tests/symbols.rs"));
    assert_eq!(stacks.counters().given, 1);
}

#[test]
fn a_process_that_never_was_gives_addresses_and_no_more() {
    let mut stacks = Stacks::new(StackOptions::default());
    let id = common::id(stacks.intern(fdscope_model::Pid(u32::MAX), &Trace::Addresses(&[0x1234])));
    let symbolized = stacks.symbolize(id);
    assert_eq!(symbolized.frames.len(), 1);
    assert_eq!(symbolized.frames[0].offset, 0x1233);
    assert!(symbolized.frames[0].module.is_empty());
    assert!(stacks.symbolize(StackId(999)).frames.is_empty());
}
