//! From what was typed, a number or a name, to the processes to watch.

use anyhow::Result;
use fdscope_model::{Pid, Process};
use fdscope_proc::{ProcError, ProcRoot};

use crate::ending::{Ending, Failure};

/// More than this many processes under one name is rather a mistake than a wish.
const MOST: usize = 256;

/// The processes that the targets name, each once, in order of number.
///
/// # Errors
/// With the exit code for it, if a target names none or too many.
pub fn resolve(proc: &ProcRoot, targets: &[String]) -> Result<Vec<Process>> {
    let found = look_up(proc, targets, &mut |target, several| match several.len() {
        many if many > MOST => Err(too_many(target, many)),
        _ => {
            say_several(target, several);
            Ok(())
        }
    })?;
    refuse_kernel_threads(&found)?;
    Ok(found)
}

/// As [`resolve`], for those who only look: any number of processes, kernel threads too, and nothing said.
///
/// # Errors
/// With the exit code for it, if a target names none.
pub fn find(proc: &ProcRoot, targets: &[String]) -> Result<Vec<Process>> {
    look_up(proc, targets, &mut |_, _| Ok(()))
}

/// What is done about several processes under one name.
type Several<'a> = dyn FnMut(&str, &[Process]) -> Result<(), Failure> + 'a;

fn look_up(proc: &ProcRoot, targets: &[String], several: &mut Several<'_>) -> Result<Vec<Process>> {
    let mut found: Vec<Process> = Vec::new();
    for target in targets {
        let matches = proc.find(target).map_err(|error| unreadable(target, &error))?;
        match matches.as_slice() {
            [] => return Err(nobody(target).into()),
            [_] => {}
            all => several(target, all)?,
        }
        found.extend(matches);
    }
    found.sort_by_key(|process| process.id);
    found.dedup_by_key(|process| process.id);
    Ok(found)
}

/// Does something with each of the processes that a target named. One that is gone by now is passed over where others
/// are left, for they come and go; the last ending that is not `Done` is returned.
///
/// # Errors
/// If all are gone, or something else fails.
pub fn each_living(
    processes: &[Process],
    mut work: impl FnMut(&Process) -> Result<Ending>,
) -> Result<Ending> {
    let (mut ending, mut gone, mut done) = (Ending::Done, None, false);
    for process in processes {
        match work(process) {
            Ok(Ending::Done) => done = true,
            Ok(other) => (ending, done) = (other, true),
            Err(error) => {
                let failure = error.downcast_ref::<Failure>();
                if failure.is_none_or(|failure| failure.ending != Ending::TargetGone) {
                    return Err(error);
                }
                gone = Some(error);
            }
        }
    }
    match gone {
        Some(error) if !done => Err(error),
        _ => Ok(ending),
    }
}

/// The descendants of these processes, added to them.
pub fn with_children(proc: &ProcRoot, processes: Vec<Process>) -> Vec<Process> {
    let mut all = processes;
    let mut next = 0;
    while let Some(parent) = all.get(next).map(|process| process.id.pid) {
        next += 1;
        let Ok(children) = proc.children(parent) else { continue };
        let living = children.iter().filter_map(|child| proc.process(child.id.pid).ok());
        let new: Vec<Process> =
            living.filter(|child| all.iter().all(|known| known.id != child.id)).collect();
        all.extend(new);
    }
    all.sort_by_key(|process| process.id);
    all
}

fn nobody(target: &str) -> Failure {
    match target.parse::<u32>() {
        Ok(pid) => Failure::new(Ending::TargetGone, format!("there is no process {pid}")),
        Err(_) => Failure::new(
            Ending::TargetGone,
            format!(
                "there is no process named {:?}",
                fdscope_model::Name::from(target).to_string()
            ),
        )
        .cure("a name is compared with comm, executable, argv[0] and script; `ps -e` lists them"),
    }
}

fn too_many(target: &str, count: usize) -> Failure {
    Failure::new(
        Ending::Usage,
        format!("{count} processes are named {target:?}: name fewer by number"),
    )
}

fn say_several(target: &str, several: &[Process]) {
    let pids: Vec<String> = several.iter().map(|process| process.id.pid.to_string()).collect();
    eprintln!("fdscope: {} processes are named {target}: {}", several.len(), pids.join(", "));
}

fn unreadable(target: &str, error: &ProcError) -> Failure {
    let what = format!("failed to look for {target}: {error}");
    if !error.is_not_permitted() {
        return Failure::new(Ending::Failed, what);
    }
    let typed: Vec<String> = std::env::args().collect();
    Failure::new(Ending::NotPermitted, what).cure(format!("run: sudo {}", typed.join(" ")))
}

fn refuse_kernel_threads(processes: &[Process]) -> Result<(), Failure> {
    const KTHREADD: Pid = Pid(2);
    let kernel = |process: &&Process| process.parent == KTHREADD || process.id.pid == KTHREADD;
    match processes.iter().find(kernel) {
        Some(thread) => Err(Failure::new(
            Ending::Usage,
            format!(
                "{} ({}) is a kernel thread: it holds no descriptors",
                thread.id.pid, thread.comm
            ),
        )),
        None => Ok(()),
    }
}
