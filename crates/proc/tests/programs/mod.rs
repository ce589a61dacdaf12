//! Programs of the tests of this crate, compiled when a test asks for one.

use std::path::PathBuf;
use std::process::Command;

use fdscope_fixtures::in_path;

/// Compiles a program of this folder; `None` where there is no compiler.
pub fn compile(name: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    if !in_path("cc") {
        return None;
    }
    let folder = tempfile::tempdir().expect("folder");
    let source = format!("{}/tests/programs/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let program = folder.path().join(name);
    let status = Command::new("cc").args(["-pthread", &source, "-o"]).arg(&program).status();
    assert!(status.expect("cc").success());
    Some((folder, program))
}
