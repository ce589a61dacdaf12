//! One look at threads that wait and threads that run: their stacks are seen, and they do not notice.

mod common;

use common::{Target, compile};
use fdscope_model::{Pid, Tid};
use fdscope_ptrace::glance::{Look, glance};

#[test]
fn a_thread_is_seen_and_works_on() {
    let Some(program) = compile("worker", &[]) else { return };
    let mut target = Target::start(program);
    let pid = target.pid();
    for _ in 0..20 {
        let looks = glance(pid, &[Tid(pid.0)], 4096).expect("permitted");
        let [Look::Seen(seen)] = looks.as_slice() else { panic!("{looks:?}") };
        assert!(seen.regs.sp != 0 && seen.regs.ip != 0 && !seen.bytes.is_empty() && !seen.compat);
        target.go();
        assert_eq!(target.line(), "alive");
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    assert!(status.contains("TracerPid:\t0\n"));
    assert_eq!(target.end(), Some(0));
}

#[test]
fn a_thread_that_is_gone_is_no_error() {
    let this = Pid(std::process::id());
    assert_eq!(glance(this, &[Tid(u32::MAX >> 2)], 64).expect("permitted"), [Look::Gone]);
}
