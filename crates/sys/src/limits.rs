//! fdscope's own resource limits: raised for its work, and given back as they were to every program it starts.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limits raised, as they were found.
static FOUND: OnceLock<[(Resource, Rlimit); 2]> = OnceLock::new();

/// Raises the limits on descriptors and locked memory as far as is permitted; a refusal leaves them as they are.
///
/// fdscope holds a descriptor or two per module of its targets, and kernels before 5.11 charge the memory of BPF maps to
/// RLIMIT_MEMLOCK. To be called before threads are made and programs started.
pub fn raise_own() {
    let found = [Resource::Nofile, Resource::Memlock].map(|of| (of, getrlimit(of)));
    for (resource, limit) in FOUND.get_or_init(|| found) {
        let _refused = setrlimit(*resource, Rlimit { current: limit.maximum, ..*limit });
    }
    // Needs CAP_SYS_RESOURCE, which root has where it matters.
    let _refused = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None });
}

/// Sets the limits as they were found: between fork and exec, for it allocates nothing and takes no lock.
pub(crate) fn restore() {
    for (resource, limit) in FOUND.get().into_iter().flatten() {
        let _refused = setrlimit(*resource, *limit);
    }
}
