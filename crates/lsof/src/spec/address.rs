//! `-i`: Internet files by version, protocol, address and ports: `[46][protocol][@host|address][:ports]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::message::Messages;
use crate::world::{Protocol, World};

/// An IP version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    V4,
    V6,
}

/// What all the `-i` together select.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Network {
    /// `-i`, `-i4`, `-i6` without more: every file of this version, or of any.
    pub all: Option<Option<Version>>,
    /// Those with more.
    pub specs: Vec<Spec>,
}

/// One way for an address to be selected. An argument may give several, which count as one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    /// The value of `-i`, for saying that nothing was found.
    pub argument: Vec<u8>,
    pub version: Option<Version>,
    pub protocol: Option<Protocol>,
    pub address: Option<IpAddr>,
    /// First and last port.
    pub ports: Option<(u32, u32)>,
}

impl Spec {
    pub(crate) fn selects(&self, protocol: Protocol, address: IpAddr, port: u16) -> bool {
        let version = if address.is_ipv4() { Version::V4 } else { Version::V6 };
        let port = u32::from(port);
        self.protocol.is_none_or(|p| p == protocol)
            && self.version.is_none_or(|v| v == version)
            && self.address.is_none_or(|a| a == address)
            && self.ports.is_none_or(|(first, last)| (first..=last).contains(&port))
    }
}

impl Network {
    /// `-i` without a value.
    pub(crate) fn select_all(&mut self) {
        self.all = Some(None);
    }

    /// `-i4` followed by `-i6` is `-i`.
    fn select_version(&mut self, version: Version) {
        self.all = Some(match self.all {
            None | Some(None) => Some(version),
            Some(Some(old)) => (old == version).then_some(version),
        });
    }

    /// Reads a value.
    pub(crate) fn read(&mut self, value: &[u8], world: &dyn World, messages: &mut Messages) {
        let (version, rest) = match value {
            [b'4', rest @ ..] => (Some(Version::V4), rest),
            [b'6', rest @ ..] => (Some(Version::V6), rest),
            rest => (self.all.flatten(), rest),
        };
        if let (Some(version), [], [_]) = (version, rest, value) {
            return self.select_version(version);
        }
        match (Reader { value, version, world, messages: &mut *messages }).read(rest) {
            Ok(specs) => self.specs.extend(specs),
            Err((sentence, text)) => messages.wrong(&sentence, &text),
        }
    }
}

struct Reader<'a> {
    value: &'a [u8],
    version: Option<Version>,
    world: &'a dyn World,
    messages: &'a mut Messages,
}

type Wrong = (String, Vec<u8>);

impl Reader<'_> {
    /// The sentence about this value.
    fn wrong<T>(&self, sentence: &str) -> Result<T, Wrong> {
        Err((sentence.to_owned(), self.value.to_vec()))
    }

    fn read(mut self, rest: &[u8]) -> Result<Vec<Spec>, Wrong> {
        let end = rest.iter().position(|b| b"@:".contains(b)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let protocol = self.protocol(name)?;
        let (addresses, rest) = match rest.strip_prefix(b"@") {
            Some(rest) => self.addresses(rest)?,
            None => (vec![None], rest),
        };
        let ports = if rest.is_empty() { vec![None] } else { self.ports(rest, protocol)? };
        let mut specs = Vec::new();
        for ports in ports {
            for address in &addresses {
                let version = match address {
                    Some(IpAddr::V4(_)) => Some(Version::V4),
                    Some(IpAddr::V6(_)) => Some(Version::V6),
                    None => self.version,
                };
                if protocol.is_none() && address.is_none() && ports.is_none() {
                    return self.wrong("incomplete Internet address specification: -i ");
                }
                // 0.0.0.0 stands for any address.
                let address = address.filter(|address| !address.is_unspecified());
                specs.push(Spec {
                    argument: self.value.to_vec(),
                    version,
                    protocol,
                    address,
                    ports,
                });
            }
        }
        Ok(specs)
    }

    fn protocol(&self, name: &[u8]) -> Result<Option<Protocol>, Wrong> {
        if name.is_empty() {
            return Ok(None);
        }
        let known =
            [("tcp", Protocol::Tcp), ("udp", Protocol::Udp), ("udplite", Protocol::UdpLite)];
        let found = known.iter().find(|row| row.0.as_bytes().eq_ignore_ascii_case(name));
        match found {
            Some((_, protocol)) => Ok(Some(*protocol)),
            None => {
                let name = String::from_utf8_lossy(name);
                self.wrong(&format!("unknown protocol name ({name}) in: -i "))
            }
        }
    }

    fn addresses<'b>(&self, rest: &'b [u8]) -> Result<(Vec<Option<IpAddr>>, &'b [u8]), Wrong> {
        const UNACCEPTABLE: &str = "unacceptable Internet address in: -i ";
        if let Some(inside) = rest.strip_prefix(b"[") {
            if self.version == Some(Version::V4) {
                return self.wrong("IPv6 addresses are prohibited: -i ");
            }
            let end = inside.iter().rposition(|&b| b == b']');
            let text = end.and_then(|end| std::str::from_utf8(&inside[..end]).ok());
            let (Some(end), Some(Ok(address))) = (end, text.map(str::parse::<Ipv6Addr>)) else {
                return self.wrong(UNACCEPTABLE);
            };
            if address.is_unspecified() {
                return self.wrong(UNACCEPTABLE);
            }
            let address = match address.to_ipv4_mapped() {
                Some(_) if self.version == Some(Version::V6) => {
                    return self.wrong("IPv4 addresses are prohibited: -i ");
                }
                Some(address) => IpAddr::V4(address),
                None => IpAddr::V6(address),
            };
            return Ok((vec![Some(address)], &inside[end + 1..]));
        }
        let end = rest.iter().position(|&b| b == b':').unwrap_or(rest.len());
        let (host, rest) = rest.split_at(end);
        if host.is_empty() {
            return self.wrong(UNACCEPTABLE);
        }
        if let Some(address) =
            std::str::from_utf8(host).ok().and_then(|h| h.parse::<Ipv4Addr>().ok())
        {
            if self.version == Some(Version::V6) {
                return self.wrong("IPv4 addresses are prohibited: -i ");
            }
            return Ok((vec![Some(IpAddr::V4(address))], rest));
        }
        let wanted = |address: &IpAddr| match self.version {
            None => true,
            Some(Version::V4) => address.is_ipv4(),
            Some(Version::V6) => address.is_ipv6(),
        };
        let found: Vec<_> =
            self.world.addresses(host).into_iter().filter(wanted).map(Some).collect();
        if found.is_empty() {
            let host = String::from_utf8_lossy(host);
            return self.wrong(&format!("unknown host name ({host}) in: -i "));
        }
        Ok((found, rest))
    }

    fn ports(
        &mut self,
        rest: &[u8],
        protocol: Option<Protocol>,
    ) -> Result<Vec<Option<(u32, u32)>>, Wrong> {
        const UNACCEPTABLE: &str = "unacceptable port specification in: -i ";
        let Some(list) = rest.strip_prefix(b":").filter(|list| !list.is_empty()) else {
            return self.wrong(UNACCEPTABLE);
        };
        let mut ports = Vec::new();
        for item in super::number::items(list) {
            let (first, last) = match item.first() {
                None => return self.wrong("invalid service name: -i "),
                Some(digit) if digit.is_ascii_digit() => {
                    let end = item.iter().position(|&b| b == b'-');
                    let (first, last) = item.split_at(end.unwrap_or(item.len()));
                    let first = port_number(first).ok_or(());
                    let last = match last.strip_prefix(b"-") {
                        None => first,
                        Some(last) if last.first().is_some_and(|b| !b.is_ascii_digit()) => {
                            Ok(self.service(last, protocol)?)
                        }
                        Some(last) => port_number(last).ok_or(()),
                    };
                    match (first, last) {
                        (Ok(first), Ok(last)) if first <= last => (first, last),
                        _ => return self.wrong(UNACCEPTABLE),
                    }
                }
                Some(_) => {
                    let port = self.service(item, protocol)?;
                    (port, port)
                }
            };
            ports.push(Some((first, last)));
        }
        Ok(ports)
    }

    fn service(&mut self, name: &[u8], protocol: Option<Protocol>) -> Result<u32, Wrong> {
        let text = String::from_utf8_lossy(name).into_owned();
        if let Some(protocol) = protocol {
            let word = match protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
                Protocol::UdpLite => "udplite",
            };
            return match self.world.port(name, protocol) {
                Some(port) => Ok(u32::from(port)),
                None => self.wrong(&format!("unknown service {text} for {word} in: -i ")),
            };
        }
        match (self.world.port(name, Protocol::Tcp), self.world.port(name, Protocol::Udp)) {
            (Some(tcp), Some(udp)) if tcp != udp => {
                self.messages.say(&format!("TCP={tcp} and UDP={udp} {text} ports conflict;"), b"");
                Err((
                    format!("      specify \"tcp:{text}\" or \"udp:{text}\": -i "),
                    self.value.to_vec(),
                ))
            }
            (Some(port), _) | (None, Some(port)) => Ok(u32::from(port)),
            (None, None) => self.wrong(&format!("unknown service {text} in: -i ")),
        }
    }
}

fn port_number(digits: &[u8]) -> Option<u32> {
    let fine = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    fine.then(|| super::number::number_of(digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Village;

    fn read(values: &[&str]) -> (Network, String) {
        let mut messages = Messages::new("lsof");
        let mut network = Network::default();
        values.iter().for_each(|v| network.read(v.as_bytes(), &Village, &mut messages));
        (network, String::from_utf8_lossy(&messages.text).into_owned())
    }

    fn check(value: &str, protocol: Protocol, address: &str, expected: bool) {
        let (network, said) = read(&[value]);
        assert_eq!(said, "", "{value}");
        let address: std::net::SocketAddr = address.parse().expect("an address");
        let got = network.specs.iter().any(|s| s.selects(protocol, address.ip(), address.port()));
        assert_eq!(got, expected, "{value} on {address}");
    }

    #[test]
    fn every_form_selects_what_it_says() {
        use Protocol::{Tcp, Udp};
        check(":80", Tcp, "1.2.3.4:80", true);
        check(":80", Udp, "1.2.3.4:80", true);
        check("tcp:80", Udp, "1.2.3.4:80", false);
        check("TCP", Tcp, "1.2.3.4:1", true);
        check(":80,443", Tcp, "[::1]:443", true);
        check(":1-1024", Tcp, "1.2.3.4:1025", false);
        check(":1-1024", Tcp, "1.2.3.4:1024", true);
        check("4:80", Tcp, "[::1]:80", false);
        check("6tcp:80", Tcp, "[::1]:80", true);
        check("@127.0.0.1", Tcp, "127.0.0.1:5", true);
        check("@127.0.0.1:6", Tcp, "127.0.0.1:5", false);
        check("tcp@[::1]:5", Tcp, "[::1]:5", true);
        check("@[::ffff:1.2.3.4]", Tcp, "1.2.3.4:9", true);
        check(":http", Tcp, "1.2.3.4:80", true);
        check("tcp:http,https", Tcp, "1.2.3.4:443", true);
        check("@well:http", Tcp, "10.0.0.7:80", true);
        check(":22-http", Tcp, "1.2.3.4:79", true);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check =
            |value: &str, said: &str| assert_eq!(read(&[value]).1, format!("lsof: {said}\n"));
        check("xyz", "unknown protocol name (xyz) in: -i xyz");
        check(":", "unacceptable port specification in: -i :");
        check(":80-", "unacceptable port specification in: -i :80-");
        check(":9-8", "unacceptable port specification in: -i :9-8");
        check(":nope", "unknown service nope in: -i :nope");
        check("tcp:nope", "unknown service nope for tcp in: -i tcp:nope");
        check("@", "unacceptable Internet address in: -i @");
        check("@nowhere", "unknown host name (nowhere) in: -i @nowhere");
        check("4@[::1]", "IPv6 addresses are prohibited: -i 4@[::1]");
        check("6@1.2.3.4", "IPv4 addresses are prohibited: -i 6@1.2.3.4");
        check("@[::", "unacceptable Internet address in: -i @[::");
    }

    #[test]
    fn versions_add_up() {
        assert_eq!(read(&["4"]).0.all, Some(Some(Version::V4)));
        assert_eq!(read(&["4", "6"]).0.all, Some(None));
        assert_eq!(read(&["6", "6"]).0.all, Some(Some(Version::V6)));
    }
}
