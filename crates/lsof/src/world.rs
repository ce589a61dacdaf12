//! What must be asked outside while options are read and rows are written: users, services, hosts, files.
//!
//! The program answers; this crate only asks. Nothing is asked that the options do not need.

use std::net::IpAddr;

use fdscope_model::DeviceId;

/// The protocols that services are listed for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// UDP-Lite, which has no services of its own.
    UdpLite,
}

/// What a file is, as stat(2) says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FileIdentity {
    /// The file system's device.
    pub device: DeviceId,
    /// The inode.
    pub inode: u64,
    /// `st_mode`.
    pub mode: u32,
    /// For device nodes, the device.
    pub node: DeviceId,
}

/// A mounted file system.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MountPoint {
    /// Its device.
    pub device: DeviceId,
    /// Where it is mounted.
    pub directory: Vec<u8>,
    /// What is mounted: a device node, `server:/export`.
    pub source: Vec<u8>,
    /// The type of file system: `ext4`, `nfs4`.
    pub kind: Vec<u8>,
}

impl MountPoint {
    /// True for NFS, which lsof treats apart.
    pub fn is_nfs(&self) -> bool {
        self.kind == b"nfs" || self.kind == b"nfs4"
    }
}

/// What a text table of /proc/net says of a socket, where lsof shows that text as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listed {
    /// unix: the address, `0x` included.
    Unix(Vec<u8>),
    /// netlink: the protocol's number.
    Netlink(u32),
    /// raw, raw6, icmp: local and remote address and state, in hexadecimal.
    Raw([Vec<u8>; 3]),
}

/// Answers from outside. Failures are the kernel's words: `No such file or directory`.
pub trait World {
    /// The user of a login name.
    fn user(&self, login: &[u8]) -> Option<u32>;
    /// The login name of a user.
    fn login(&self, user: u32) -> Option<Vec<u8>>;
    /// The port of a service.
    fn port(&self, service: &[u8], protocol: Protocol) -> Option<u16>;
    /// The service of a port.
    fn service(&self, port: u16, protocol: Protocol) -> Option<Vec<u8>>;
    /// The addresses of a host, IPv6 first.
    fn addresses(&self, host: &[u8]) -> Vec<IpAddr>;
    /// The host of an address.
    fn host(&self, address: IpAddr) -> Option<Vec<u8>>;
    /// A path with every symbolic link followed.
    fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, String>;
    /// The file of a path, links followed.
    fn stat(&self, path: &[u8]) -> Result<FileIdentity, String>;
    /// The file of a path, the last link not followed.
    fn lstat(&self, path: &[u8]) -> Result<FileIdentity, String>;
    /// The names in a directory.
    fn list(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, String>;
    /// Every mounted file system.
    fn mounts(&self) -> Vec<MountPoint>;
    /// What lsof copies from the kernel's text tables for the socket of an inode.
    fn listed(&self, inode: u64) -> Option<Listed>;
    /// The present time by a strftime(3) format; `None` if it is wrong.
    fn time(&self, format: &[u8]) -> Option<Vec<u8>>;
}
