//! What packets cost, beside tcpdump: a file as text, and a flood of small packets without a loss.

use super::open_files::seconds_of;
use super::{Bench, Row, median};
use anyhow::{Context, Result};
use fdscope_fixtures::in_path;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};

/// Packets of the file.
const PACKETS: u32 = 400_000;
/// Datagrams of the flood.
const FLOOD: u32 = 600_000;

/// Both.
pub fn rows(bench: &Bench) -> Result<Vec<Row>> {
    if !in_path("tcpdump") {
        return Ok(vec![Row::new("capture", "skipped: needs tcpdump")]);
    }
    let mut rows = vec![text(bench)?];
    rows.extend(flood(bench)?);
    rows.push(attribution(bench)?);
    Ok(rows)
}

fn text(bench: &Bench) -> Result<Row> {
    let path = std::env::temp_dir().join(format!("fdscope-bench-{}.pcap", std::process::id()));
    write_file(&path)?;
    let time = |program: &Path, leading: &[&str]| -> Result<f64> {
        let mut command = Command::new(program);
        command.args(leading).args(["-nn", "-r"]).arg(&path).env("TZ", "UTC0");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let spent = (0..bench.rounds).map(|_| seconds_of(&mut command));
        Ok(median(spent.collect::<Result<_>>()?))
    };
    let theirs = time(Path::new("tcpdump"), &[])?;
    let ours = time(&bench.fdscope, &["tcpdump"])?;
    std::fs::remove_file(&path)?;
    let times = theirs / ours.max(0.01);
    let figure = format!("{ours:.2} s, tcpdump {theirs:.2} s: {times:.1} times as fast");
    let row = Row::new(format!("{PACKETS} packets of a file as text"), figure);
    Ok(row.promised("3x as fast as tcpdump", times >= 3.0))
}

/// Segments of TCP with timestamps, and datagrams of UDP.
fn write_file(path: &Path) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1_u32] {
        out.write_all(&word.to_le_bytes())?;
    }
    for index in 0..PACKETS {
        let payload = if index % 5 < 2 { 60 } else { 0 };
        let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
        let segment: Vec<u8> = if index % 10 < 8 {
            let (from, to) = if index % 2 == 0 {
                (443, 40_000 + index % 50)
            } else {
                (40_000 + index % 50, 443)
            };
            let mut segment = [(from as u16).to_be_bytes(), (to as u16).to_be_bytes()].concat();
            segment.extend_from_slice(&(index * 100).to_be_bytes());
            segment.extend_from_slice(&(index * 7).to_be_bytes());
            segment.extend_from_slice(&[0x80, 0x18, 1, 0xf5, 0, 0, 0, 0, 1, 1, 8, 10]);
            segment.extend_from_slice(&index.to_be_bytes());
            segment.extend_from_slice(&index.to_be_bytes());
            segment.resize(segment.len() + payload, b'x');
            segment
        } else {
            [&[0x13, 0x88, 0x27, 0x0f, 0, 68, 0, 0][..], &[b'y'; 60]].concat()
        };
        packet.extend_from_slice(&(20 + segment.len() as u16).to_be_bytes());
        packet.extend_from_slice(&[0, 1, 0x40, 0, 64, if index % 10 < 8 { 6 } else { 17 }, 0, 0]);
        packet.extend_from_slice(&[10, 0, 0, (index % 7) as u8, 192, 168, 1, (index % 11) as u8]);
        packet.extend_from_slice(&segment);
        let length = packet.len() as u32;
        for word in [1_700_000_000 + index / 9000, index % 9000 * 111, length, length] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(&packet)?;
    }
    Ok(out.flush()?)
}

/// Small datagrams over the loopback as fast as they can be sent, while both write them away with their defaults.
fn flood(bench: &Bench) -> Result<Vec<Row>> {
    let (ours, _) = flooded(&bench.fdscope, &["capture"])?;
    let (theirs, _) = flooded(Path::new("tcpdump"), &[])?;
    let row = Row::new(format!("{FLOOD} small packets as fast as they go"), format!("{ours} lost"));
    Ok(vec![
        row.promised("none lost with defaults", ours == 0),
        Row::new("the same with tcpdump's defaults", format!("{theirs} lost")),
    ])
}

/// What it costs to know whose the packets are: processor time of the thread that reads them, with and without. Surveys
/// have a thread of their own and a share of the time, however many packets come.
fn attribution(bench: &Bench) -> Result<Row> {
    let time = |leading: &[&str]| -> Result<f64> {
        let spent = (0..bench.rounds).map(|_| Ok(flooded(&bench.fdscope, leading)?.1));
        Ok(median(spent.collect::<Result<_>>()?))
    };
    let (with, without) = (time(&["capture"])?, time(&["capture", "--no-owners"])?);
    let ns = (with - without).max(0.0) * 1e9 / f64::from(FLOOD);
    let row = Row::new("whose a packet is", format!("{ns:.0} ns a packet"));
    Ok(row.promised("300 ns a packet", ns <= 300.0))
}

/// Ticks of the processor time in /proc, in a second (`USER_HZ`).
const TICKS: f64 = 100.0;

/// Processor time that a process's first thread has taken, in seconds.
fn spent_s(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/stat"))?;
    let (_, behind) = stat.rsplit_once(')').context("a name")?;
    let ticks = behind.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS)
}

/// How many were dropped, and the processor time that it took.
fn flooded(program: &Path, leading: &[&str]) -> Result<(u64, f64)> {
    let receiver = UdpSocket::bind("127.0.0.1:0")?;
    let address = receiver.local_addr()?;
    let filter = format!("udp port {}", address.port());
    let mut command = Command::new(program);
    command
        .args(leading)
        .args(["-i", "lo", "-nn", "-w", "/dev/null", &filter])
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut errors = BufReader::new(child.stderr.take().context("a pipe")?);
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        anyhow::ensure!(errors.read_line(&mut line)? > 0, "{program:?} does not listen");
    }
    let before_s = spent_s(child.id())?;
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    for _ in 0..FLOOD {
        // A full receiver is no failure of the sender.
        let _sent = sender.send_to(&[0; 18], address);
    }
    let spent_s = spent_s(child.id())? - before_s;
    Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let mut told = String::new();
    errors.read_to_string(&mut told)?;
    child.wait()?;
    let dropped = told.lines().find_map(|line| line.split_once(" packets dropped by kernel"));
    let dropped = dropped.and_then(|(count, _)| count.parse().ok());
    Ok((dropped.context("no statistics were told")?, spent_s))
}
