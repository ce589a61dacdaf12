//! `cargo xtask bpf`: from `crates/bpf/bpf/*.bpf.c` to the committed objects and their MANIFEST.
//!
//! The objects must come out the same wherever they are built, so no path of the machine may reach them: the compiler
//! runs inside the source folder with relative names and the folder's own name mapped away. A plain `cargo test` only
//! compares hashes with the MANIFEST; `--check` rebuilds, and needs the clang that the MANIFEST names.

use crate::tree;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What clang is told, apart from the file names. `-mcpu=v3` is understood by every kernel from 5.1.
const FLAGS: &[&str] = &[
    "-O2",
    "-g",
    "-target",
    "bpfel",
    "-mcpu=v3",
    "-std=gnu11",
    "-Wall",
    "-Werror",
    "-fno-ident",
    "-fdebug-compilation-dir=.",
    "-I.",
];

/// A processor that objects are built for: what `bpf/arch.h` is told, and how its objects are called.
struct Processor {
    define: &'static str,
    suffix: &'static str,
}

const PROCESSORS: &[Processor] = &[
    Processor { define: "__TARGET_ARCH_x86", suffix: ".x86_64.bpf.o" },
    Processor { define: "__TARGET_ARCH_arm64", suffix: ".aarch64.bpf.o" },
];

const HEADING: &str =
    "# Written by `cargo xtask bpf`; each line is kind, sha256, path. Do not edit.\n";

/// Runs the chore.
pub fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => rebuild(),
        [flag] if flag == "--check" => check(),
        _ => bail!("usage: cargo xtask bpf [--check]"),
    }
}

fn source_folder() -> PathBuf {
    tree::root().join("crates/bpf/bpf")
}

fn object_folder() -> PathBuf {
    tree::root().join("crates/bpf/obj")
}

fn manifest_path() -> PathBuf {
    object_folder().join("MANIFEST")
}

fn rebuild() -> Result<()> {
    let compiler = compiler()?;
    std::fs::create_dir_all(object_folder())?;
    let objects = compile_all(&object_folder())?;
    for stale in tree::files(&object_folder(), ".bpf.o")? {
        if !objects.contains(&stale) {
            std::fs::remove_file(&stale)?;
            println!("bpf: removed {}, whose source is gone", stale.display());
        }
    }
    std::fs::write(manifest_path(), manifest(&compiler)?)?;
    println!("bpf: {} objects built with {compiler}", objects.len());
    Ok(())
}

/// Why the tree's sources and objects are not those of the MANIFEST, if they are not.
pub fn manifest_complaint() -> Option<anyhow::Error> {
    pinned().err()
}

/// The clang of the MANIFEST, once its hashes are seen to agree with the tree.
fn pinned() -> Result<String> {
    let written = std::fs::read_to_string(manifest_path())
        .with_context(|| format!("failed to read {}", manifest_path().display()))?;
    let pinned = field(&written, "clang").context("the MANIFEST names no clang")?;
    ensure!(
        written == manifest(pinned)?,
        "the BPF sources or objects are not those of the MANIFEST; run `cargo xtask bpf`"
    );
    Ok(pinned.to_owned())
}

fn check() -> Result<()> {
    let pinned = pinned()?;
    match compiler() {
        Ok(present) if present == pinned => compare(&pinned),
        Ok(present) => unchecked(&pinned, &present),
        Err(_) => unchecked(&pinned, "none"),
    }
}

fn unchecked(pinned: &str, present: &str) -> Result<()> {
    println!("skipped: needs {pinned} to rebuild the BPF objects, found {present}; hashes agree");
    Ok(())
}

fn compare(pinned: &str) -> Result<()> {
    let scratch = std::env::temp_dir().join(format!("fdscope-bpf-check-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let result = compare_in(&scratch);
    std::fs::remove_dir_all(&scratch)?;
    println!("bpf: {} objects equal their rebuild with {pinned}", result?);
    Ok(())
}

fn compare_in(scratch: &Path) -> Result<usize> {
    let rebuilt = compile_all(scratch)?;
    for object in &rebuilt {
        let committed = object_folder().join(object.file_name().expect("compile_all names files"));
        ensure!(
            tree::sha256(object)? == tree::sha256(&committed)?,
            "{} differs from its rebuild; run `cargo xtask bpf`",
            committed.display()
        );
    }
    Ok(rebuilt.len())
}

/// Compiles every source into `folder` and returns the objects.
fn compile_all(folder: &Path) -> Result<Vec<PathBuf>> {
    let sources = tree::files(&source_folder(), ".bpf.c")?;
    ensure!(!sources.is_empty(), "no *.bpf.c in {}", source_folder().display());
    let pairs = sources.iter().flat_map(|source| PROCESSORS.iter().map(move |p| (source, p)));
    pairs.map(|(source, processor)| compile(source, processor, folder)).collect()
}

fn compile(source: &Path, processor: &Processor, folder: &Path) -> Result<PathBuf> {
    let name = source.file_name().expect("listed from a folder").to_string_lossy().into_owned();
    let object = folder.join(name.replace(".bpf.c", processor.suffix));
    let prefix = format!("-ffile-prefix-map={}/=", source_folder().display());
    tree::output(
        Command::new("clang")
            .current_dir(source_folder())
            .args(FLAGS)
            .arg(prefix)
            .arg(format!("-D{}", processor.define))
            .args(["-c", &name, "-o"])
            .arg(&object),
    )?;
    // Drops DWARF, keeps .BTF and .BTF.ext: what the kernel and the loader read.
    tree::output(Command::new("llvm-strip").arg("-g").arg(&object))?;
    Ok(object)
}

/// The first line of `clang --version`.
fn compiler() -> Result<String> {
    let version = tree::output(Command::new("clang").arg("--version"))?;
    Ok(version.lines().next().unwrap_or_default().trim().to_owned())
}

fn manifest(compiler: &str) -> Result<String> {
    let mut text = String::from(HEADING);
    text += &format!("clang {compiler}\nflags {}\n", FLAGS.join(" "));
    let groups = [
        ("source", source_folder(), ".bpf.c"),
        ("header", source_folder(), ".h"),
        ("object", object_folder(), ".bpf.o"),
    ];
    for (kind, folder, suffix) in groups {
        for file in tree::files(&folder, suffix)? {
            let relative = file.strip_prefix(tree::root().join("crates/bpf"))?;
            text += &format!("{kind} {} {}\n", tree::sha256(&file)?, relative.display());
        }
    }
    Ok(text)
}

/// The rest of the line that begins with `word`.
fn field<'a>(manifest: &'a str, word: &str) -> Option<&'a str> {
    manifest.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
}
