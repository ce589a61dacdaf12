//! Names of users and hosts as the C library knows them, which may ask name services; and local time.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::net::IpAddr;

/// Room for a line of the password database; longer lines are not found.
const LINE: usize = 16 * 1024;
/// Longest name of a host (`NI_MAXHOST`).
const HOST: usize = 1025;

/// The login name of a user.
pub fn login(uid: u32) -> Option<Vec<u8>> {
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut line = [0; LINE];
    let mut found = std::ptr::null_mut();
    // SAFETY: every pointer is to memory of this frame, with its true length.
    let result = unsafe {
        libc::getpwuid_r(uid, entry.as_mut_ptr(), line.as_mut_ptr().cast(), LINE, &raw mut found)
    };
    if result != 0 || found.is_null() {
        return None;
    }
    // SAFETY: `found` points to `entry`, which the call has filled in.
    let name = unsafe { (*found).pw_name };
    // SAFETY: the name is a string inside `line`.
    let name = unsafe { CStr::from_ptr(name) };
    Some(name.to_bytes().to_vec())
}

/// The user of a login name.
pub fn user(login: &[u8]) -> Option<u32> {
    let login = CString::new(login).ok()?;
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut line = [0; LINE];
    let mut found = std::ptr::null_mut();
    // SAFETY: `login` ends with NUL; every other pointer is to memory of this frame, with its true length.
    let result = unsafe {
        libc::getpwnam_r(
            login.as_ptr(),
            entry.as_mut_ptr(),
            line.as_mut_ptr().cast(),
            LINE,
            &raw mut found,
        )
    };
    if result != 0 || found.is_null() {
        return None;
    }
    // SAFETY: `found` points to `entry`, which the call has filled in.
    Some(unsafe { (*found).pw_uid })
}

/// The name of the host that has an address. May wait for a name server.
pub fn host(address: IpAddr) -> Option<Vec<u8>> {
    match address {
        IpAddr::V4(address) => {
            let socket = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: 0,
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
                sin_zero: [0; 8],
            };
            host_of(&socket)
        }
        IpAddr::V6(address) => {
            let socket = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: 0,
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: address.octets() },
                sin6_scope_id: 0,
            };
            host_of(&socket)
        }
    }
}

/// `socket` is a `sockaddr_in` or a `sockaddr_in6`.
fn host_of<T>(socket: &T) -> Option<Vec<u8>> {
    let mut name = [0_u8; HOST];
    // SAFETY: `socket` is a socket address of the length given, `name` has the length given, and no service is asked.
    let result = unsafe {
        libc::getnameinfo(
            std::ptr::from_ref(socket).cast(),
            size_of::<T>() as libc::socklen_t,
            name.as_mut_ptr().cast(),
            HOST as libc::socklen_t,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if result != 0 {
        return None;
    }
    Some(CStr::from_bytes_until_nul(&name).ok()?.to_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_user_0() {
        assert_eq!(login(0).as_deref(), Some(&b"root"[..]));
        assert_eq!(user(b"root"), Some(0));
        assert_eq!(user(b"no such user here"), None);
        assert_eq!(user(b"a\0b"), None);
    }
}
