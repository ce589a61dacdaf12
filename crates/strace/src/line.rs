//! One call, in two halves: what is known when it is entered, and the rest.

use std::cell::RefCell;

use fdscope_model::{HandleKind, Monotonic};
use fdscope_syscall::Memory;
use fdscope_syscall::decode::{self, Names, State, Style};
use fdscope_syscall::traced::{Call, Ended, Happening};

use crate::glob;
use crate::options::{Options, status};
use crate::secrets;

/// The first half of a call.
pub struct Entered {
    /// The call.
    pub call: Call,
    /// Its name.
    pub name: String,
    /// When it was entered.
    pub at: Monotonic,
    /// `openat(AT_FDCWD, "x", O_RDONLY`.
    pub text: Vec<u8>,
    /// True if it is to be shown: it concerns what is asked for.
    pub shown: bool,
    /// True if it concerns a descriptor of a kind that is asked for, as far as is known on entry.
    pub of_kind: bool,
    /// True if it stands in the output already.
    pub begun: bool,
    state: State,
}

/// The second half.
#[derive(Default)]
pub struct Finished {
    /// The arguments that were not known before.
    pub arguments: Vec<u8>,
    /// `-1 ENOENT (No such file or directory)`.
    pub result: Vec<u8>,
}

impl Entered {
    /// A call about which nothing was written yet.
    pub fn new(call: Call, name: String, at: Monotonic) -> Self {
        let (text, state) = (Vec::new(), State::default());
        Entered { call, name, at, text, shown: true, of_kind: false, begun: false, state }
    }

    /// Writes what is known on entry.
    pub fn write(
        &mut self,
        memory: &dyn Memory,
        style: &Style,
        names: &dyn Names,
        secrets_shown: bool,
    ) {
        self.text.extend_from_slice(self.name.as_bytes());
        self.text.push(b'(');
        self.state = decode::enter(&self.call, memory, style, names, &mut self.text);
        if !secrets_shown && matches!(self.name.as_str(), "execve" | "execveat") {
            secrets::mask(&mut self.text);
        }
    }

    /// Writes the rest.
    pub fn finish(
        &self,
        ended: Ended,
        memory: &dyn Memory,
        style: &Style,
        names: &dyn Names,
    ) -> Finished {
        let mut arguments = Vec::new();
        let (call, state) = (&self.call, self.state);
        let result = decode::exit(call, ended, state, memory, style, names, &mut arguments);
        if ended == Ended::Unknown {
            let open = !arguments.is_empty() || self.text.ends_with(b", ");
            arguments.clear();
            if open {
                arguments.extend_from_slice(b" <unfinished ...>");
            }
        }
        Finished { arguments, result: result.0 }
    }
}

/// Which kind of end it is for a call under way, in `-e status=`.
pub fn ended_word(what: &Happening<'_>) -> u32 {
    match what {
        Happening::Detached => status::DETACHED,
        _ => status::UNFINISHED,
    }
}

/// What is asked for by descriptor and by path, noted while a call is written.
pub struct Sought<'a> {
    options: &'a Options,
    names: &'a dyn Names,
    seen: RefCell<Vec<i32>>,
}

impl<'a> Sought<'a> {
    /// Notes descriptors on the way to `names`.
    pub fn new(options: &'a Options, names: &'a dyn Names) -> Self {
        Sought { options, names, seen: RefCell::default() }
    }

    /// Does what was written concern a descriptor of a kind that is asked for?
    pub fn is_of_kind(&self) -> bool {
        let kinds = &self.options.beyond.kinds;
        let is_wanted = |fd: &i32| self.names.kind(*fd).is_some_and(|kind| kinds.contains(&kind));
        !kinds.is_empty() && self.seen.borrow().iter().any(is_wanted)
    }

    /// Is the call one of those asked for?
    pub fn matches(&self, entered: &Entered, memory: &dyn Memory) -> bool {
        let Options { fds, paths, beyond, .. } = self.options;
        if fds.is_none() && paths.is_empty() && beyond.globs.is_empty() {
            return true;
        }
        let seen = self.seen.borrow();
        let numbers = seen.iter().filter_map(|fd| u32::try_from(*fd).ok());
        let by_number = |set: &crate::set::NumberSet| numbers.clone().any(|fd| set.has(fd));
        if fds.as_ref().is_some_and(by_number) {
            return true;
        }
        if paths.is_empty() && beyond.globs.is_empty() {
            return false;
        }
        let wanted = |path: &[u8]| {
            paths.iter().any(|wanted| wanted == path)
                || beyond.globs.iter().any(|pattern| glob::matches(pattern, path))
        };
        let named = path_arguments(&entered.name).iter().any(|place| {
            let address = entered.call.arguments.get(*place).copied().unwrap_or(0);
            wanted(&path_at(memory, address))
        });
        named || seen.iter().filter_map(|fd| self.names.descriptor(*fd)).any(|path| wanted(&path))
    }
}

impl Names for Sought<'_> {
    fn descriptor(&self, fd: i32) -> Option<Vec<u8>> {
        self.seen.borrow_mut().push(fd);
        if self.options.fd_words == crate::options::FdWords::default() {
            return None;
        }
        self.names.descriptor(fd)
    }

    fn pid(&self, pid: i32) -> Option<Vec<u8>> {
        self.names.pid(pid)
    }

    fn kind(&self, fd: i32) -> Option<HandleKind> {
        self.names.kind(fd)
    }

    fn netlink(&self, fd: i32) -> Option<u32> {
        self.names.netlink(fd)
    }

    fn interface(&self, number: u32) -> Option<Vec<u8>> {
        self.names.interface(number)
    }
}

/// A path in a task's memory; empty if it cannot be read.
fn path_at(memory: &dyn Memory, address: u64) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let read = memory.read(address, &mut bytes);
    bytes.truncate(read);
    match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => bytes.truncate(end),
        None => bytes.clear(),
    }
    bytes
}

/// Which arguments of a call are paths.
fn path_arguments(name: &str) -> &'static [usize] {
    match name {
        "link" | "rename" | "symlink" | "pivot_root" | "mount" => &[0, 1],
        "linkat" | "renameat" | "renameat2" | "move_mount" => &[1, 3],
        "symlinkat" => &[0, 2],
        "openat" | "openat2" | "mkdirat" | "mknodat" | "fchownat" | "futimesat" | "newfstatat"
        | "fstatat64" | "unlinkat" | "readlinkat" | "fchmodat" | "fchmodat2" | "faccessat"
        | "faccessat2" | "utimensat" | "utimensat_time64" | "statx" | "execveat"
        | "name_to_handle_at" | "open_tree" | "inotify_add_watch" | "mount_setattr" => &[1],
        "quotactl" => &[1],
        "fanotify_mark" => &[4],
        "open" | "creat" | "stat" | "stat64" | "oldstat" | "lstat" | "lstat64" | "oldlstat"
        | "access" | "execve" | "chdir" | "mkdir" | "rmdir" | "unlink" | "readlink" | "chmod"
        | "chown" | "chown32" | "lchown" | "lchown32" | "utime" | "utimes" | "mknod" | "statfs"
        | "statfs64" | "chroot" | "swapon" | "swapoff" | "umount" | "umount2" | "truncate"
        | "truncate64" | "setxattr" | "lsetxattr" | "getxattr" | "lgetxattr" | "listxattr"
        | "llistxattr" | "removexattr" | "lremovexattr" | "acct" | "uselib" => &[0],
        _ => &[],
    }
}
