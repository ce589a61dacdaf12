//! A program held before its exec, for a tracer that wants to see the exec itself: exactly one, with exactly these words.
//!
//! [`crate::spawn`] does the same where what is done before and during exec does not matter.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

use fdscope_model::Pid;
use rustix::pipe::{PipeFlags, pipe_with};

/// What to run, and as whom.
#[derive(Debug, Default)]
pub struct Plan {
    /// The file.
    pub file: CString,
    /// The arguments, the zeroth included.
    pub arguments: Vec<CString>,
    /// The environment: `NAME=VALUE`.
    pub environment: Vec<CString>,
    /// As whom; `None` for as whom the caller runs.
    pub identity: Option<Identity>,
    /// A seccomp filter, as classic BPF: code, jump if true, jump if false, operand. Demands that the program gain no
    /// privileges (`no_new_privs`), unless the caller has CAP_SYS_ADMIN. It cannot be taken out again.
    pub filter: Vec<(u16, u8, u8, u32)>,
    /// Who becomes the program.
    pub place: Place,
}

/// Whose rights a program gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// Who becomes the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Place {
    /// A child.
    #[default]
    Child,
    /// The caller's own process; the caller goes on in a child.
    Parent,
    /// The same, and the caller goes on in a process group of its own.
    ParentNewGroup,
    /// The same, and the caller goes on in a session of its own.
    ParentNewSession,
}

/// A process that has yet to run its program.
#[derive(Debug)]
pub struct Held {
    /// Its number.
    pub pid: Pid,
    go: OwnedFd,
}

impl Held {
    /// Lets it run exec, which may fail; the process ends with status 1 then.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn go(self) -> io::Result<()> {
        rustix::io::write(&self.go, &[1])?;
        Ok(())
    }
}

/// What the process that becomes the program needs: made before the fork, since it may not allocate after it.
struct Prepared {
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    filter: Vec<libc::sock_filter>,
    wait: RawFd,
    go: RawFd,
}

/// Makes the process. Dropping the answer makes it give up without having run anything.
///
/// # Errors
/// If no process can be made.
pub fn held(plan: &Plan) -> io::Result<Held> {
    let (wait, go) = pipe_with(PipeFlags::CLOEXEC)?;
    let pointers = |words: &[CString]| -> Vec<*const c_char> {
        words.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect()
    };
    let filter = plan.filter.iter().map(|&(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k });
    let prepared = Prepared {
        arguments: pointers(&plan.arguments),
        environment: pointers(&plan.environment),
        filter: filter.collect(),
        wait: wait.as_raw_fd(),
        go: go.as_raw_fd(),
    };
    let caller = rustix::process::getpid();
    // SAFETY: the process that becomes the program calls only what signal-safety(7) lists and raw system calls; the
    // other goes on as before.
    let forked = unsafe { libc::fork() };
    if forked < 0 {
        return Err(io::Error::last_os_error());
    }
    let becomes_program = (forked == 0) == (plan.place == Place::Child);
    if becomes_program {
        become_program(plan, &prepared, forked);
    }
    match plan.place {
        Place::ParentNewGroup => drop(rustix::process::setpgid(None, None)),
        Place::ParentNewSession => drop(rustix::process::setsid()),
        Place::Child | Place::Parent => {}
    }
    let pid = if plan.place == Place::Child { forked } else { caller.as_raw_nonzero().get() };
    Ok(Held { pid: Pid(pid as u32), go })
}

/// Waits for the word, and becomes the program.
fn become_program(plan: &Plan, prepared: &Prepared, forked: c_int) -> ! {
    if plan.place != Place::Child {
        // SAFETY: prctl with integers: the kernel's Yama module then lets the child trace this process.
        let _without_yama = unsafe { libc::prctl(libc::PR_SET_PTRACER, forked as libc::c_ulong) };
    }
    crate::limits::restore();
    // SAFETY: Rust ignores SIGPIPE; programs expect the default.
    let _cannot_fail = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // SAFETY: this process's copy of the other's end; without this the other's death would not end the wait.
    unsafe { libc::close(prepared.go) };
    let mut word = 0u8;
    let read = loop {
        // SAFETY: one byte of a live local is read into.
        let read = unsafe { libc::read(prepared.wait, (&raw mut word).cast::<c_void>(), 1) };
        if read >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            break read;
        }
    };
    if read == 1 && take_identity(plan) && install(&prepared.filter) {
        let (arguments, environment) = (&prepared.arguments, &prepared.environment);
        // SAFETY: a NUL-terminated path and two vectors of such words that end with null, alive in `plan`.
        unsafe { libc::execve(plan.file.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    }
    // SAFETY: ends the process without running destructors or handlers that belong to the caller.
    unsafe { libc::_exit(1) }
}

fn take_identity(plan: &Plan) -> bool {
    let Some(identity) = &plan.identity else { return true };
    // SAFETY: a live array and its length.
    let groups = unsafe { libc::setgroups(identity.groups.len(), identity.groups.as_ptr()) };
    // SAFETY: integers only.
    let group = unsafe { libc::setregid(identity.gid, identity.gid) };
    // SAFETY: integers only.
    let user = unsafe { libc::setreuid(identity.uid, identity.uid) };
    groups == 0 && group == 0 && user == 0
}

fn install(filter: &[libc::sock_filter]) -> bool {
    if filter.is_empty() {
        return true;
    }
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).unwrap_or(u16::MAX),
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: prctl with integers.
    unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: the program and its instructions are live; the kernel only reads them.
    unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) == 0 }
}

#[cfg(test)]
mod tests {
    use rustix::process::{WaitOptions, waitpid};

    use super::*;

    fn status_of(file: &str, arguments: &[&str]) -> Option<i32> {
        let word = |text: &str| CString::new(text).expect("no NUL");
        let plan = Plan {
            file: word(file),
            arguments: arguments.iter().map(|text| word(text)).collect(),
            environment: vec![word("WORD=7")],
            ..Plan::default()
        };
        let held = held(&plan).expect("a process");
        let pid = rustix::process::Pid::from_raw(held.pid.0 as i32);
        held.go().expect("it waits");
        let (_, status) = waitpid(pid, WaitOptions::empty()).expect("a child")?;
        status.exit_status()
    }

    #[test]
    fn the_program_gets_its_words_and_a_failed_exec_ends_with_1() {
        assert_eq!(status_of("/bin/sh", &["sh", "-c", "exit $WORD"]), Some(7));
        assert_eq!(status_of("/bin/sh", &["name", "-c", "[ $0 = name ]"]), Some(0));
        assert_eq!(status_of("/nowhere", &["x"]), Some(1));
    }
}
