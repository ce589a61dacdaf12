//! Packets crafted byte by byte, one for each thing that is told apart, and a capture file of them.

/// An Ethernet frame.
pub fn ether(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A tag of a VLAN, in front of an ethertype and what follows.
fn tagged(tag: u16, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&tag.to_be_bytes(), &kind.to_be_bytes(), payload].concat()
}

fn sum(pieces: &[&[u8]]) -> u16 {
    let bytes = pieces.concat();
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut total: u32 = words.sum();
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

const A4: [u8; 4] = [10, 0, 0, 1];
const B4: [u8; 4] = [192, 168, 7, 200];
const A6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const B6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 3];

/// An IPv4 packet; `fragment` is the word of flags and offset.
pub fn ip4(protocol: u8, tos: u8, fragment: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = 20 + options.len();
    let mut packet = vec![0x40 | (header / 4) as u8, tos];
    packet.extend_from_slice(&((header + payload.len()) as u16).to_be_bytes());
    packet.extend_from_slice(&[0x12, 0x34]);
    packet.extend_from_slice(&fragment.to_be_bytes());
    packet.extend_from_slice(&[64, protocol, 0, 0]);
    packet.extend_from_slice(&A4);
    packet.extend_from_slice(&B4);
    packet.extend_from_slice(options);
    let check = sum(&[&packet]);
    packet[10..12].copy_from_slice(&check.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// An IPv6 packet; `chain` is what stands between header and segment.
pub fn ip6(next: u8, flow: u32, chain: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut packet = (0x6000_0000 | flow).to_be_bytes().to_vec();
    packet.extend_from_slice(&((chain.len() + payload.len()) as u16).to_be_bytes());
    packet.extend_from_slice(&[next, 64]);
    packet.extend_from_slice(&A6);
    packet.extend_from_slice(&B6);
    packet.extend_from_slice(chain);
    packet.extend_from_slice(payload);
    packet
}

fn pseudo4(protocol: u8, length: usize) -> Vec<u8> {
    [&A4[..], &B4, &[0, protocol], &(length as u16).to_be_bytes()].concat()
}

fn pseudo6(protocol: u8, length: usize) -> Vec<u8> {
    [&A6[..], &B6, &(length as u32).to_be_bytes(), &[0, 0, 0, protocol]].concat()
}

/// A segment of TCP with its checksum over IPv4.
pub fn tcp(
    ports: (u16, u16),
    numbers: (u32, u32),
    flags: u8,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut segment = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    segment.extend_from_slice(&numbers.0.to_be_bytes());
    segment.extend_from_slice(&numbers.1.to_be_bytes());
    let words = 5 + options.len().div_ceil(4);
    segment.extend_from_slice(&[(words << 4) as u8, flags, 1, 0xf6, 0, 0, 0, 9]);
    segment.extend_from_slice(options);
    segment.resize(words * 4, 0);
    segment.extend_from_slice(payload);
    let check = sum(&[&pseudo4(6, segment.len()), &segment]);
    segment[16..18].copy_from_slice(&check.to_be_bytes());
    segment
}

/// A datagram of UDP with its checksum over IPv4.
pub fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    datagram.extend_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
    datagram.extend_from_slice(&[0, 0]);
    datagram.extend_from_slice(payload);
    let check = sum(&[&pseudo4(17, datagram.len()), &datagram]);
    datagram[6..8].copy_from_slice(&check.to_be_bytes());
    datagram
}

fn icmp(kind: u8, code: u8, rest: u32, payload: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0][..], &rest.to_be_bytes(), payload].concat();
    let check = sum(&[&message]);
    message[2..4].copy_from_slice(&check.to_be_bytes());
    message
}

fn icmp6(kind: u8, code: u8, rest: u32, payload: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0][..], &rest.to_be_bytes(), payload].concat();
    let check = sum(&[&pseudo6(58, message.len()), &message]);
    message[2..4].copy_from_slice(&check.to_be_bytes());
    message
}

fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ether(0x0800, &ip4(protocol, 0, 0x4000, &[], payload))
}

fn v6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ether(0x86dd, &ip6(protocol, 0, &[], payload))
}

/// Every flag of TCP, and every option.
fn tcps() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (0..=255)
        .map(|flags| v4(6, &tcp((40000, 5201), (1000, 2000), flags, &[], b"ab")))
        .collect();
    let options: &[&[u8]] = &[
        &[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 1, 2, 0, 0, 3, 4, 1, 3, 3, 7],
        &[1, 1, 5, 10, 0, 0, 7, 208, 0, 0, 7, 218],
        &[5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4],
        &[5, 9, 1, 2, 3, 4, 5, 6, 7],
        &[
            6, 6, 0, 0, 0, 1, 7, 6, 0, 0, 0, 2, 11, 6, 0, 0, 0, 3, 12, 6, 0, 0, 0, 4, 13, 6, 0, 0,
            0, 5,
        ],
        &[19, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        &[20, 4, 1, 2, 28, 4, 0x80, 5, 28, 4, 0, 9],
        &[29, 16, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 29, 3, 1],
        &[34, 2, 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 34, 5, 1, 2, 3],
        &[254, 4, 0xf9, 0x89, 254, 8, 0xf9, 0x89, 1, 2, 3, 4, 254, 4, 1, 2, 254, 2],
        &[77, 5, 1, 2, 3, 0, 9, 9],
        &[3, 5, 1, 2, 3, 2, 3, 1],
        &[8, 1],
        &[2, 40, 1],
        &[30, 12, 0, 0x81, 1, 2, 3, 4, 5, 6, 7, 8],
        &[30, 20, 0x20, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 20, 1, 2],
        &[30, 8, 0x34, 1, 10, 0, 0, 9, 30, 4, 0x40, 3, 30, 4, 0x51, 2, 30, 3, 0x50],
        &[30, 12, 0x60, 0, 1, 2, 3, 4, 5, 6, 7, 8, 30, 12, 0x70, 0, 1, 2, 3, 4, 5, 6, 7, 8],
        &[30, 12, 0x10, 7, 1, 2, 3, 4, 5, 6, 7, 8, 30, 3, 0x90],
    ];
    for options in options {
        for flags in [2, 16, 24] {
            all.push(v4(6, &tcp((5201, 40000), (3000, 1500), flags, options, b"xyz")));
        }
    }
    all.push(v4(
        6,
        &tcp((80, 40001), (1, 1), 24, &[], b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody\x01"),
    ));
    all.push(v4(6, &tcp((40001, 8080), (1, 1), 24, &[], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
    all.push(v4(6, &tcp((22, 40001), (1, 1), 24, &[], b"SSH-2.0-OpenSSH\r\n")));
    all.push(v4(6, &tcp((25, 40001), (1, 1), 24, &[], b"220 hello\r\n")));
    all.push(v4(6, &tcp((40001, 21), (1, 1), 24, &[], b"USER joe\r\n")));
    all.push(v4(6, &tcp((7, 40001), (1, 1), 20, &[], b"why it was reset, at some length \x1b[0m")));
    all.push(v6(6, &tcp((443, 40001), (7, 8), 18, &[2, 4, 5, 0xa0], b"")));
    all.push(v6(6, &tcp((443, 40001), (8, 9), 16, &[], b"data")));
    let mut short = tcp((1, 2), (3, 4), 16, &[], b"");
    short[12] = 0x40;
    all.push(v4(6, &short));
    short[12] = 0xf0;
    all.push(v4(6, &short));
    all
}

/// Packets of IPv4 and IPv6 themselves, with fragments, options, extension headers and wrong lengths.
fn ips() -> Vec<Vec<u8>> {
    let datagram = udp((40000, 9999), b"hello");
    let mut all: Vec<Vec<u8>> =
        (0..4).map(|tos| ether(0x800, &ip4(17, tos, 0, &[], &datagram))).collect();
    for fragment in [0x2000, 0x2001, 0x00b9, 0x8000, 0x6000] {
        all.push(ether(0x800, &ip4(17, 0, fragment, &[], &datagram)));
        all.push(ether(0x800, &ip4(6, 0, fragment, &[], &tcp((1, 2), (3, 4), 2, &[], b""))));
        all.push(ether(0x800, &ip4(1, 0, fragment, &[], &icmp(8, 0, 1, b"x"))));
    }
    let options: &[&[u8]] = &[
        &[1, 1, 1, 0],
        &[7, 7, 4, 0, 0, 0, 0, 0],
        &[131, 11, 8, 10, 9, 9, 9, 10, 8, 8, 8, 0],
        &[137, 7, 3, 1, 2, 3, 4, 0],
        &[68, 12, 13, 0x11, 10, 0, 0, 1, 0, 0, 0, 9],
        &[68, 8, 5, 0, 0, 0, 0, 9],
        &[68, 8, 5, 7, 0, 0, 0, 9],
        &[148, 4, 0, 0, 148, 4, 0, 7],
        &[130, 4, 0, 0, 99, 4, 1, 2],
        &[7, 1, 0, 0],
        &[7, 40, 4, 0],
    ];
    for options in options {
        all.push(ether(0x800, &ip4(17, 0, 0, options, &datagram)));
    }
    for protocol in [4, 59, 41, 99, 200] {
        all.push(ether(0x800, &ip4(protocol, 0, 0, &[], &ip4(17, 0, 0, &[], &datagram))));
        all.push(v6(protocol, &ip6(17, 5, &[], &datagram)));
    }
    let chains: &[(u8, &[u8])] = &[
        (0, &[17, 0, 1, 4, 0, 0, 0, 0]),
        (0, &[17, 0, 5, 2, 0, 0, 1, 0]),
        (0, &[17, 0, 0xc2, 4, 0, 1, 0, 0]),
        (0, &[17, 0, 5, 9, 0, 0, 0, 0]),
        (0, &[17, 0, 0, 0, 0x3e, 2, 7, 7]),
        (60, &[17, 0, 1, 4, 0, 0, 0, 0]),
        (60, &[17, 2, 0xc9, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 2, 0, 0]),
        (44, &[17, 0, 0, 1, 0, 0, 0, 9]),
        (44, &[17, 0, 0, 0xb9, 0, 0, 0, 9]),
        (44, &[17, 0, 0, 0, 0, 0, 0, 9]),
        (43, &[17, 2, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
        (43, &[17, 2, 4, 1, 0, 3, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
        (43, &[17, 0, 9, 1, 0, 3, 0, 7]),
        (43, &[17, 1, 2, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8]),
        (51, &[17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ];
    for (next, chain) in chains {
        all.push(ether(0x86dd, &ip6(*next, 0x0123_4567, chain, &datagram)));
    }
    let mut wrong = ip4(17, 0, 0, &[], &datagram);
    wrong[10] ^= 0xff;
    all.push(ether(0x800, &wrong));
    for (place, value) in
        [(0, 0x44), (0, 0x65), (0, 0x35), (3, 200), (3, 10), (3, 0), (9, 58), (8, 0)]
    {
        let mut wrong = ip4(17, 0, 0, &[], &datagram);
        wrong[place] = value;
        all.push(ether(0x800, &wrong));
    }
    for (place, value) in [(0, 0x45), (5, 200), (5, 0), (6, 1)] {
        let mut wrong = ip6(17, 0, &[], &datagram);
        wrong[place] = value;
        all.push(ether(0x86dd, &wrong));
    }
    all
}

/// Messages of ICMP and ICMPv6.
fn icmps() -> Vec<Vec<u8>> {
    let quoted = ip4(17, 0, 0, &[], &udp((40000, 9999), b"hello"));
    let quoted_tcp = ip4(6, 0, 0, &[], &tcp((1, 2), (3, 4), 2, &[], b""));
    let quoted_other = ip4(200, 0, 0, &[], b"12345678");
    let mut all = Vec::new();
    for kind in 0..=20 {
        for code in [0, 1, 2, 3] {
            all.push(v4(1, &icmp(kind, code, 0x0105_0203, &quoted)));
        }
    }
    for code in 0..=17 {
        all.push(v4(1, &icmp(3, code, 1400, &quoted)));
        all.push(v4(1, &icmp(3, code, 0, &quoted_tcp)));
    }
    all.push(v4(1, &icmp(3, 3, 0, &quoted_other)));
    all.push(v4(1, &icmp(9, 0, 0x0202_0708, &[10, 0, 0, 1, 0, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 2])));
    let mut wrong = icmp(8, 0, 7, b"abc");
    wrong[2] ^= 1;
    all.push(v4(1, &wrong));
    let mut extended = quoted.clone();
    extended.resize(128, 0);
    let mut extension =
        vec![0x20, 0, 0, 0, 0, 8, 1, 1, 0, 0x3e, 0x91, 0x40, 0, 8, 2, 9, 1, 2, 3, 4];
    let check = sum(&[&extension]);
    extension[2..4].copy_from_slice(&check.to_be_bytes());
    all.push(v4(1, &icmp(11, 0, 0, &[extended, extension].concat())));

    let quoted6 = ip6(17, 0, &[], &udp((40000, 9999), b"hello"));
    let quoted6_chain = ip6(60, 0, &[6, 0, 1, 4, 0, 0, 0, 0], &tcp((1, 2), (3, 4), 2, &[], b""));
    for kind in [1, 2, 3, 4, 128, 129, 144, 146, 200, 99, 160] {
        for code in 0..=5 {
            all.push(v6(58, &icmp6(kind, code, 0x0005_0203, &quoted6)));
        }
    }
    all.push(v6(58, &icmp6(1, 4, 0, &quoted6_chain)));
    let link: &[u8] = &[1, 1, 2, 0, 0, 0, 0, 1];
    let target: &[u8] = &[2, 1, 2, 0, 0, 0, 0, 2];
    let prefix =
        [&[3, 4, 64, 0xe0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..], &A6].concat();
    let mtu: &[u8] = &[5, 1, 0, 0, 0, 0, 5, 0xdc];
    let rdnss = [&[25, 3, 0, 0, 0, 0, 0, 60][..], &A6].concat();
    let dnssl: &[u8] = &[31, 2, 0, 0, 0, 0, 0, 60, 2, b'a', b'b', 1, b'c', 0, 0, 0];
    let route = [&[24, 3, 64, 0x08, 0, 0, 0, 60][..], &A6].concat();
    let more: &[u8] = &[7, 1, 0, 0, 0, 0, 1, 0, 8, 1, 0, 0, 0, 1, 0, 2];
    let unknown: &[u8] = &[99, 1, 1, 2, 3, 4, 5, 6];
    let options = [link, &prefix, mtu, &rdnss, dnssl, &route, more, unknown].concat();
    all.push(v6(58, &icmp6(133, 0, 0, link)));
    all.push(v6(
        58,
        &icmp6(134, 0, 0x40c8_0708, &[&[0, 0, 0, 1, 0, 0, 0, 2][..], &options].concat()),
    ));
    all.push(v6(58, &icmp6(135, 0, 0, &[&A6[..], link].concat())));
    all.push(v6(58, &icmp6(136, 0, 0xe000_0000, &[&A6[..], target].concat())));
    all.push(v6(58, &icmp6(137, 0, 0, &[&A6[..], &B6, target].concat())));
    all.push(v6(58, &icmp6(130, 0, 0x0001_0000, &A6)));
    all.push(v6(58, &icmp6(130, 0, 0x9001_0000, &[&A6[..], &[0x0a, 0x91, 0, 1], &B6].concat())));
    all.push(v6(58, &icmp6(131, 0, 0x0001_0000, &A6)));
    let records = [&[4, 0, 0, 0][..], &A6, &[9, 0, 0, 1], &A6, &B6].concat();
    all.push(v6(58, &icmp6(143, 0, 2, &records)));
    all.push(v6(58, &icmp6(143, 0, 3, &records)));
    all
}

/// A message of DNS; records are given whole.
fn message(flags: u16, counts: [u16; 4], body: &[u8]) -> Vec<u8> {
    let words = [0x1234, flags, counts[0], counts[1], counts[2], counts[3]];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.extend_from_slice(body);
    bytes
}

fn record(kind: u16, class: u16, value: &[u8]) -> Vec<u8> {
    let head =
        [&[0xc0, 12][..], &kind.to_be_bytes(), &class.to_be_bytes(), &[0, 1, 0x51, 0x81]].concat();
    [&head[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

fn domains() -> Vec<Vec<u8>> {
    let question = |kind: u16, class: u16| {
        [&b"\x03www\x07example\x00"[..], &kind.to_be_bytes(), &class.to_be_bytes()].concat()
    };
    let records = [
        record(1, 1, &[1, 2, 3, 4]),
        record(2, 1, b"\x02ns\xc0\x10"),
        record(5, 3, b"\x05alias\x00"),
        record(6, 1, &[&b"\xc0\x0c\x05admin\x00"[..], &[0; 20]].concat()),
        record(15, 1, b"\x00\x0a\x04mail\xc0\x10"),
        record(16, 1, b"\x05hello\x03a\x1bb"),
        record(28, 1, &A6),
        record(33, 1, b"\x00\x01\x00\x02\x00\x50\xc0\x0c"),
        record(99, 7, b"\x01x"),
        record(257, 1, b"zz"),
        record(256, 1, b"\x00\x01\x00\x02http://x"),
        record(250, 255, b"\x00123456\x01\x2c\x00\x02xx\x00\x07\x00\x00\x00\x00"),
        record(38, 1, &[&[0][..], &A6].concat()),
    ];
    let opt = |value: &[u8]| {
        [&[0, 0, 41, 0x10, 0, 0, 0, 0x80, 0][..], &(value.len() as u16).to_be_bytes(), value]
            .concat()
    };
    let cookie: &[u8] = &[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 8, 0, 7, 0, 1, 24, 0, 10, 1, 2];
    let others: &[u8] = &[
        0, 11, 0, 2, 0, 15, 0, 12, 0, 3, 0, 0, 0, 0, 5, 0, 2, 8, 77, 0, 14, 0, 4, 0, 1, 0, 2, 0,
        99, 0, 1, 7,
    ];
    let mut all = vec![
        message(0x0100, [1, 0, 0, 0], &question(1, 1)),
        message(0x0110, [1, 0, 0, 1], &[question(28, 1), opt(cookie)].concat()),
        message(0x0000, [1, 0, 0, 1], &[question(300, 9), opt(others)].concat()),
        message(0x0800, [0, 1, 0, 0], &records[0]),
        message(
            0x05cf,
            [2, 0, 1, 0],
            &[question(255, 255), question(16, 4), records[1].clone()].concat(),
        ),
        message(0x8183, [1, 0, 1, 0], &[question(1, 1), records[3].clone()].concat()),
        message(0x87a0, [0, 0, 0, 0], &[]),
        message(
            0x8180,
            [1, 0, 0, 1],
            &[question(1, 1), vec![0, 0, 41, 4, 0, 1, 0, 0, 0, 0, 0]].concat(),
        ),
        message(0x8180, [1, 2, 0, 0], &question(1, 1)),
        message(
            0x8180,
            [1, 1, 0, 0],
            &[question(1, 1), b"\xc0\x40\x00\x01\x00\x01\0\0\0\0\0\x04abcd".to_vec()].concat(),
        ),
        message(0x8180, [1, 1, 0, 0], &[question(1, 1), record(5, 1, b"\xff\x00")].concat()),
    ];
    for kind in &records {
        all.push(message(0x8580, [1, 1, 0, 0], &[question(1, 1), kind.clone()].concat()));
    }
    all.push(message(0x8180, [1, 6, 4, 3], &[question(1, 1), records.concat()].concat()));
    let mut packets = Vec::new();
    for body in &all {
        packets.push(v4(17, &udp((40000, 53), body)));
        packets.push(v4(17, &udp((5353, 5353), body)));
        let framed = [&(body.len() as u16).to_be_bytes(), &body[..]].concat();
        packets.push(v4(6, &tcp((53, 40000), (1, 1), 24, &[], &framed)));
    }
    packets.push(v4(6, &tcp((53, 40000), (1, 1), 24, &[], b"\x00\x09abc")));
    packets.push(v4(6, &tcp((53, 40000), (1, 1), 24, &[], b"a")));
    packets.push(v4(17, &udp((40000, 53), b"short")));
    packets
}

/// ARP, UDP, VLANs and what no one knows.
fn others() -> Vec<Vec<u8>> {
    let arp = |operation: u8, target: [u8; 6]| {
        let head = [0, 1, 8, 0, 6, 4, 0, operation];
        [&head[..], &[2, 0, 0, 0, 0, 1], &A4, &target, &B4].concat()
    };
    let mut all: Vec<Vec<u8>> =
        (0..=11).map(|op| ether(0x806, &arp(op, [2, 0, 0, 0, 0, 9]))).collect();
    all.push(ether(0x806, &arp(1, [0; 6])));
    all.push(ether(0x8035, &arp(3, [0; 6])));
    for (place, value) in [(0, 9), (2, 9), (4, 0), (4, 8), (5, 6), (5, 0)] {
        let mut odd = arp(1, [0; 6]);
        odd.resize(60, 7);
        odd[place] = value;
        all.push(ether(0x806, &odd));
    }
    let datagram = udp((40000, 9999), b"hello");
    let packet = ip4(17, 0, 0, &[], &datagram);
    all.push(ether(0x8100, &tagged(0x2005, 0x800, &packet)));
    all.push(ether(0x8100, &tagged(0x1fff, 0x86dd, &ip6(17, 0, &[], &datagram))));
    all.push(ether(0x88a8, &tagged(7, 0x8100, &tagged(8, 0x800, &packet))));
    all.push(ether(0x8100, &tagged(9, 0x9998, b"unknown payload")));
    all.push(ether(0x9999, b"unknown payload of some length, more than one line"));
    let mut unchecked = datagram.clone();
    unchecked[6..8].copy_from_slice(&[0, 0]);
    all.push(v4(17, &unchecked));
    unchecked[6] = 9;
    all.push(v4(17, &unchecked));
    for length in [0, 7, 8, 60] {
        let mut odd = datagram.clone();
        odd[5] = length;
        all.push(v4(17, &odd));
    }
    all
}

/// All of them, as Ethernet frames.
pub fn all() -> Vec<Vec<u8>> {
    [tcps(), ips(), icmps(), domains(), others()].concat()
}

/// A packet without its Ethernet header, behind a header of another link type.
pub fn relinked(link: u32, frame: &[u8]) -> Vec<u8> {
    let (head, rest) = frame.split_at(14);
    let kind = [head[12], head[13]];
    let source = &head[6..12];
    match link {
        113 => [&[0, 4, 0, 1, 0, 6][..], source, &[0, 0], &kind, rest].concat(),
        276 => [&kind[..], &[0, 0, 0, 0, 0xff, 0xf0, 0, 1, 3, 6], source, &[0, 0], rest].concat(),
        0 => [&(if kind == [0x86, 0xdd] { 28_u32 } else { 2 }).to_le_bytes()[..], rest].concat(),
        108 => [&(if kind == [0x86, 0xdd] { 24_u32 } else { 2 }).to_be_bytes()[..], rest].concat(),
        _ => rest.to_vec(),
    }
}

/// A capture file: packets with how much is kept of each.
pub fn file(link: u32, nanos: bool, packets: &[(Vec<u8>, usize)]) -> Vec<u8> {
    let magic: u32 = if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut bytes = Vec::new();
    for word in [magic, 0x0004_0002, 0, 0, 262_144, link] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for (index, (packet, kept)) in packets.iter().enumerate() {
        let kept = packet.len().min(*kept);
        let time = [1_700_000_000 + (index as u32 * 37) % 9000, (index as u32 * 7919) % 1_000_000];
        for word in [time[0], time[1], kept as u32, packet.len() as u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&packet[..kept]);
    }
    bytes
}
