//! `cargo xtask kernels IMAGE…`: the released program on other kernels, in emulated machines, as a table.
//!
//! An IMAGE is a vmlinuz, or the Debian package that holds one. Each is booted by qemu without acceleration, on a root of
//! busybox, the program and a few fixtures; `kernels/guest.sh` runs there and prints, and this file judges what it
//! printed. Emulated time advances with instructions, so a slow host changes nothing but how long one waits.

use crate::{bench, tree};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a machine said of a feature: its exit code, and what was printed.
struct Said {
    code: i32,
    text: String,
}

/// Whether a feature works there, from all that was said.
type Judge = fn(&HashMap<String, Said>) -> Result<String>;

const FEATURES: &[(&str, Judge)] = &[
    ("`leak`, eBPF", |all| events(all, "leak", "\"level\":\"leak\"")),
    ("healthy, eBPF", |all| events(all, "healthy", "\"ledger_agrees\":true")),
    ("threads, eBPF", |all| events(all, "threads", "\"kind\":\"thread\"")),
    ("io_uring, eBPF", |all| events(all, "uring", "\"ledger_agrees\":true")),
    ("`leak`, ptrace", |all| events(all, "ptrace", "\"level\":\"leak\"")),
    ("`leak`, poll", |all| has(all, "poll", "\"source\":{\"name\":\"poll\"")),
    ("`ls --source bpf`", same_rows),
    ("`trace -f`, some calls", |all| traced(all, "trace")),
    ("`trace -f`, all calls", |all| traced(all, "trace-all")),
    ("`capture` names owners", |all| has(all, "capture", "; nc[")),
    ("unprivileged", |all| refused(all, "nobody")),
];

/// Programs of busybox that the guest uses.
const APPLETS: &[&str] = &[
    "cat", "chmod", "head", "ifconfig", "mount", "nc", "pidof", "poweroff", "sh", "sleep", "su",
    "true", "uname",
];

const FIXTURES: &[&str] = &["leaky", "healthy", "threads", "uring"];

/// Runs the chore.
pub fn run(arguments: &[String]) -> Result<()> {
    ensure!(
        !arguments.is_empty() && !arguments.iter().any(|argument| argument.starts_with('-')),
        "usage: cargo xtask kernels IMAGE…, each a vmlinuz or the .deb that holds one"
    );
    for needed in ["qemu-system-x86_64", "busybox", "cpio"] {
        if !fdscope_fixtures::in_path(needed) {
            println!(
                "skipped: needs {needed} (apt-get install qemu-system-x86 busybox-static cpio)"
            );
            return Ok(());
        }
    }
    let scratch = Scratch::new()?;
    let root = lay_out(&scratch.0)?;
    let headings: Vec<&str> = FEATURES.iter().map(|(name, _)| *name).collect();
    println!("| kernel | {} |\n|---|{}", headings.join(" | "), "---|".repeat(FEATURES.len()));
    let mut notes = String::new();
    for image in arguments {
        let console = boot(&kernel(Path::new(image), &scratch.0)?, &root)?;
        print_row(image, &console, &mut notes)?;
    }
    print!("\n{notes}");
    Ok(())
}

/// A folder that goes when the chore ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("fdscope-kernels-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("failed to make {folder:?}"))?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is small, and in the folder for such things.
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

/// The machines' root, packed.
fn lay_out(scratch: &Path) -> Result<PathBuf> {
    let root = scratch.join("root");
    for folder in ["bin", "dev", "etc", "fixtures", "lib", "lib64", "proc", "sys", "tmp"] {
        std::fs::create_dir_all(root.join(folder))?;
    }
    let busybox = tree::output(Command::new("sh").args(["-c", "command -v busybox"]))?;
    std::fs::copy(busybox.trim(), root.join("bin/busybox"))?;
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    let program = bench::built()?;
    std::fs::copy(&program, root.join("bin/fdscope"))?;
    copy_libraries(&program, &root)?;
    for name in FIXTURES {
        let made = fdscope_fixtures::c(name);
        std::fs::copy(made, root.join("fixtures").join(name))?;
    }
    let users = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";
    std::fs::write(root.join("etc/passwd"), users)?;
    let init = root.join("init");
    std::fs::write(&init, include_str!("kernels/guest.sh"))?;
    std::fs::set_permissions(&init, std::fs::Permissions::from_mode(0o755))?;
    let packed = scratch.join("root.cpio");
    let pack = "find . | cpio -o -H newc -R 0:0 --quiet > ../root.cpio";
    tree::output(Command::new("sh").current_dir(&root).args(["-c", pack]))?;
    Ok(packed)
}

/// The shared libraries that a program is linked with, as ldd(1) finds them.
fn copy_libraries(program: &Path, root: &Path) -> Result<()> {
    let found = tree::output(Command::new("ldd").arg(program))?;
    for library in found.split_whitespace().filter(|word| word.starts_with('/')) {
        let name = Path::new(library).file_name().context("ldd names files")?;
        let folder = if library.starts_with("/lib64/") { "lib64" } else { "lib" };
        std::fs::copy(library, root.join(folder).join(name))?;
    }
    Ok(())
}

/// The kernel itself: the image, or what a package holds.
fn kernel(image: &Path, scratch: &Path) -> Result<PathBuf> {
    if image.extension().is_none_or(|extension| extension != "deb") {
        return Ok(image.to_owned());
    }
    let folder = scratch.join("package");
    let _old = std::fs::remove_dir_all(&folder);
    tree::output(Command::new("dpkg-deb").arg("-x").arg(image).arg(&folder))?;
    let found = tree::output(Command::new("find").arg(&folder).args(["-name", "vmlinuz*"]))?;
    let first = found.lines().next();
    Ok(PathBuf::from(first.with_context(|| format!("{} holds no vmlinuz", image.display()))?))
}

/// Boots it, and returns its console when it has switched itself off. Half an hour bounds a machine that hangs.
fn boot(kernel: &Path, root: &Path) -> Result<String> {
    let done = Command::new("timeout")
        .args(["1800", "nice", "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "768"])
        .args(["-icount", "shift=1,sleep=off", "-nodefaults", "-no-user-config", "-no-reboot"])
        .args(["-display", "none", "-serial", "stdio", "-kernel"])
        .arg(kernel)
        .arg("-initrd")
        .arg(root)
        .args(["-append", "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off"])
        .stdin(Stdio::null())
        .output()
        .context("failed to run qemu-system-x86_64")?;
    Ok(String::from_utf8_lossy(&done.stdout).replace('\r', ""))
}

fn print_row(image: &str, console: &str, notes: &mut String) -> Result<()> {
    let Some((_, after)) = console.split_once("@kernel ") else {
        let end = console.lines().last().unwrap_or_default();
        bail!("{image} did not start; its console ends with {end:?}");
    };
    let name = after.lines().next().unwrap_or_default();
    let all = parse(console);
    let mut row = format!("| {name} |");
    for (feature, judge) in FEATURES {
        match judge(&all) {
            Ok(how) => write!(row, " {how} |")?,
            Err(why) => {
                row.push_str(" **no** |");
                writeln!(notes, "- {name}, {feature}: {why:#}")?;
            }
        }
    }
    println!("{row}");
    Ok(())
}

/// What stands between @begin and @end, by name.
fn parse(console: &str) -> HashMap<String, Said> {
    let mut all = HashMap::new();
    for part in console.split("@begin ").skip(1) {
        let Some((name, rest)) = part.split_once('\n') else { continue };
        let end = format!("@end {name} ");
        let Some((text, after)) = rest.split_once(&end) else { continue };
        let code = after.lines().next().and_then(|code| code.trim().parse().ok());
        all.insert(name.to_owned(), Said { code: code.unwrap_or(-1), text: text.to_owned() });
    }
    all
}

fn said<'a>(all: &'a HashMap<String, Said>, name: &str) -> Result<&'a Said> {
    all.get(name).context("the machine did not get so far")
}

/// The words are there and the exit code is 0.
fn has(all: &HashMap<String, Said>, name: &str, words: &str) -> Result<String> {
    let Said { code, text } = said(all, name)?;
    let last = text.trim().lines().last().unwrap_or_default();
    ensure!(*code == 0 && text.contains(words), "exit code {code}: {last}");
    Ok("ok".to_owned())
}

/// A watch that saw all: nothing lost, and the ledger equal to the kernel's table.
fn events(all: &HashMap<String, Said>, name: &str, words: &str) -> Result<String> {
    has(all, name, words)?;
    let text = &said(all, name)?.text;
    ensure!(text.contains("\"lost\":0"), "events were lost");
    ensure!(!text.contains("\"ledger_agrees\":false"), "the ledger is not the kernel's table");
    Ok("ok".to_owned())
}

/// The iterator gives the rows that the walk gives.
fn same_rows(all: &HashMap<String, Said>) -> Result<String> {
    has(all, "ls-bpf", "eventpoll").or_else(|_| has(all, "ls-bpf", "FD"))?;
    ensure!(said(all, "ls-bpf")?.text == said(all, "ls-proc")?.text, "rows differ from /proc's");
    Ok("ok".to_owned())
}

/// By which engine calls are told; the tracer says it when it is not eBPF.
fn traced(all: &HashMap<String, Said>, name: &str) -> Result<String> {
    has(all, name, "\"/etc/passwd\"")?;
    let by_ptrace = said(all, name)?.text.contains("by ptrace:");
    Ok(if by_ptrace { "by ptrace" } else { "ok" }.to_owned())
}

/// One clear sentence and the exit code for what is not permitted.
fn refused(all: &HashMap<String, Said>, name: &str) -> Result<String> {
    let Said { code, text } = said(all, name)?;
    ensure!(*code == 77 && text.contains("eBPF cannot be used"), "exit code {code}: {text}");
    Ok("refused, 77".to_owned())
}
