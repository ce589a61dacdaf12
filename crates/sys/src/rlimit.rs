//! Reading another process's resource limits with prlimit(2): twenty times cheaper than /proc/PID/limits, but only for
//! processes of the same user (or with CAP_SYS_RESOURCE).

use fdscope_model::Pid;

/// A resource whose limit can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// RLIMIT_NOFILE.
    Nofile,
    /// RLIMIT_NPROC.
    Nproc,
}

/// The soft limit of a process, `u64::MAX` for none; `None` if there is no such process or it may not be asked.
pub fn soft(pid: Pid, resource: Resource) -> Option<u64> {
    let resource = match resource {
        Resource::Nofile => libc::RLIMIT_NOFILE,
        Resource::Nproc => libc::RLIMIT_NPROC,
    };
    let pid = libc::pid_t::try_from(pid.0).ok()?;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: no new limit is given, and the old one is written into a local of the kernel's type.
    let done = unsafe { libc::prlimit(pid, resource, std::ptr::null(), &raw mut limit) };
    (done == 0).then_some(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_limits_are_read_and_nobodys_are_not() {
        let own = told_by_proc();
        assert_eq!(soft(Pid(std::process::id()), Resource::Nofile), own);
        assert_eq!(soft(Pid(u32::MAX), Resource::Nofile), None);
        assert_eq!(soft(Pid(4_194_300), Resource::Nproc), None);
    }

    fn told_by_proc() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/self/limits").ok()?;
        let line = text.lines().find(|line| line.starts_with("Max open files"))?;
        match line.split_whitespace().nth(3)? {
            "unlimited" => Some(u64::MAX),
            number => number.parse().ok(),
        }
    }
}
