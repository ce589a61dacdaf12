//! Names of ports and protocols, which `-n` leaves out: /etc/services and /etc/protocols, parsed.

use std::collections::HashMap;

/// Names by number.
#[derive(Clone, Debug, Default)]
pub struct Names {
    tcp: HashMap<u16, Vec<u8>>,
    udp: HashMap<u16, Vec<u8>>,
    protocols: HashMap<u8, Vec<u8>>,
}

impl Names {
    /// The names of the two files, whose bytes are given; the first of a number counts.
    pub fn parse(services: &[u8], protocols: &[u8]) -> Self {
        let mut names = Names::default();
        for words in lines(services) {
            let [name, place, ..] = words.as_slice() else { continue };
            let Some((port, protocol)) = place.split_once('/') else { continue };
            let (Ok(port), table) = (port.parse(), protocol) else { continue };
            let table = match table {
                "tcp" => &mut names.tcp,
                "udp" => &mut names.udp,
                _ => continue,
            };
            table.entry(port).or_insert_with(|| name.clone().into_bytes());
        }
        for words in lines(protocols) {
            let [name, number, ..] = words.as_slice() else { continue };
            let Ok(number) = number.parse() else { continue };
            names.protocols.entry(number).or_insert_with(|| name.clone().into_bytes());
        }
        names
    }

    pub(super) fn tcp(&self, port: u16) -> Option<&[u8]> {
        self.tcp.get(&port).map(Vec::as_slice)
    }

    pub(super) fn udp(&self, port: u16) -> Option<&[u8]> {
        self.udp.get(&port).map(Vec::as_slice)
    }

    pub(super) fn protocol(&self, number: u8) -> Option<&[u8]> {
        self.protocols.get(&number).map(Vec::as_slice)
    }
}

/// The words of each line, comments left out.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Vec<String>> {
    bytes.split(|&byte| byte == b'\n').map(|line| {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let text = String::from_utf8_lossy(line);
        text.split_ascii_whitespace().filter(|word| is_plain(word)).map(str::to_owned).collect()
    })
}

fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_graphic())
}
