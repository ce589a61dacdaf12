//! Names of BPF maps and programs by their numbers: bpf(2) with `BPF_OBJ_GET_INFO_BY_FD`.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_MAP_GET_FD_BY_ID: libc::c_long = 14;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_LINK_GET_FD_BY_ID: libc::c_long = 30;

/// `BPF_OBJ_NAME_LEN`.
const NAME_BYTES: usize = 16;

/// `union bpf_attr` of the `…_GET_FD_BY_ID` commands.
#[repr(C)]
struct ById {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

/// `union bpf_attr` of BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
struct GetInfo {
    fd: u32,
    bytes: u32,
    into: u64,
}

/// The first bytes of `struct bpf_map_info`, `bpf_prog_info` and `bpf_link_info`: as far as any has what is used.
#[repr(C, align(8))]
struct Info([u8; 80]);

impl Info {
    fn name(&self, offset: usize) -> Vec<u8> {
        let field = self.0.get(offset..offset + NAME_BYTES).unwrap_or_default();
        field.split(|&b| b == 0).next().unwrap_or_default().to_vec()
    }
}

/// The name of a `map` or `prog`, of a `link` that of its program; at most 15 bytes.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN, `ENOENT` if it is gone, `EINVAL` for any other word.
pub fn object_name(object: &str, id: u32) -> io::Result<Vec<u8>> {
    const NAME_OF_MAP: usize = 24;
    const NAME_OF_PROGRAM: usize = 64;
    const PROGRAM_OF_LINK: usize = 8;
    match object {
        "map" => Ok(read(BPF_MAP_GET_FD_BY_ID, id)?.name(NAME_OF_MAP)),
        "prog" => Ok(read(BPF_PROG_GET_FD_BY_ID, id)?.name(NAME_OF_PROGRAM)),
        "link" => {
            let info = read(BPF_LINK_GET_FD_BY_ID, id)?;
            let mut number = [0; 4];
            number.copy_from_slice(&info.0[PROGRAM_OF_LINK..PROGRAM_OF_LINK + 4]);
            object_name("prog", u32::from_ne_bytes(number))
        }
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn read(by_id: libc::c_long, id: u32) -> io::Result<Info> {
    let attr = ById { id, next_id: 0, open_flags: 0 };
    // SAFETY: bpf(2) reads size_of::<ById>() bytes of attr, which lives until this returns.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, by_id, &raw const attr, size_of::<ById>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor to us, and nobody else knows its number.
    let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    let mut info = Info([0; 80]);
    let attr = GetInfo {
        fd: fd.as_raw_fd() as u32,
        bytes: size_of::<Info>() as u32,
        into: &raw mut info as u64,
    };
    // SAFETY: bpf(2) reads attr and writes at most `attr.bytes` bytes to `info`; both live until this returns, and
    // the zeros in `info` ask for no further memory to be written.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &raw const attr, size_of::<GetInfo>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(info) }
}
