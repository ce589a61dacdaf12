//! Every process by one look of the kernel equals each by its own look through /proc.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use fdscope_bpf::{BpfProcesses, Support};
use fdscope_fixtures::{Fixture, c};
use fdscope_model::survey::{Survey, Vitals};
use fdscope_model::{Limit, Pid};
use fdscope_proc::ProcRoot;
use fdscope_proc::radar::Radar;

fn root() -> ProcRoot {
    ProcRoot::open().expect("/proc")
}

/// Both surveys, or `None` with the reason printed.
fn both() -> Option<(Survey, Survey)> {
    if let Support::Missing(why) = Support::probe() {
        println!("skipped: needs BPF ({why})");
        return None;
    }
    let processes = match BpfProcesses::open() {
        Ok(processes) => processes,
        Err(error) => {
            println!("skipped: needs an iterator over tasks ({error})");
            return None;
        }
    };
    let glimpses = processes.look().expect("a look");
    let Some(seen) = Radar::new(root()).sweep_over(glimpses) else {
        println!("skipped: needs the initial namespaces");
        return None;
    };
    Some((Radar::new(root()).sweep().expect("a sweep"), seen))
}

fn of(survey: &Survey, pid: u32) -> &Vitals {
    let found = survey.processes.iter().find(|vitals| vitals.id.pid == Pid(pid));
    found.unwrap_or_else(|| panic!("{pid} lives"))
}

/// A process that rests, with the rows of both.
fn check(pid: u32) {
    let Some((walked, seen)) = both() else { return };
    assert_eq!(row(of(&walked, pid)), row(of(&seen, pid)));
}

/// All of a row but how much of a limit others use meanwhile.
fn row(vitals: &Vitals) -> Vitals {
    let tasks = vitals.tasks.map(|limit| Limit { used: 0, ..limit });
    Vitals { tasks, ..vitals.clone() }
}

#[test]
fn a_process_has_the_row_of_the_walk() {
    let fixture = Fixture::start(&c("many"), &["descriptors=300", "threads=9"]);
    check(fixture.pid());
}

#[test]
fn a_table_too_large_for_a_row_is_counted_all_the_same() {
    let fixture = Fixture::start(&c("many"), &["descriptors=3000"]);
    check(fixture.pid());
}

#[test]
fn every_process_is_there_once_and_in_order() {
    let fixture = Fixture::start(&c("many"), &["descriptors=5", "processes=40", "threads=3"]);
    let Some((walked, seen)) = both() else { return };
    assert!(seen.processes.is_sorted_by(|one, next| one.id.pid < next.id.pid));
    let children = |survey: &Survey| {
        let all = survey.processes.iter().cloned();
        let children = all.filter(|vitals| vitals.parent == Pid(fixture.pid()));
        children.map(|vitals| row(&vitals)).collect::<Vec<_>>()
    };
    assert_eq!(children(&walked).len(), 39);
    assert_eq!(children(&walked), children(&seen));
    assert_eq!(of(&walked, 1).id, of(&seen, 1).id);
    assert_eq!(walked.kernel_threads > 0, seen.kernel_threads > 0);
}

#[test]
fn users_limits_and_names_are_those_of_the_walk() {
    let mut command = Command::new("prlimit");
    command.args(["--nofile=77:", "--nproc=7777:", "--", "setpriv", "--reuid", "65534"]);
    command.args(["--clear-groups", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("skipped: needs prlimit and setpriv");
        return;
    };
    // Once it answers it is what it will be.
    let input = child.stdin.as_mut().expect("a pipe");
    let _gone = input.write_all(b"x");
    let output = child.stdout.as_mut().expect("a pipe");
    if output.read_exact(&mut [0]).is_ok() {
        check(child.id());
    } else {
        println!("skipped: needs CAP_SETUID");
    }
    let _ended = (child.kill(), child.wait());
}

#[test]
fn zombies_are_their_parents_and_leaders_that_ended_first_hold_what_their_threads_do() {
    let mut zombie = Command::new("/bin/true").spawn().expect("runs");
    let id = rustix::process::Pid::from_child(&zombie);
    let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(id), options).expect("it ends");
    if let Some((walked, seen)) = both() {
        let own = |survey: &Survey| {
            let own = survey.zombies.iter().find(|(pid, _)| *pid == Pid(std::process::id()));
            own.map(|(_, count)| *count)
        };
        assert!(own(&walked) >= Some(1) && own(&seen) >= Some(1));
        assert!(seen.processes.iter().all(|vitals| vitals.id.pid.0 != zombie.id()));
    }
    zombie.wait().expect("it ended");
}
