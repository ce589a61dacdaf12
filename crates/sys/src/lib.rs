//! Safe wrappers over the system calls that rustix lacks. The only crate of fdscope with `unsafe`.
//!
//! One file per family of calls. Each unsafe block is one operation, with the sentence that says why it is sound.

pub mod bpf;
pub mod bpf_name;
pub mod clock;
pub mod held;
pub mod kcmp;
pub mod kernel_types;
pub mod limits;
pub mod linger;
pub mod names;
pub mod net;
pub mod packet_ring;
pub mod pcap_library;
pub mod privileges;
pub mod ptrace;
pub mod rlimit;
pub mod spawn;
pub mod vm;
pub mod zone;
