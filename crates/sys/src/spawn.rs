//! Starting a program that waits, before its first instruction, until a tracer has seized it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::thread::{self, JoinHandle};

use fdscope_model::Pid;
use rustix::pipe::{PipeFlags, pipe_with};

/// A process that exists but has not run its program yet.
pub struct Paused {
    pid: Pid,
    go: OwnedFd,
    spawner: JoinHandle<io::Result<Child>>,
}

/// Forks for `command` and returns as soon as the child exists; it runs the program when [`Paused::go`] is called.
///
/// Standard input, environment, working directory and signals are as `Command` makes them, resource limits as fdscope
/// found them. Dropping the answer makes
/// the child give up without having run anything.
///
/// # Errors
/// If there is no such program, or no process can be made.
pub fn paused(mut command: Command) -> io::Result<Paused> {
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC)?;
    let (wait, go) = pipe_with(PipeFlags::CLOEXEC)?;
    let ends = [tell.as_raw_fd(), wait.as_raw_fd(), go.as_raw_fd(), told.as_raw_fd()];
    // SAFETY: the closure calls only getpid, close, write, read and setrlimit, which are async-signal-safe; the descriptors are
    // open in the child because the spawner below keeps them open until it has forked.
    unsafe { command.pre_exec(move || pause(ends)) };
    let spawner = thread::Builder::new().name("spawn".into()).spawn(move || {
        let child = command.spawn();
        drop((tell, wait));
        child
    })?;
    let mut pid = [0; 4];
    match rustix::io::read(&told, &mut pid) {
        Ok(4) => Ok(Paused { pid: Pid(u32::from_ne_bytes(pid)), go, spawner }),
        _ => Err(finish(spawner).err().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())),
    }
}

impl Paused {
    /// The process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets the program run, and returns once it does.
    ///
    /// # Errors
    /// Why the program could not be run: not found, not executable.
    pub fn go(self) -> io::Result<Started> {
        rustix::io::write(&self.go, &[1])?;
        Ok(Started(self.spawner))
    }
}

/// A process that was told to run its program.
pub struct Started(JoinHandle<io::Result<Child>>);

impl Started {
    /// True once it is known whether the program runs.
    pub fn is_known(&self) -> bool {
        self.0.is_finished()
    }

    /// Whether the program runs. Blocks until that is known: a tracer must go on serving the child's stops meanwhile.
    ///
    /// # Errors
    /// Why it could not be run.
    pub fn outcome(self) -> io::Result<()> {
        finish(self.0).map(drop)
    }
}

fn finish(spawner: JoinHandle<io::Result<Child>>) -> io::Result<Child> {
    spawner.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// In the child: says the pid, waits for the word, and gives up if the other side is gone.
fn pause([tell, wait, go, told]: [RawFd; 4]) -> io::Result<()> {
    crate::limits::restore();
    let pid = std::process::id().to_ne_bytes();
    // SAFETY: the child's copies of the parent's ends; without this a parent's death would not end the wait.
    unsafe { libc::close(go) };
    // SAFETY: as above.
    unsafe { libc::close(told) };
    // SAFETY: four bytes of a live local are written to a descriptor.
    let wrote = unsafe { libc::write(tell, pid.as_ptr().cast(), pid.len()) };
    let mut word = 0u8;
    let read = loop {
        // SAFETY: one byte of a live local is read into.
        let read = unsafe { libc::read(wait, (&raw mut word).cast(), 1) };
        if read >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            break read;
        }
    };
    if wrote == 4 && read == 1 { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
}
