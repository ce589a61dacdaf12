//! Where modules, debug files and JIT maps are looked for.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::plumbing::{PLUMBING, Row};

/// What [`Stacks`](crate::Stacks) needs to know of its surroundings.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The proc file system: normally `/proc`.
    pub proc_root: PathBuf,
    /// Directories with separate debug files, each with a `.build-id` directory or a copy of the tree.
    ///
    /// They are tried in the target's mount namespace first, then in fdscope's.
    pub debug_dirs: Vec<PathBuf>,
    /// The debuginfod client's cache, if there is one. The network is never used.
    pub debuginfod_cache: Option<PathBuf>,
    /// Which frames stand between a system call and the code at fault.
    pub plumbing: &'static [Row],
}

impl Default for StackOptions {
    fn default() -> Self {
        StackOptions {
            proc_root: "/proc".into(),
            debug_dirs: vec!["/usr/lib/debug".into()],
            debuginfod_cache: None,
            plumbing: PLUMBING,
        }
    }
}

impl StackOptions {
    /// The default, with the debuginfod cache that these environment variables name (debuginfod-find(1)):
    /// `DEBUGINFOD_CACHE_PATH`, else `XDG_CACHE_HOME` or `HOME`.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name| variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let cache = path("DEBUGINFOD_CACHE_PATH")
            .or_else(|| Some(path("XDG_CACHE_HOME")?.join("debuginfod_client")))
            .or_else(|| Some(path("HOME")?.join(".cache/debuginfod_client")));
        StackOptions { debuginfod_cache: cache, ..StackOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expected: Option<&str>) {
        let variable =
            |name: &str| variables.iter().find(|v| v.0 == name).map(|v| OsString::from(v.1));
        let cache = StackOptions::from_environment(variable).debuginfod_cache;
        assert_eq!(cache, expected.map(PathBuf::from));
    }

    #[test]
    fn debuginfod_cache_follows_the_client() {
        check(&[], None);
        check(&[("HOME", "/root")], Some("/root/.cache/debuginfod_client"));
        check(&[("HOME", "/root"), ("XDG_CACHE_HOME", "/c")], Some("/c/debuginfod_client"));
        check(&[("XDG_CACHE_HOME", "/c"), ("DEBUGINFOD_CACHE_PATH", "/d")], Some("/d"));
        check(
            &[("DEBUGINFOD_CACHE_PATH", ""), ("HOME", "/h")],
            Some("/h/.cache/debuginfod_client"),
        );
    }
}
