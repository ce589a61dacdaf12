//! Names of hosts and services, as they are shown instead of addresses and ports.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use fdscope_model::Name;

/// What is known of names. What is not stays a number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// Hosts by address.
    pub hosts: HashMap<IpAddr, Name>,
    /// Services by port, and whether it is one of UDP.
    pub services: HashMap<(u16, bool), Name>,
}

impl Names {
    /// `host:service`, unescaped; `*` for any address or port.
    pub(super) fn text(&self, address: SocketAddr, is_udp: bool) -> String {
        let lossy = |name: &Name| String::from_utf8_lossy(name.bytes()).into_owned();
        let host = match (address.ip(), self.hosts.get(&address.ip().to_canonical())) {
            (ip, _) if ip.is_unspecified() => "*".to_owned(),
            (_, Some(name)) => lossy(name),
            (IpAddr::V6(ip), None) => format!("[{ip}]"),
            (ip, None) => ip.to_string(),
        };
        let service = match (address.port(), self.services.get(&(address.port(), is_udp))) {
            (0, _) => "*".to_owned(),
            (_, Some(name)) => lossy(name),
            (port, None) => port.to_string(),
        };
        format!("{host}:{service}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_stays_a_number() {
        let hosts = HashMap::from([("10.0.0.7".parse().expect("an address"), "db".into())]);
        let services = HashMap::from([((443, false), "https".into())]);
        let names = Names { hosts, services };
        let check = |address: &str, is_udp, expected: &str| {
            assert_eq!(names.text(address.parse().expect("an address"), is_udp), expected);
        };
        check("10.0.0.7:443", false, "db:https");
        check("[::ffff:10.0.0.7]:443", true, "db:443");
        check("[::1]:443", false, "[::1]:https");
        check("0.0.0.0:0", false, "*:*");
    }
}
