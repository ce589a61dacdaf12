//! From what a user types, a number or a name, to processes.

use fdscope_model::{Pid, Process};

use crate::error::ProcError;
use crate::parse::{file_name, parse_cmdline, script_of};
use crate::root::ProcRoot;

/// What a name can be compared with, in the order of trust: the first that matches any process decides.
type Naming = fn(&Process) -> Option<Vec<u8>>;

const NAMINGS: [Naming; 4] = [by_comm, by_executable, by_first_argument, by_script];

impl ProcRoot {
    /// The processes that `text` names: the one with that number; else those whose `comm` it is; else whose
    /// executable's file name; else whose `argv[0]`'s; else whose script's, for interpreters. Never fdscope itself.
    /// Several are the caller's to choose from; none is an empty list.
    ///
    /// # Errors
    /// If /proc cannot be listed, or the number names a process that may not be seen.
    pub fn find(&self, text: &str) -> Result<Vec<Process>, ProcError> {
        if let Some(pid) = text.parse().ok().filter(|&pid| pid > 0) {
            match self.process(Pid(pid)) {
                Ok(process) => return Ok(vec![process]),
                // A program may be called by digits alone.
                Err(error) if error.is_gone() => {}
                Err(error) => return Err(error),
            }
        }
        let own = self.is_own().then(std::process::id);
        let others = |process: &Process| Some(process.id.pid.0) != own;
        let processes: Vec<Process> = self.processes()?.into_iter().filter(others).collect();
        Ok(choose(processes, text.as_bytes()))
    }
}

fn choose(processes: Vec<Process>, name: &[u8]) -> Vec<Process> {
    let matches = |naming: &Naming, process: &Process| naming(process).is_some_and(|n| n == name);
    let Some(naming) = NAMINGS.iter().find(|naming| processes.iter().any(|p| matches(naming, p)))
    else {
        return Vec::new();
    };
    processes.into_iter().filter(|process| matches(naming, process)).collect()
}

fn by_comm(process: &Process) -> Option<Vec<u8>> {
    Some(process.comm.bytes().to_vec())
}

fn by_executable(process: &Process) -> Option<Vec<u8>> {
    let path = process.exe.bytes();
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    Some(file_name(path).to_vec()).filter(|name| !name.is_empty())
}

fn by_first_argument(process: &Process) -> Option<Vec<u8>> {
    let arguments = parse_cmdline(process.cmdline.bytes());
    let first = arguments.first()?;
    // Servers write their state behind the name: `postgres: writer process`.
    let end = first.windows(2).position(|pair| pair == b": ").unwrap_or(first.len());
    Some(file_name(&first[..end]).to_vec())
}

fn by_script(process: &Process) -> Option<Vec<u8>> {
    let arguments = parse_cmdline(process.cmdline.bytes());
    script_of(process.exe.bytes(), &arguments)
        .or_else(|| script_of(arguments.first()?, &arguments))
        .map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_model::ProcessId;

    fn process(pid: u32, comm: &str, exe: &str, cmdline: &str) -> Process {
        Process {
            id: ProcessId { pid: Pid(pid), start_ticks: 0 },
            comm: comm.into(),
            exe: exe.into(),
            cmdline: cmdline.replace(' ', "\0").as_str().into(),
            ..Process::default()
        }
    }

    #[test]
    fn the_most_trusted_name_that_matches_decides() {
        let all = || {
            vec![
                process(1, "app", "/usr/bin/app", "app"),
                process(2, "worker", "/opt/app (deleted)", "x"),
                process(3, "python3", "/usr/bin/python3.11", "python3 /srv/jobs.py"),
                process(4, "python3", "/usr/bin/python3.11", "python3 -m jobs"),
                process(5, "very-long-name-", "/usr/bin/very-long-name-of-it", "x"),
                process(6, "sh", "/usr/bin/dash", "/opt/daemon"),
            ]
        };
        let check = |name: &str, expected: &[u32]| {
            let found: Vec<u32> =
                choose(all(), name.as_bytes()).iter().map(|p| p.id.pid.0).collect();
            assert_eq!(found, expected, "{name}");
        };
        check("app", &[1]);
        check("python3", &[3, 4]);
        check("python3.11", &[3, 4]);
        check("jobs.py", &[3]);
        check("jobs", &[4]);
        check("very-long-name-of-it", &[5]);
        check("daemon", &[6]);
        check("nobody", &[]);
    }

    #[test]
    fn numbers_and_names_of_living_processes_resolve_and_never_to_this_one() {
        let root = ProcRoot::open().expect("/proc");
        let found = root.find(&std::process::id().to_string()).expect("by number");
        assert_eq!(found.len(), 1);
        let comm = found[0].comm.to_string();
        let found = root.find(&comm).expect("by name");
        assert!(found.iter().all(|process| process.id.pid.0 != std::process::id()));
    }
}
