//! A small world for tests: a village with a well, two services and two hosts.

use std::net::IpAddr;

use fdscope_model::DeviceId;

use crate::world::{FileIdentity, Listed, MountPoint, Protocol, World};

pub(crate) struct Village;

const FILES: &[(&str, u32, u64, u32)] = &[
    ("/village", 1, 2, 0o040_755),
    ("/village/well", 1, 11, 0o100_644),
    ("/village/house", 1, 12, 0o040_755),
    ("/village/house/door", 1, 13, 0o100_644),
    ("/village/sign", 1, 14, 0o120_777),
    ("/village/sock", 1, 16, 0o140_755),
    ("/village/island", 2, 2, 0o040_755),
    ("/dev/village", 5, 50, 0o060_600),
];

impl Village {
    fn find(path: &[u8]) -> Result<FileIdentity, String> {
        let row = FILES.iter().find(|row| row.0.as_bytes() == path);
        let (_, minor, inode, mode) = row.ok_or("No such file or directory")?;
        Ok(FileIdentity {
            device: DeviceId::new(8, *minor),
            inode: *inode,
            mode: *mode,
            node: DeviceId(0),
        })
    }
}

impl World for Village {
    fn user(&self, login: &[u8]) -> Option<u32> {
        [("root", 0), ("smith", 1000)].iter().find(|row| row.0.as_bytes() == login).map(|row| row.1)
    }

    fn login(&self, user: u32) -> Option<Vec<u8>> {
        [(0, "root"), (1000, "smith")].iter().find(|row| row.0 == user).map(|row| row.1.into())
    }

    fn port(&self, service: &[u8], protocol: Protocol) -> Option<u16> {
        let services = [("http", 80), ("https", 443)];
        services
            .iter()
            .find(|row| protocol != Protocol::UdpLite && row.0.as_bytes() == service)
            .map(|row| row.1)
    }

    fn service(&self, port: u16, _protocol: Protocol) -> Option<Vec<u8>> {
        [(80, "http"), (443, "https")].iter().find(|row| row.0 == port).map(|row| row.1.into())
    }

    fn addresses(&self, host: &[u8]) -> Vec<IpAddr> {
        if host == b"well" { vec![IpAddr::from([10, 0, 0, 7])] } else { Vec::new() }
    }

    fn host(&self, address: IpAddr) -> Option<Vec<u8>> {
        (address == IpAddr::from([10, 0, 0, 7])).then(|| b"well".to_vec())
    }

    fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, String> {
        Ok(path.to_vec())
    }

    fn stat(&self, path: &[u8]) -> Result<FileIdentity, String> {
        Village::find(if path == b"/village/sign" { b"/village/well" } else { path })
    }

    fn lstat(&self, path: &[u8]) -> Result<FileIdentity, String> {
        Village::find(path)
    }

    fn list(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let parent = [path, b"/"].concat();
        let inside = |row: &(&str, u32, u64, u32)| {
            let rest = row.0.as_bytes().strip_prefix(parent.as_slice())?;
            (!rest.contains(&b'/')).then(|| rest.to_vec())
        };
        let mut names: Vec<_> = FILES.iter().filter_map(inside).collect();
        names.sort();
        Ok(names)
    }

    fn mounts(&self) -> Vec<MountPoint> {
        vec![MountPoint {
            device: DeviceId::new(8, 1),
            directory: b"/village".into(),
            source: b"/dev/village".into(),
            kind: b"ext4".into(),
        }]
    }

    fn listed(&self, inode: u64) -> Option<Listed> {
        Some(match inode {
            70 => Listed::Netlink(16),
            71 => Listed::Raw([b"00000000:00FF".into(), b"00000000:0000".into(), b"07".into()]),
            _ => Listed::Unix(format!("0x{inode:016x}").into_bytes()),
        })
    }

    fn time(&self, format: &[u8]) -> Option<Vec<u8>> {
        (!format.is_empty()).then(|| format.to_vec())
    }
}
