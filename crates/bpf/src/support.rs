//! What this kernel and the caller's privilege allow, asked before anything is tried.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;

/// fdscope's own PID namespace, by which the programs number processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PidNamespace {
    /// Depth below the initial one; 0 in it.
    pub level: u32,
    /// Its inode number.
    pub inode: u32,
}

/// The inode of the initial PID namespace: `PROC_PID_INIT_INO` of include/linux/proc_ns.h.
const INITIAL_INODE: u32 = 0xeffffffc;

impl PidNamespace {
    /// Reads the depth from `NSpid` in /proc/self/status, which lists one number per level that is visible, and the
    /// identity from /proc/self/ns/pid.
    pub fn of_self() -> Self {
        let inode =
            fs::metadata("/proc/self/ns/pid").map_or(INITIAL_INODE, |meta| meta.ino() as u32);
        if inode == INITIAL_INODE {
            return PidNamespace { level: 0, inode };
        }
        PidNamespace { level: Self::depth(), inode }
    }

    /// /proc of a nested namespace shows only the numbers from its own level down, so the depth itself is not there;
    /// containers are nearly always one level deep, and the programs check the namespace's identity at that level.
    fn depth() -> u32 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        line.map_or(1, |numbers| numbers.split_whitespace().count().max(1) as u32)
    }
}

/// Whether BPF can be tried at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Support {
    /// Yes.
    Likely,
    /// No, and why, with the cure where there is one.
    Missing(String),
}

/// On 5.10, in an emulated machine, loading the programs gave no answer in eight minutes, nobody knows why: better said at
/// once than waited for.
const OLDEST: (u32, u32) = (5, 11);

const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

impl Support {
    /// Asks for the kernel's type information, for capabilities, and for a ring buffer; loads nothing.
    pub fn probe() -> Self {
        if fs::metadata("/sys/kernel/btf/vmlinux").is_err() {
            return Support::Missing(
                "this kernel has no BTF (/sys/kernel/btf/vmlinux is not there)".to_owned(),
            );
        }
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        if version(&release).is_some_and(|version| version < OLDEST) {
            return Support::Missing(format!(
                "Linux {release} is older than 5.11, where the programs are not known to load"
            ));
        }
        let held = effective_capabilities();
        let has = |capability: u32| held >> capability & 1 == 1;
        let is_capable = has(CAP_SYS_ADMIN) || has(CAP_BPF) && has(CAP_PERFMON);
        if !is_capable {
            return Support::Missing("CAP_BPF and CAP_PERFMON are missing".to_owned());
        }
        // Capabilities are not all: containers refuse the call by seccomp, whoever makes it.
        match fdscope_sys::bpf::try_ring_buffer() {
            Ok(()) => Support::Likely,
            Err(error) => Support::Missing(refusal(&error)),
        }
    }
}

/// Why there is no ring buffer to be had.
fn refusal(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::NOSYS) => "this kernel has no bpf(2)".to_owned(),
        Some(Errno::INVAL) => {
            "this kernel is older than 5.8 (it has no BPF ring buffer)".to_owned()
        }
        Some(Errno::PERM) => {
            "bpf(2) is refused, by a container's seccomp profile or the kernel's lockdown"
                .to_owned()
        }
        _ => format!("bpf(2) fails: {error}"),
    }
}

/// The first two numbers of a kernel's release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// `CapEff` of /proc/self/status; 0 if it cannot be read.
fn effective_capabilities() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_any_release() {
        let check = |release, expected| assert_eq!(version(release), expected, "{release}");
        check("5.10.0-46-cloud-amd64", Some((5, 10)));
        check("6.18.44", Some((6, 18)));
        check("7.3-rc1", Some((7, 3)));
        check("", None);
    }
}
