//! lsof's options: any arguments are options, or end with lsof's words for what is wrong with them.
#![no_main]

use std::net::IpAddr;

use fdscope_lsof::{FileIdentity, Listed, MountPoint, Options, Protocol, World};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|arguments: Vec<Vec<u8>>| {
    let _ = Options::read("lsof", &arguments, &Nowhere);
});

/// A world without users, services, hosts and files.
struct Nowhere;

impl World for Nowhere {
    fn user(&self, login: &[u8]) -> Option<u32> {
        (login == b"root").then_some(0)
    }
    fn login(&self, _: u32) -> Option<Vec<u8>> {
        None
    }
    fn port(&self, service: &[u8], _: Protocol) -> Option<u16> {
        (service == b"http").then_some(80)
    }
    fn service(&self, _: u16, _: Protocol) -> Option<Vec<u8>> {
        None
    }
    fn addresses(&self, _: &[u8]) -> Vec<IpAddr> {
        Vec::new()
    }
    fn host(&self, _: IpAddr) -> Option<Vec<u8>> {
        None
    }
    fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, String> {
        Ok(path.to_vec())
    }
    fn stat(&self, _: &[u8]) -> Result<FileIdentity, String> {
        Ok(FileIdentity::default())
    }
    fn lstat(&self, _: &[u8]) -> Result<FileIdentity, String> {
        Ok(FileIdentity::default())
    }
    fn list(&self, _: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        Ok(Vec::new())
    }
    fn mounts(&self) -> Vec<MountPoint> {
        Vec::new()
    }
    fn listed(&self, _: u64) -> Option<Listed> {
        None
    }
    fn time(&self, format: &[u8]) -> Option<Vec<u8>> {
        (!format.is_empty()).then(|| b"now".to_vec())
    }
}
