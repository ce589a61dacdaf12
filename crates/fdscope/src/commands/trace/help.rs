//! What `-h` and `-V` say.

use super::Manner;

/// The help.
pub fn text(manner: Manner) -> String {
    let name = manner.name();
    let default = match manner {
        Manner::Trace => "%handle",
        Manner::Strace => "all",
    };
    format!("\
Usage: {name} [OPTIONS] {{ -p PID | PROG [ARGS] }}

System calls of processes, in strace's lines. strace's options are understood, and some more.

Startup:
  -p PID, --attach=PID           trace these processes; lists, and more than once; with -f all threads
  -E VAR[=VAL], --env=           set or remove a variable of PROG
  -u USER, --user=USER           run PROG as USER
  --argv0=NAME                   PROG's zeroth argument
Tracing:
  -f, --follow-forks             children too; -ff: a file for each task
  -b execve, --detach-on=execve  let go of who runs another program
  -D, -DD, -DDD, --daemonize=    the tracer is a grandchild; in its own group; in its own session
  -I 1..4, --interruptible=      when fatal signals are heard
  --kill-on-exit                 PROG dies with the tracer
  --seccomp-bpf                  with -f and PROG: stop only at the calls that are traced. The filter stays in PROG
                                 for life: if this tracer is killed, those calls fail with ENOSYS
Filtering:
  -e trace=SET, --trace=SET      [default: {default}] names, %class, /regex, numbers, ?name, !all but; @32, @64
                                 classes: %handle %file %desc %network %process %signal %ipc %memory %creds %clock
                                 %stat %lstat %fstat %%stat %statfs %fstatfs %%statfs %pure
  -e signal= status= fd= read= write= quiet=   sets of these
  -P PATH, --trace-path=PATH     only calls that concern PATH
  -z, -Z                         only calls that succeeded, that failed
Lines:
  -o FILE|'|CMD', -A             to a file, to a command; append
  -a COLUMN, -s LENGTH, -v, -x, -xx, -X raw|abbrev|verbose, -y, -yy, -Y, -i, -n, -r, -t, -tt, -ttt, -T, -k, -kk
  --timestamps=[time|unix|date|none][,s|ms|us|ns]
  -e abbrev= verbose= raw=       of which calls
  -q, -qq, -qqq, --quiet=        say less
  --always-show-pid, --stack-trace-frame-limit=N
Statistics:
  -c, -C, -w, -S COLUMN, -U COLUMNS, -O TIME   tables of calls
Beyond strace:
  --json                         one JSON object a line (fdscope/trace/1)
  --whole-lines                  a line a call, when it is over, with a number
  --source=auto|bpf|ptrace       the engine; auto: for fdscope trace eBPF where it is permitted and does what is asked,
                                 for strace ptrace. fdscope trace says which and why, unless -q is given
  --for=TIME, --max-size=BYTES, --syscall-limit=N   stop by itself
  --rotate=N                     with --max-size and -o FILE: keep N files
  --errno=SET, --path-glob=GLOB, --min-duration=TIME   only such calls
  --kind=KIND,...                only calls that concern a descriptor of these kinds: socket, pipe, file, ...
  --summary-every=TIME           with -c or -C: a table so often
  --summary-by-process           with -c or -C: a table of each process, too
  --children                     with -p: children that exist already, too
Values of environment variables that look secret are masked, unless -v is given.
")
}

/// The version.
pub fn version() -> String {
    format!("strace -- version 6.1 as fdscope {} understands it\n", env!("CARGO_PKG_VERSION"))
}
